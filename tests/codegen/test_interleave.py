"""Kernels with vectors in interleaved order: the same numbers at other places."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mdst.codegen.kernels import AttentionReduce, Embed, KvCache, MatVec, Norm, RmsNorm
from mdst.codegen.templates import render
from mdst.hosts.wgpu_device import Device
from mdst.quant.interleave import deinterleave, interleave, interleaved_index
from mdst.validate.case import Case, state_words
from mdst.validate.cases import attention_reduce, embed, matvec, rms_norm
from mdst.validate.cases.weights import part_end


def test_order(rng: np.random.Generator) -> None:
    values = rng.standard_normal(96)
    moved = interleave(values)
    assert (deinterleave(moved) == values).all()
    assert [moved[interleaved_index(i, 96)] for i in range(96)] == values.tolist()
    assert moved[:12].tolist() == [*values[:4], *values[32:36], *values[64:68]]


@pytest.mark.parametrize("names", ["x", "gamma", "residual", "out", "x gamma residual out"])
def test_matvec_gives_the_same_in_any_order(
    device: Device, rng: np.random.Generator, lay_out: Any, fill_all: Any, names: str
) -> None:
    cols, rows = 256, 64
    parts = lay_out(("Q8_0", rows, cols))
    w, _ = fill_all(parts)
    offset = -(-w.size // 4)
    w = np.concatenate([np.resize(w, 4 * offset), np.zeros(cols, np.uint32)])
    gamma, x = (rng.standard_normal(cols).astype(np.float32) for _ in range(2))
    residual = rng.standard_normal(rows).astype(np.float32)
    plain = MatVec.plan(parts, norm=Norm(offset, 1e-5), residual=True)
    results = []
    for params in (plain, replace(plain, interleaved=frozenset(names.split()))):
        given = {"x": x, "gamma": gamma, "residual": residual}
        moved = {n: interleave(v) if n in params.interleaved else v for n, v in given.items()}
        w[4 * offset :] = moved.pop("gamma").view(np.uint32)
        data = {
            "state": state_words(n_tokens=1).data(),
            "w": w,
            **moved,
            "out": np.zeros(rows, np.float32),
        }
        kernel = render(params, device.tier)
        out = device.run(kernel, data, params.grid(device.tier, 1))["out"].view(np.float32)
        results.append(deinterleave(out) if "out" in params.interleaved else out)
    np.testing.assert_array_equal(results[0], results[1])


def _cases(lay_out: Any) -> list[tuple[Any, Any]]:
    parts = lay_out(("Q4_K", 64, 512), ("Q6_K", 32, 512))
    cache = KvCache(2, 32, 80, 64, "f16")
    everything = frozenset({"x", "gamma", "residual", "out"})
    table = lay_out(("Q8_0", 40, 96))[0]
    behind = Norm(part_end(parts[-1]) // 16, 1e-5)
    norm = MatVec.plan(parts, norm=behind, residual=True, interleaved=everything)
    return [
        (norm, matvec.case),
        (Embed(((0, table),), 40, 96, 64, interleaved=True), embed.case),
        (AttentionReduce(4, cache, 16, 8, interleaved=True), attention_reduce.case),
        (RmsNorm(96, 1e-5, 2, interleaved=True), rms_norm.case),
    ]


@pytest.mark.parametrize("number", range(4))
def test_cases_know_the_order(device: Device, case_error: Any, lay_out: Any, number: int) -> None:
    params, make = _cases(lay_out)[number]
    case: Case = make(params, device.tier, 1)
    assert case_error(params, case) <= case.tolerance
    with_other_order = replace(
        params, interleaved=frozenset() if isinstance(params, MatVec) else False
    )
    assert case_error(with_other_order, case) > case.tolerance
