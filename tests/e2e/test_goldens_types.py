"""Every weight type from file to logits: against llama.cpp's where there is a file of it, else the
GPU against numpy."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from mdst.bundle.reader import Bundle
from mdst.codegen.tiers import FLOAT_TIERS
from mdst.hosts.host import Host, Request

Compiled = Callable[..., Bundle]
HostOf = Callable[[Bundle, str], Host]
TinyModel = Callable[..., Path]
Rows = npt.NDArray[np.float32]

MODELS = (
    *("Q1_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K_M", "IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS"),
    *("IQ2_S", "IQ3_XXS", "IQ3_S", "IQ4_NL", "IQ4_XS", "MXFP4", "TQ1_0", "TQ2_0"),
)
BOUND = 1e-6
TIE = 1e-3
"""Logits this close may change places: which is larger is a matter of rounding."""


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


def agree(gpu: Host, numpy: Host, ids: list[int]) -> None:
    assert error(fed(gpu, ids), fed(numpy, ids)) <= BOUND
    assert error(prefilled(gpu, ids), prefilled(numpy, ids)) <= BOUND


# Both tiers meet every family of types; the kernel tests run each type on both.
GPU = [(name, FLOAT_TIERS[i % len(FLOAT_TIERS)]) for i, name in enumerate(MODELS)]


@pytest.mark.parametrize(("name", "host_name"), [*((name, "numpy") for name in MODELS), *GPU])
def test_logits_are_those_of_llama_cpp(
    shared: Path, compiled: Compiled, host_of: HostOf, name: str, host_name: str
) -> None:
    path = shared / f"goldens/models/llama-tiny.{name}.gguf"
    golden = np.load(path.with_suffix(".golden.npz"))
    prompt, greedy = golden["prompt"].tolist(), golden["greedy"].tolist()
    host = host_of(compiled(path, kv="f32"), host_name)
    rows = fed(host, prompt + greedy)
    assert error(rows[: len(prompt)], golden["logits"]) <= BOUND
    assert len(greedy) == 24
    for row, token in zip(rows[len(prompt) - 1 : -1], greedy, strict=True):
        assert row[token] >= row.max() - TIE
    assert error(prefilled(host, prompt), golden["logits"][-1]) <= BOUND


@pytest.mark.parametrize("tier", FLOAT_TIERS)
@pytest.mark.parametrize("type", ["F16", "BF16", "NVFP4"])
def test_gpu_and_numpy_agree(
    tiny_model: TinyModel, compiled: Compiled, host_of: HostOf, type: str, tier: str
) -> None:
    path = tiny_model(type=type, embedding=256, ff=256, head_dim=64, layers=1)
    bundle = compiled(path, kv="f32", context=32)
    gpu, numpy = host_of(bundle, tier), host_of(bundle, "numpy")
    agree(gpu, numpy, [1, 299, 40, 7, 130])


@pytest.mark.parametrize("tier", FLOAT_TIERS)
@pytest.mark.parametrize("type", ["IQ1_M", "IQ3_S", "TQ1_0"])
def test_slices(
    tiny_model: TinyModel, compiled: Compiled, host_of: HostOf, type: str, tier: str
) -> None:
    """Table, gate and up are cut into row ranges, each with its own code book."""
    shape = {"embedding": 256, "ff": 1280, "vocabulary": 1500, "head_dim": 64, "layers": 1}
    bundle = compiled(tiny_model(type=type, **shape), kv="f32", context=32, max_binding=64 << 10)
    assert len(json.loads(bundle.text("graph.json"))["tensors"]["token_embd.weight"]) > 1
    agree(host_of(bundle, tier), host_of(bundle, "numpy"), [0, 1499, 700, 40, 800])
