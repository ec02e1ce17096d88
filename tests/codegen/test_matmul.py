"""The matmul kernel against float64, for every weight type, option and number of tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mdst.codegen.kernels.matmul import MatMul
from mdst.codegen.templates import render
from mdst.errors import InternalError
from mdst.hosts.wgpu_device import Device
from mdst.quant.layout import FORMATS
from mdst.validate.case import state_words
from mdst.validate.cases.matmul import case
from mdst.validate.reference.matmul import matmul

TYPES = [type.name for type in FORMATS]
GUARD = np.float32(777.0)

Floats = npt.NDArray[np.float64]


def nmse(got: npt.NDArray[Any], want: Floats) -> float:
    return float(np.sum((got.astype(np.float64) - want) ** 2) / np.sum(want**2))


def run(
    device: Device,
    params: MatMul,
    weights: npt.NDArray[np.uint32],
    x: npt.NDArray[np.float32],
    residual: npt.NDArray[np.float32] | None = None,
    *,
    n_tokens: int,
    done: int = 0,
) -> npt.NDArray[np.float32]:
    """out [n_tokens, N]; later rows and the columns beyond N must be as before."""
    out = np.full((len(x), params.out_stride), GUARD, np.float32)
    data: Mapping[str, npt.NDArray[Any]] = {
        "state": state_words(n_tokens=n_tokens, done=done).data(),
        "w": weights,
        "x": x,
        **({"residual": residual} if residual is not None else {}),
        "out": out,
    }
    kernel = render(params, device.tier)
    raw = device.run(kernel, data, params.grid(device.tier, len(x)))["out"].view(np.float32)
    got = raw[: out.size].reshape(out.shape)
    assert (raw[out.size :] == 0).all()
    assert (got[n_tokens:] == GUARD).all()
    assert (got[:, params.outputs :] == GUARD).all()
    return got[:n_tokens, : params.outputs]


@pytest.mark.parametrize("rows", [3, 65])
@pytest.mark.parametrize("type", TYPES)
def test_every_type(
    device: Device, rng: np.random.Generator, lay_out: Any, fill_all: Any, type: str, rows: int
) -> None:
    parts = lay_out((type, rows, 256))
    weights, matrices = fill_all(parts)
    x = rng.standard_normal((9, 256), np.float32)
    got = run(device, MatMul.plan(parts, 9), weights, x, n_tokens=7)
    assert nmse(got, matmul(x[:7].astype(np.float64), matrices)) <= 1e-10


@pytest.mark.parametrize("tile_rows", [32, 64])
@pytest.mark.parametrize(("n_tokens", "tile"), [(1, 8), (5, 16), (33, 32), (64, 64), (65, 64)])
def test_mixed_parts_with_everything_after(
    device: Device,
    rng: np.random.Generator,
    lay_out: Any,
    fill_all: Any,
    n_tokens: int,
    tile: int,
    tile_rows: int,
) -> None:
    shapes = [("Q4_K", 67, 256), ("F16", 3, 256), ("Q6_K", 64, 256)]
    parts = lay_out(*shapes, bias=(0, 2), scale=(1, 2))
    weights, matrices = fill_all(parts)
    x = rng.standard_normal((70, 256), np.float32)
    residual = rng.standard_normal((70, 140), np.float32)
    params = MatMul(parts, True, None, 140, tile_rows, tile)
    got = run(device, params, weights, x, residual, n_tokens=n_tokens)
    added = residual[:n_tokens, :134].astype(np.float64)
    want = matmul(x[:n_tokens].astype(np.float64), matrices, residual=added)
    assert nmse(got, want) <= 1e-10


@pytest.mark.parametrize("tile_rows", [32, 64])
def test_gated(
    device: Device, rng: np.random.Generator, lay_out: Any, fill_all: Any, tile_rows: int
) -> None:
    parts = lay_out(("Q5_K", 37, 512), ("Q4_0", 37, 512), bias=(1,), scale=(0, 1))
    weights, matrices = fill_all(parts)
    x = rng.standard_normal((12, 512), np.float32)
    params = replace(MatMul.plan(parts, 12, glu="silu"), tile_rows=tile_rows)
    got = run(device, params, weights, x, n_tokens=11)
    want = matmul(x[:11].astype(np.float64), matrices, gated=True)
    assert nmse(got, want) <= 1e-10


def test_nothing_is_written_after_the_end(device: Device, lay_out: Any, fill_all: Any) -> None:
    parts = lay_out(("Q8_0", 5, 32))
    weights, _ = fill_all(parts)
    got = run(
        device, MatMul.plan(parts, 2), weights, np.ones((2, 32), np.float32), n_tokens=2, done=1
    )
    assert (got == GUARD).all()


def _whole(lay_out: Any, **options: Any) -> MatMul:
    parts = lay_out(("Q4_K", 67, 256), ("Q8_0", 67, 256), bias=(0, 1), scale=(0, 1))
    return MatMul.plan(parts, 16, **options)


@pytest.mark.parametrize("tokens", [1, 2, 16, 40])
@pytest.mark.parametrize("options", [{"residual": True, "out_stride": 201}, {"glu": "silu"}])
def test_case_passes(
    case_error: Any, device: Device, lay_out: Any, options: Any, tokens: int
) -> None:
    params = _whole(lay_out, **options)
    known = case(params, device.tier, tokens)
    assert case_error(params, known) <= known.tolerance


@pytest.mark.parametrize("part", [0, 1])
@pytest.mark.parametrize("missing", [{"bias": None}, {"scale": None}])
@pytest.mark.parametrize("options", [{"residual": True}, {"glu": "silu"}])
def test_case_finds_what_is_missing(
    case_error: Any, device: Device, lay_out: Any, options: Any, missing: Any, part: int
) -> None:
    params = _whole(lay_out, **options)
    parts = list(params.parts)
    parts[part] = replace(parts[part], **missing)
    known = case(params, device.tier, 16)
    assert case_error(replace(params, parts=tuple(parts)), known) > known.tolerance


@pytest.mark.parametrize("changes", [{"out_stride": 135}, {"tile_rows": 32}, {"tile_tokens": 8}])
def test_case_finds_what_is_wrong(
    case_error: Any, device: Device, lay_out: Any, changes: Any
) -> None:
    """Smaller tiles in the grid of larger ones leave rows or tokens out."""
    params = replace(_whole(lay_out), tile_rows=64, tile_tokens=16)
    known = case(params, device.tier, 18)
    assert case_error(replace(params, **changes), known) > known.tolerance


@pytest.mark.parametrize(
    ("rows", "tokens", "tile"),
    [(64, 1, (32, 8)), (4096, 512, (64, 64)), (2048, 128, (32, 32)), (28_672, 512, (64, 64))],
)
def test_plan(lay_out: Any, rows: int, tokens: int, tile: tuple[int, int]) -> None:
    params = MatMul.plan(lay_out(("Q8_0", rows, 2048)), tokens)
    assert (params.tile_rows, params.tile_tokens) == tile


def test_outputs_of_a_token_must_fit_their_stride(lay_out: Any) -> None:
    params = MatMul.plan(lay_out(("F16", 8, 32)), 8, out_stride=4)
    with pytest.raises(InternalError, match="run into the next"):
        render(params, "base")
