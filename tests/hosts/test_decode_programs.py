"""Two programs decode, one for short texts and one for all others: where one takes over from the
other does not show in the text."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from mdst.bundle.reader import Bundle
from mdst.codegen.tiers import FLOAT_TIERS, INT8_TIERS, Tier
from mdst.compile import compile_model
from mdst.hosts.generate import generate
from mdst.hosts.host import Host, Request
from mdst.options import Options
from mdst.report import Reporter
from mdst.sampling import SamplingParams

TinyModel = Callable[..., Path]
HostOf = Callable[[Bundle, str], Host]

REACH = 24
COUNT = 30
PROMPT = [int(id) for id in np.random.default_rng(3).integers(0, 300, 11)]
GREEDY = Request(SamplingParams(temperature=0))
DRAWN = Request(SamplingParams(temperature=1.0, seed=7, repetition_penalty=1.3))
REQUESTS = {"greedy": GREEDY, "drawn": DRAWN}
NEAR = 0.3
"""How far below the best a logit may be, in units of their root mean square, for one whose error is
that of 8-bit activations to take its place."""


@pytest.fixture(scope="module")
def bundle(tiny_model: TinyModel, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Its short texts end at position 24, well within the window of 64."""
    out = tmp_path_factory.mktemp("short") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_module("mdst.passes.fuse_rope_attention"), "MOST_KEYS", REACH)
        compile_model(tiny_model(), out, Options(context=64, kv="f32", validate="none"), Reporter())
    return Bundle.open(out)


def text(host: Host, request: Request, steps: int) -> list[int]:
    host.start(request)
    return list(chain.from_iterable(generate(host, PROMPT, COUNT, steps)))


@pytest.mark.parametrize("tier", [*FLOAT_TIERS, *INT8_TIERS])
def test_there_are_two_programs(bundle: Bundle, tier: Tier) -> None:
    programs = [p for p in bundle.tier(tier).programs if p.phase == "decode"]
    short, long = sorted(programs, key=lambda program: program.reach)
    assert short.reach == REACH
    assert long.reach > 64
    assert len(short.steps) < len(long.steps)


@pytest.mark.parametrize("tier", FLOAT_TIERS)
@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("steps", [1, 3, 8])
def test_texts_across_the_reach(
    bundle: Bundle, host_of: HostOf, tier: str, name: str, steps: int
) -> None:
    expected = text(host_of(bundle, "numpy"), REQUESTS[name], steps)
    assert len(expected) == COUNT
    assert len(PROMPT) + COUNT > REACH + 2 * 8
    assert text(host_of(bundle, tier), REQUESTS[name], steps) == expected


@pytest.mark.parametrize("tier", FLOAT_TIERS)
@pytest.mark.parametrize("back", [1, 7, 9])
def test_taking_back_across_the_reach(
    bundle: Bundle, host_of: HostOf, tier: str, back: int
) -> None:
    """The short program goes on with keys that the other one wrote, and the other way round."""
    expected = text(host_of(bundle, "numpy"), DRAWN, 8)
    host = host_of(bundle, tier)
    host.start(DRAWN)
    host.prefill(PROMPT)
    found = [*host.sample(), *host.decode(13), *host.decode(3), *host.decode(3)]
    assert host.position == len(PROMPT) + 19 > REACH
    host.take_back(back)
    del found[len(found) - back :]
    assert (host.position < REACH) == (back > 6)
    while len(found) < COUNT:
        found += host.decode(min(3, COUNT - len(found)))
    assert found == expected


@pytest.mark.parametrize("tier", INT8_TIERS)
@pytest.mark.parametrize("steps", [1, 8])
def test_int8_takes_tokens_that_are_about_the_best(
    bundle: Bundle, host_of: HostOf, tier: str, steps: int
) -> None:
    """Both programs and the sampler after them, given what was said before."""
    found = text(host_of(bundle, tier), GREEDY, steps)
    assert len(found) == COUNT
    witness = host_of(bundle, "numpy")
    witness.start(GREEDY)
    witness.prefill(PROMPT)
    for token in found:
        logits = witness.logits()
        assert logits.max() - logits[token] <= NEAR * np.sqrt(np.mean(logits**2))
        witness.decode_logits(token)
