"""Chromium without WebGPU: the same bundle, logits and texts by WebAssembly."""

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

if TYPE_CHECKING:
    from playwright.sync_api import Page

Array = npt.NDArray[np.float32]

NO_WEBGPU = "delete Navigator.prototype.gpu;"
CASES = [
    ("llama-tiny.Q4_K_M", "base", 1),
    ("llama-tiny.Q8_0", "base-threads", 2),
    ("qwen3-tiny.Q8_0", "base-threads", 3),
    ("llama-tiny.Q4_0", "relaxed-threads", 2),
    ("qwen2-tiny.Q8_0", "relaxed", 1),
]
BOUND = {"base": 1e-6, "relaxed": 1.5e-3}
TIE = {"base": 1e-3, "relaxed": 0.5}
"""Logits this close may change places: by rounding, and by activations of 8 bits."""


@dataclass(frozen=True)
class Loaded:
    """A golden model in a page, with the float32 logits [prompt, vocabulary] of llama.cpp."""

    bundle: Bundle
    module: str
    threads: int
    page: Page
    prompt: list[int]
    greedy: list[int]
    logits: Array

    def rows(self, ids: list[int], **options: Any) -> Array:
        packed = self.page.evaluate("([ids, options]) => logits(ids, options)", [ids, options])
        return np.frombuffer(base64.b64decode(packed), "<f4").reshape(-1, self.logits.shape[1])


def error(found: Array, expected: Array) -> float:
    difference = found.astype(np.float64) - expected
    return float(np.sum(difference**2) / np.sum(expected.astype(np.float64) ** 2))


@pytest.fixture(scope="module", params=CASES, ids=lambda case: "-".join(map(str, case)))
def loaded(
    request: pytest.FixtureRequest,
    shared: Path,
    compiled: Callable[..., Bundle],
    serve: Callable[..., str],
    page_at: Callable[..., AbstractContextManager[Page]],
) -> Iterator[Loaded]:
    name, module, threads = request.param
    folder = shared / "goldens/models"
    golden = np.load(folder / f"{name}.golden.npz")
    prompt, greedy = ([int(id) for id in golden[key]] for key in ("prompt", "greedy"))
    bundle = compiled(folder / f"{name}.gguf", kv="f32", context=64, chunk=16)
    with page_at(serve(bundle.path, csp=True), NO_WEBGPU) as page:
        options = {"device": "wasm", "tier": module, "threads": threads}
        stats = page.evaluate("options => start(options)", options)
        assert (stats["device"], stats["tier"], stats["threads"]) == ("wasm", module, threads)
        assert stats["adapter"] is stats["notice"] is None
        assert stats["worker"]
        assert stats["memory"]["total"] >= sum(b.size for b in bundle.manifest.buffers[:2])
        yield Loaded(bundle, module, threads, page, prompt, greedy, golden["logits"])


def kind(loaded: Loaded) -> str:
    return loaded.module.removesuffix("-threads")


def test_logits_are_those_of_llama_cpp(loaded: Loaded) -> None:
    count = len(loaded.prompt)
    rows = loaded.rows([*loaded.prompt, *loaded.greedy])
    assert error(rows[:count], loaded.logits) <= BOUND[kind(loaded)]
    for row, token in zip(rows[count - 1 : -1], loaded.greedy, strict=True):
        assert row[token] >= row.max() - TIE[kind(loaded)]


def test_a_prompt_in_chunks(loaded: Loaded) -> None:
    assert len(loaded.prompt) > loaded.bundle.manifest.context.chunk
    rows = loaded.rows(loaded.prompt, prefill=True)
    assert len(rows) == 1
    assert error(rows[0], loaded.logits[-1]) <= 4 * BOUND[kind(loaded)]


def test_the_text_is_that_of_wasmtime(
    loaded: Loaded, host_of: Callable[[Bundle, str], Host]
) -> None:
    suffix = f"-threads-{loaded.threads}" if loaded.threads > 1 else ""
    host = host_of(loaded.bundle, f"wasm-{kind(loaded)}{suffix}")
    sampling = SamplingParams(temperature=0.8, top_k=30, top_p=0.95, seed=11)
    host.start(Request(sampling))
    expected = list(chain.from_iterable(generate(host, loaded.prompt, 24, 8)))
    request = {
        "prompt": loaded.prompt,
        "temperature": 0.8,
        "top_k": 30,
        "top_p": 0.95,
        "seed": 11,
        "ignore_eos": True,
        "max_tokens": len(expected),
    }
    answer = loaded.page.evaluate("request => create(request)", request)
    assert answer["choices"][0]["tokens"] == expected
    again = loaded.page.evaluate("request => create(request)", {**request, "steps": 3})
    assert again["choices"][0]["tokens"] == expected
    cached = again["usage"]["prompt_tokens_details"]["cached_tokens"]
    assert cached == len(loaded.prompt) - 1
