"""The model in examples/storyteller: what it says to chat requests, the same on every host, and how
well it goes on when its window slides."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pytest

from mdst.bundle.reader import Bundle
from mdst.codegen.tiers import FLOAT_TIERS, INT8_TIERS
from mdst.hosts.generate import generate
from mdst.hosts.host import END, Host, Request
from mdst.sampling import SamplingParams
from mdst.text import Tokenizer, chat

FOLDER = Path(__file__).parents[2] / "examples/storyteller"
STORYTELLER = FOLDER / "storyteller.gguf"

Compiled = Callable[..., Bundle]
HostOf = Callable[[Bundle, str], Host]

GREEDY = SamplingParams(temperature=0)
DRAWN = SamplingParams(temperature=0.8, seed=11, top_p=0.95)
REQUESTS = {
    "fox": (GREEDY, ["Tell me a story about a brave fox named Ada."]),
    "capital": (GREEDY, ["What is the capital of France?"]),
    "dragon": (DRAWN, ["a sad story with a dragon and a baker"]),
    "whose name": (DRAWN, ["Tell me a story about Milo the bear.", "What was the bear's name?"]),
}
GREETINGS = ["Hello!", "Tell me a story.", "Who are you?", "Write a poem about the sea."]


def answers(bundle: Bundle, host: Host, sampling: SamplingParams, asked: list[str]) -> list[str]:
    """A conversation's answers of at most 60 tokens each."""
    tokenizer = Tokenizer(bundle.vocabulary())
    messages: list[dict[str, str]] = []
    said: list[str] = []
    for text in asked:
        messages.append({"role": "user", "content": text})
        values = {"messages": messages, "add_generation_prompt": True}
        values |= chat.special_texts(tokenizer)
        prompt = chat.chat_ids(tokenizer, chat.render_chat(bundle.chat_templates(), values))
        host.start(Request(sampling, tokenizer.vocabulary.end_ids))
        said.append(tokenizer.decode_text(chain.from_iterable(generate(host, prompt, 60, 8))))
        messages.append({"role": "assistant", "content": said[-1]})
    return said


@pytest.fixture(scope="module")
def said(compiled: Compiled, host_of: HostOf) -> dict[str, list[str]]:
    """What numpy's host answers."""
    bundle = compiled(STORYTELLER)
    host = host_of(bundle, "numpy")
    return {name: answers(bundle, host, *request) for name, request in REQUESTS.items()}


@pytest.mark.parametrize("name", REQUESTS)
def test_known_answers(
    said: dict[str, list[str]], golden: Callable[[str], None], name: str
) -> None:
    asked = REQUESTS[name][1]
    golden("".join(f"> {q}\n\n{a}\n\n" for q, a in zip(asked, said[name], strict=True)))


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("host_name", [*FLOAT_TIERS, "wasm-base"])
def test_hosts_say_the_same(
    compiled: Compiled, host_of: HostOf, said: dict[str, list[str]], host_name: str, name: str
) -> None:
    bundle = compiled(STORYTELLER)
    assert answers(bundle, host_of(bundle, host_name), *REQUESTS[name]) == said[name]


def test_it_ends_by_itself(compiled: Compiled, host_of: HostOf) -> None:
    bundle = compiled(STORYTELLER)
    tokenizer = Tokenizer(bundle.vocabulary())
    host = host_of(bundle, "wasm-base")
    for text in GREETINGS:
        values = {"messages": [{"role": "user", "content": text}], "add_generation_prompt": True}
        values |= chat.special_texts(tokenizer)
        prompt = chat.chat_ids(tokenizer, chat.render_chat(bundle.chat_templates(), values))
        host.start(Request(GREEDY, tokenizer.vocabulary.end_ids))
        made = list(chain.from_iterable(generate(host, prompt, 600, 8)))
        assert 3 < len(made) < 600
        assert host.done == END


def conversations(tokenizer: Tokenizer, count: int, seed: int) -> list[int]:
    """`count` tokens of conversations that the recipe makes, each begun as in training."""
    made = subprocess.run(
        [sys.executable, FOLDER / "chat.py", "--count", "60", "--seed", str(seed)],
        capture_output=True,
        text=True,
        check=True,
    )
    ids: list[int] = []
    for text in made.stdout.strip().split("<|end|>\n\n"):
        whole = f"<|begin|>{text.replace('<|end|>' + chr(10), '<|end|>')}<|end|>"
        ids += tokenizer.encode(whole, add_special=False, parse_special=True)
    assert len(ids) >= count
    return ids[:count]


def test_perplexity_past_the_context(
    compiled: Compiled, host_of: HostOf, rng: np.random.Generator
) -> None:
    """It stays within 10 % of that inside, over three windows of fresh conversations."""
    bundle = compiled(STORYTELLER)
    window = bundle.manifest.context.window
    ids = conversations(Tokenizer(bundle.vocabulary()), 3 * window, int(rng.integers(1 << 30)))
    host = host_of(bundle, "wasm-base")
    host.start(Request(slide=True, sinks=4))
    losses = np.empty(len(ids) - 1)
    for i, (id, following) in enumerate(pairwise(ids)):
        logits = host.decode_logits(id).astype(np.float64)
        losses[i] = np.logaddexp.reduce(logits) - logits[following]
    inside, past = np.exp(losses[:window].mean()), np.exp(losses[window:].mean())
    assert 1 < inside < 2
    assert past < 1.1 * inside


@pytest.mark.parametrize("tier", INT8_TIERS)
def test_int8_wants_the_same_tokens(compiled: Compiled, host_of: HostOf, tier: str) -> None:
    """Which token is best after each of a conversation: 8-bit activations rarely change that."""
    bundle = compiled(STORYTELLER)
    ids = conversations(Tokenizer(bundle.vocabulary()), 250, 5)
    hosts = [host_of(bundle, name) for name in ("numpy", tier)]
    for host in hosts:
        host.start(Request())
    best = np.array([[host.decode_logits(id).argmax() for host in hosts] for id in ids])
    assert np.mean(best[:, 0] == best[:, 1]) >= 0.97
