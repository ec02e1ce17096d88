"""The model in examples/: a seeded story, the same on every host."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from pathlib import Path

import pytest

from mdst.bundle.reader import Bundle
from mdst.codegen.tiers import FLOAT_TIERS
from mdst.hosts.generate import generate
from mdst.hosts.host import Host, Request
from mdst.sampling import SamplingParams
from mdst.text import Tokenizer

FABLES = Path(__file__).parents[2] / "examples/fables/fables.gguf"

Compiled = Callable[..., Bundle]
HostOf = Callable[[Bundle, str], Host]

REQUESTS = {
    "greedy": SamplingParams(temperature=0),
    "drawn": SamplingParams(temperature=0.8, seed=11, top_p=0.95),
}


def story(bundle: Bundle, host: Host, sampling: SamplingParams) -> str:
    tokenizer = Tokenizer(bundle.vocabulary())
    host.start(Request(sampling, tokenizer.vocabulary.end_ids))
    prompt = tokenizer.encode("Once upon a time", add_special=True, parse_special=False)
    made = list(chain.from_iterable(generate(host, prompt, 60, 8)))
    return "Once upon a time" + tokenizer.decode(made).decode()


@pytest.mark.parametrize("name", REQUESTS)
def test_a_known_story(
    compiled: Compiled, host_of: HostOf, golden: Callable[[str], None], name: str
) -> None:
    bundle = compiled(FABLES)
    found = story(bundle, host_of(bundle, "numpy"), REQUESTS[name])
    assert len(found.split()) > 20
    golden(found + "\n")


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("tier", FLOAT_TIERS)
def test_hosts_tell_the_same_story(
    compiled: Compiled, host_of: HostOf, tier: str, name: str
) -> None:
    bundle = compiled(FABLES)
    expected = story(bundle, host_of(bundle, "numpy"), REQUESTS[name])
    assert story(bundle, host_of(bundle, tier), REQUESTS[name]) == expected
