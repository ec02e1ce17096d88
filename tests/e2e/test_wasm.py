"""Every golden model through WASM: against llama.cpp's logits, and threads against one thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from mdst.bundle.reader import Bundle
from mdst.hosts.choose import open_wasm
from mdst.hosts.host import Host, Request

Compiled = Callable[..., Bundle]
HostOf = Callable[[Bundle, str], Host]
Rows = npt.NDArray[np.float32]

TYPES = (
    *("Q1_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K_M", "Q4_K_M", "Q5_K_M", "Q6_K"),
    *("IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "IQ4_NL", "IQ4_XS"),
    *("MXFP4", "TQ1_0", "TQ2_0"),
)
MODELS = [*(f"llama-tiny.{type}" for type in TYPES), "qwen2-tiny.Q8_0", "qwen3-tiny.Q8_0"]
BASE = 1e-6
RELAXED, RELAXED_ROW = 1.5e-3, 6e-3
"""Bounds of shared/goldens/README.md: floats, int8 activations over all rows and in any one."""
TIE = 1e-3


def error(found: Rows, expected: Rows) -> float:
    difference = found.astype(np.float64) - expected
    return float(np.sum(difference**2) / np.sum(expected.astype(np.float64) ** 2))


def fed(host: Host, ids: list[int]) -> Rows:
    """The logits after each of `ids`."""
    host.start(Request())
    return np.array([host.decode_logits(id) for id in ids])


def prefilled(host: Host, ids: list[int]) -> Rows:
    """The logits after the last of `ids`, by way of the prefill program."""
    host.start(Request())
    host.prefill(ids)
    return host.logits()


@pytest.mark.parametrize("name", MODELS)
def test_logits_are_those_of_llama_cpp(
    shared: Path, compiled: Compiled, host_of: HostOf, name: str
) -> None:
    path = shared / f"goldens/models/{name}.gguf"
    golden = np.load(path.with_suffix(".golden.npz"))
    prompt, greedy = golden["prompt"].tolist(), golden["greedy"].tolist()
    expected = golden["logits"]
    bundle = compiled(path, kv="f32")

    base = host_of(bundle, "wasm-base")
    rows = fed(base, prompt + greedy)
    assert error(rows[: len(prompt)], expected) <= BASE
    assert len(greedy) == 24
    for row, token in zip(rows[len(prompt) - 1 : -1], greedy, strict=True):
        assert row[token] >= row.max() - TIE
    assert error(prefilled(base, prompt), expected[-1]) <= BASE

    relaxed = host_of(bundle, "wasm-relaxed")
    rows = fed(relaxed, prompt)
    assert error(rows, expected) <= RELAXED
    assert max(map(error, rows, expected)) <= RELAXED_ROW
    assert error(prefilled(relaxed, prompt), expected[-1]) <= RELAXED_ROW


@pytest.mark.parametrize("kind", ["base", "relaxed"])
@pytest.mark.parametrize("name", ["llama-tiny.Q4_K_M", "llama-tiny.IQ3_S", "qwen3-tiny.Q8_0"])
def test_threads_do_not_show(shared: Path, compiled: Compiled, name: str, kind: str) -> None:
    path = shared / f"goldens/models/{name}.gguf"
    prompt = np.load(path.with_suffix(".golden.npz"))["prompt"].tolist()
    bundle = compiled(path, kv="f16")
    alone = open_wasm(bundle, kind)
    expected = fed(alone, prompt), prefilled(alone, prompt)
    for threads in (1, 2, 4):
        host = open_wasm(bundle, f"{kind}-threads", threads)
        found = fed(host, prompt), prefilled(host, prompt)
        host.close()
        for mine, theirs in zip(found, expected, strict=True):
            assert np.array_equal(mine, theirs)
