"""The matmul_int8 kernel against float64 on the values that records mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mdst.codegen.kernels.matmul_int8 import MatMulInt8
from mdst.codegen.templates import render
from mdst.codegen.tiers import INT8_TIERS
from mdst.errors import InternalError
from mdst.hosts.wgpu_device import Device
from mdst.quant.layout import FORMATS
from mdst.quant.records import quantise, values
from mdst.validate.case import state_words
from mdst.validate.cases.matmul_int8 import case
from mdst.validate.reference.matmul import Matrix, matmul

FLOATS = ("F32", "F16", "BF16")
TYPES = [type.name for type in FORMATS if type.name not in FLOATS]
GUARD = np.float32(777.0)

Floats = npt.NDArray[np.float64]
Words = npt.NDArray[np.uint32]
int8_tiers = pytest.mark.parametrize("device", INT8_TIERS, indirect=True)


def nmse(got: npt.NDArray[Any], want: Floats) -> float:
    return float(np.sum((got.astype(np.float64) - want) ** 2) / np.sum(want**2))


def run(
    device: Device,
    params: MatMulInt8,
    weights: Words,
    records: Words,
    residual: npt.NDArray[np.float32] | None = None,
    *,
    n_tokens: int,
    done: int = 0,
) -> npt.NDArray[np.float32]:
    """out [n_tokens, N]; later rows and the columns beyond N must be as before."""
    out = np.full((len(records), params.out_stride), GUARD, np.float32)
    data: Mapping[str, npt.NDArray[Any]] = {
        "state": state_words(n_tokens=n_tokens, done=done).data(),
        "w": weights,
        "x": records,
        **({"residual": residual} if residual is not None else {}),
        "out": out,
    }
    kernel = render(params, device.tier)
    raw = device.run(kernel, data, params.grid(device.tier, len(records)))["out"]
    got = raw.view(np.float32)[: out.size].reshape(out.shape)
    assert (got[n_tokens:] == GUARD).all()
    assert (got[:, params.outputs :] == GUARD).all()
    return got[:n_tokens, : params.outputs]


def random_records(rng: np.random.Generator, tokens: int, width: int) -> Words:
    """Of rows whose blocks are of different sizes."""
    sizes = 4.0 ** rng.uniform(-2, 2, (tokens, width // 32, 1))
    x = rng.standard_normal((tokens, width // 32, 32)) * sizes
    return quantise(x.astype(np.float32).reshape(tokens, -1))


def expected(
    records: Words,
    matrices: list[Matrix],
    residual: npt.NDArray[np.float32] | None = None,
    *,
    gated: bool = False,
) -> Floats:
    added = None if residual is None else residual.astype(np.float64)
    return matmul(values(records).astype(np.float64), matrices, gated=gated, residual=added)


@int8_tiers
@pytest.mark.parametrize("type", TYPES)
def test_every_type(
    device: Device, rng: np.random.Generator, lay_out: Any, fill_all: Any, type: str
) -> None:
    parts = lay_out((type, 67, 512))
    weights, matrices = fill_all(parts)
    records = random_records(rng, 9, 512)
    got = run(device, MatMulInt8.plan(parts, 9), weights, records, n_tokens=7)
    assert nmse(got, expected(records[:7], matrices)) <= 1e-10


@int8_tiers
@pytest.mark.parametrize("cols", [32, 96, 160, 1056])
def test_rows_of_any_number_of_blocks(
    device: Device, rng: np.random.Generator, lay_out: Any, fill_all: Any, cols: int
) -> None:
    parts = lay_out(("Q4_1", 33, cols), ("Q8_0", 70, cols))
    weights, matrices = fill_all(parts)
    records = random_records(rng, 20, cols)
    got = run(device, MatMulInt8.plan(parts, 20), weights, records, n_tokens=19)
    assert nmse(got, expected(records[:19], matrices)) <= 1e-10


@int8_tiers
@pytest.mark.parametrize(
    ("tokens", "n_tokens"), [(1, 1), (16, 5), (70, 33), (70, 64), (70, 65), (130, 129)]
)
def test_mixed_parts_with_everything_after(
    device: Device,
    rng: np.random.Generator,
    lay_out: Any,
    fill_all: Any,
    tokens: int,
    n_tokens: int,
) -> None:
    """Parts whose rows are no whole tiles, in columns of a wider output."""
    shapes = [("Q4_K", 67, 256), ("IQ4_XS", 3, 256), ("Q6_K", 64, 256)]
    parts = lay_out(*shapes, bias=(0, 2), scale=(1, 2))
    weights, matrices = fill_all(parts)
    records = random_records(rng, tokens, 256)
    residual = rng.standard_normal((tokens, 140), np.float32)
    params = MatMulInt8.plan(parts, tokens, residual=True, out_stride=140)
    got = run(device, params, weights, records, residual, n_tokens=n_tokens)
    want = expected(records[:n_tokens], matrices, residual[:n_tokens, :134])
    assert nmse(got, want) <= 1e-10


@int8_tiers
@pytest.mark.parametrize(
    ("gate", "up", "rows"), [("Q5_K", "Q4_0", 37), ("Q2_K", "Q2_K", 64), ("IQ1_M", "Q8_0", 97)]
)
def test_gated(
    device: Device,
    rng: np.random.Generator,
    lay_out: Any,
    fill_all: Any,
    gate: str,
    up: str,
    rows: int,
) -> None:
    parts = lay_out((gate, rows, 512), (up, rows, 512), bias=(1,), scale=(0, 1))
    weights, matrices = fill_all(parts)
    records = random_records(rng, 18, 512)
    params = MatMulInt8.plan(parts, 18, glu="silu")
    got = run(device, params, weights, records, n_tokens=17)
    assert nmse(got, expected(records[:17], matrices, gated=True)) <= 1e-10


@int8_tiers
def test_many_rows_and_tokens(
    device: Device, rng: np.random.Generator, lay_out: Any, fill_all: Any
) -> None:
    """So many workgroups that the plan takes its largest tiles."""
    parts = lay_out(("Q8_0", 64 * 128 - 7, 64))
    weights, matrices = fill_all(parts)
    records = random_records(rng, 130, 64)
    params = MatMulInt8.plan(parts, 130)
    got = run(device, params, weights, records, n_tokens=129)
    assert nmse(got, expected(records[:129], matrices)) <= 1e-10


@int8_tiers
@pytest.mark.parametrize(("n_tokens", "done"), [(0, 0), (4, 1)])
def test_nothing_is_written_when_there_is_nothing_to_do(
    device: Device, rng: np.random.Generator, lay_out: Any, fill_all: Any, n_tokens: int, done: int
) -> None:
    parts = lay_out(("Q8_0", 33, 64))
    weights, _ = fill_all(parts)
    params = MatMulInt8.plan(parts, 4)
    records = random_records(rng, 4, 64)
    got = run(device, params, weights, records, n_tokens=n_tokens, done=done)
    assert (got == GUARD).all()


@int8_tiers
def test_case_finds_a_missing_bias(case_error: Any, device: Device, lay_out: Any) -> None:
    whole = MatMulInt8.plan(lay_out(("Q4_K", 67, 512), ("Q5_K", 67, 512), bias=(0, 1)), 40)
    known = case(whole, device.tier, 40)
    assert case_error(whole, known) <= known.tolerance
    without = MatMulInt8.plan(lay_out(("Q4_K", 67, 512), ("Q5_K", 67, 512), bias=(0,)), 40)
    assert case_error(without, known) > known.tolerance


@pytest.mark.parametrize("type", FLOATS)
def test_float_weights_have_no_codes(lay_out: Any, type: str) -> None:
    with pytest.raises(InternalError, match="no integer codes"):
        render(MatMulInt8.plan(lay_out((type, 8, 64)), 4), "dp4a")
