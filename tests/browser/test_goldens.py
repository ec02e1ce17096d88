"""GGUF file → bundle → Chromium: logits against llama.cpp's, texts against the wgpu host's."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest

from mdst.bundle.reader import Bundle
from mdst.hosts.generate import generate
from mdst.hosts.host import Host, Request
from mdst.sampling import SamplingParams
from mdst.text import Tokenizer

if TYPE_CHECKING:
    from playwright.sync_api import Page

Compiled = Callable[..., Bundle]
HostOf = Callable[[Bundle, str], Host]
Array = npt.NDArray[np.float32]

MODELS = [
    *(f"llama-tiny.{type}" for type in ("Q8_0", "Q4_0", "Q4_K_M", "Q5_K_M", "Q6_K")),
    "qwen2-tiny.Q8_0",
    "qwen3-tiny.Q8_0",
]
BOUND = 1e-6
INT8_BOUND = 1.5e-3
INT8_BOUND_AT_ONE = 6e-3
"""Where activations are rounded to 8 bits: over all positions together, and at any one."""
TIE = 1e-3
"""Logits this close may change places: which is larger is a matter of rounding."""


@dataclass(frozen=True)
class Loaded:
    """A golden model in a page: what is expected of it, and where it can be asked."""

    bundle: Bundle
    tier: str
    page: Page
    prompt: list[int]
    greedy: list[int]
    logits: Array

    @property
    def rounds(self) -> bool:
        return self.tier == "dp4a"

    @property
    def bound(self) -> float:
        return INT8_BOUND if self.rounds else BOUND

    def rows(self, ids: list[int], **options: Any) -> Array:
        packed = self.page.evaluate("([ids, options]) => logits(ids, options)", [ids, options])
        return np.frombuffer(base64.b64decode(packed), "<f4").reshape(-1, self.logits.shape[1])


def error(found: Array, expected: Array) -> float:
    difference = found.astype(np.float64) - expected
    return float(np.sum(difference**2) / np.sum(expected.astype(np.float64) ** 2))


MORE_TYPES = [f"llama-tiny.{type}" for type in ("Q3_K_M", "IQ2_XS", "IQ3_S", "TQ1_0", "MXFP4")]
CASES = [
    *((model, tier) for model in MODELS for tier in ("subgroups", "base")),
    *((model, "subgroups") for model in MORE_TYPES),
    *((model, "dp4a") for model in ("llama-tiny.Q4_K_M", "qwen3-tiny.Q8_0")),
]


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def loaded(
    request: pytest.FixtureRequest,
    shared: Path,
    compiled: Compiled,
    serve: Callable[..., str],
    page_at: Callable[..., AbstractContextManager[Page]],
) -> Iterator[Loaded]:
    name, tier = request.param
    folder = shared / "goldens/models"
    golden = np.load(folder / f"{name}.golden.npz")
    prompt, greedy = ([int(id) for id in golden[key]] for key in ("prompt", "greedy"))
    bundle = compiled(folder / f"{name}.gguf", kv="f32", context=64, chunk=16)
    with page_at(serve(bundle.path)) as page:
        stats = page.evaluate("tier => start({ tier })", tier)
        assert stats["tier"] == tier
        assert stats["refused"] == []
        yield Loaded(bundle, tier, page, prompt, greedy, golden["logits"])


def test_logits_are_those_of_llama_cpp(loaded: Loaded) -> None:
    count = len(loaded.prompt)
    assert len(loaded.greedy) == 24
    rows = loaded.rows([*loaded.prompt, *loaded.greedy])
    assert error(rows[:count], loaded.logits) <= loaded.bound
    if loaded.rounds:
        pairs = zip(rows[:count], loaded.logits, strict=True)
        assert max(error(row, wanted) for row, wanted in pairs) <= INT8_BOUND_AT_ONE
        return
    for row, token in zip(rows[count - 1 : -1], loaded.greedy, strict=True):
        assert row[token] >= row.max() - TIE


def test_a_prompt_in_chunks(loaded: Loaded) -> None:
    assert len(loaded.prompt) > loaded.bundle.manifest.context.chunk
    rows = loaded.rows(loaded.prompt, prefill=True)
    assert len(rows) == 1
    bound = INT8_BOUND_AT_ONE if loaded.rounds else BOUND
    assert error(rows[0], loaded.logits[-1]) <= bound


def test_the_text_is_that_of_wgpu(loaded: Loaded, host_of: HostOf) -> None:
    if loaded.rounds:
        return the_text_is_what_the_logits_say(loaded)
    host = host_of(loaded.bundle, loaded.tier)
    host.start(Request(SamplingParams(temperature=0)))
    expected = list(chain.from_iterable(generate(host, loaded.prompt, 24, 8)))
    request = {
        "prompt": loaded.prompt,
        "temperature": 0,
        "ignore_eos": True,
        "max_tokens": len(expected),
    }
    choice = loaded.page.evaluate("request => create(request)", request)["choices"][0]
    assert choice["tokens"] == expected
    assert choice["text"] == Tokenizer(loaded.bundle.vocabulary()).decode_text(expected)
    assert choice["finish_reason"] == "length"


def the_text_is_what_the_logits_say(loaded: Loaded) -> None:
    """Where activations are rounded a sum's last bit may change how, so that devices differ."""
    request = {"prompt": loaded.prompt, "temperature": 0, "ignore_eos": True, "max_tokens": 24}
    tokens = loaded.page.evaluate("request => create(request)", request)["choices"][0]["tokens"]
    assert len(tokens) == 24
    rows = loaded.rows([*loaded.prompt, *tokens[:-1]], last=24)
    for row, token in zip(rows, tokens, strict=True):
        assert row[token] >= row.max() - 0.2 * row.std()
