"""The matvec_int8 kernel against float64 on the values that records mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mdst.codegen.kernels.emit import Emit
from mdst.codegen.kernels.matvec_int8 import MatVecInt8
from mdst.codegen.templates import render
from mdst.codegen.tiers import INT8_TIERS
from mdst.errors import InternalError
from mdst.hosts.wgpu_device import Device
from mdst.quant.interleave import interleave
from mdst.quant.layout import FORMATS
from mdst.quant.records import mean_square, quantise, record_words, values
from mdst.validate.case import state_words
from mdst.validate.reference.matmul import Matrix, matmul

FLOATS = ("F32", "F16", "BF16")
TYPES = [type.name for type in FORMATS if type.name not in FLOATS]
GUARD = np.float32(777.0)
EPSILON = 1e-5

Floats = npt.NDArray[np.float64]
Words = npt.NDArray[np.uint32]
int8_tiers = pytest.mark.parametrize("device", INT8_TIERS, indirect=True)


def nmse(got: npt.NDArray[Any], want: Floats) -> float:
    return float(np.sum((got.astype(np.float64) - want) ** 2) / np.sum(want**2))


def run(
    device: Device,
    params: MatVecInt8,
    weights: Words,
    records: Words,
    residual: npt.NDArray[np.float32] | None = None,
    gamma: npt.NDArray[np.float32] | None = None,
    state: Mapping[str, int] | None = None,
) -> tuple[npt.NDArray[np.float32], Words]:
    """(out [N], words of the records that are left); what lies behind out must be as before."""
    blocks = params.emit.blocks if params.emit else 0
    out = np.full(params.outputs + 8, GUARD, np.float32)
    data: Mapping[str, npt.NDArray[Any] | None] = {
        "state": state_words(**{"n_tokens": 1, **(state or {})}).data(),
        "w": weights,
        "x": records,
        "residual": residual,
        "out": out,
        "gamma": gamma,
        "record": np.full(record_words(32 * blocks), 0xABCD, np.uint32),
    }
    given = {name: content for name, content in data.items() if content is not None}
    found = device.run(render(params, device.tier), given, params.grid(device.tier, 1))
    got = found["out"].view(np.float32) if params.plain else out
    assert (got[params.outputs : out.size] == GUARD).all()
    record = found["record"].view(np.uint32) if params.emit else np.empty(0, np.uint32)
    return got[: params.outputs], record[: record_words(32 * blocks)]


def expected(
    records: Words,
    matrices: list[Matrix],
    norm: float | None = None,
    residual: npt.NDArray[np.float32] | None = None,
    *,
    gated: bool = False,
) -> Floats:
    x = values(records).astype(np.float64)
    if norm is not None:
        x = x / np.sqrt(mean_square(records).astype(np.float64) + norm)
    added = None if residual is None else residual[None].astype(np.float64)
    [out] = matmul(x, matrices, gated=gated, residual=added)
    return np.asarray(out)


def random_records(rng: np.random.Generator, width: int) -> Words:
    """Of a vector whose blocks are of different sizes, one of several zeros."""
    x = rng.standard_normal((width // 32, 32)) * 4.0 ** rng.uniform(-2, 2, (width // 32, 1))
    if width > 32:
        x[rng.integers(width // 32)] = 0
    return quantise(x.astype(np.float32).reshape(1, -1), rng.standard_normal(width, np.float32))


@int8_tiers
@pytest.mark.parametrize("type", TYPES)
def test_every_type(
    device: Device, rng: np.random.Generator, lay_out: Any, fill_all: Any, type: str
) -> None:
    parts = lay_out((type, 37, 1280))
    weights, matrices = fill_all(parts)
    records = random_records(rng, 1280)
    got, _ = run(device, MatVecInt8.plan(parts), weights, records)
    assert nmse(got, expected(records, matrices)) <= 1e-10


@int8_tiers
@pytest.mark.parametrize("cols", [32, 1024, 1056, 4000])
def test_rows_of_any_number_of_blocks(
    device: Device, rng: np.random.Generator, lay_out: Any, fill_all: Any, cols: int
) -> None:
    """Lanes without a chunk in the last step, and rows of one step or none but a last."""
    parts = lay_out(("Q4_0", 9, cols), ("Q8_0", 70, cols))
    weights, matrices = fill_all(parts)
    records = random_records(rng, cols)
    got, _ = run(device, MatVecInt8.plan(parts, norm=EPSILON), weights, records)
    assert nmse(got, expected(records, matrices, EPSILON)) <= 1e-10


@int8_tiers
@pytest.mark.parametrize("norm", [None, EPSILON])
def test_mixed_parts_with_everything_before_and_after(
    device: Device, rng: np.random.Generator, lay_out: Any, fill_all: Any, norm: float | None
) -> None:
    shapes = [("Q4_K", 37, 768), ("IQ4_XS", 5, 768), ("Q6_K", 64, 768), ("Q8_0", 1, 768)]
    parts = lay_out(*shapes, bias=(0, 2, 3), scale=(1, 2))
    weights, matrices = fill_all(parts)
    records = random_records(rng, 768)
    residual = rng.standard_normal(107, np.float32)
    params = MatVecInt8.plan(parts, norm=norm, residual=True)
    got, _ = run(device, params, weights, records, residual)
    assert nmse(got, expected(records, matrices, norm, residual)) <= 1e-10


@int8_tiers
@pytest.mark.parametrize("rows", [32, 41])
@pytest.mark.parametrize(("gate", "up"), [("Q4_K", "Q6_K"), ("IQ2_XXS", "IQ2_XXS")])
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
    records = random_records(rng, 512)
    params = MatVecInt8.plan(parts, norm=EPSILON, glu="silu")
    got, _ = run(device, params, weights, records)
    assert nmse(got, expected(records, matrices, EPSILON, gated=True)) <= 1e-10


@int8_tiers
@pytest.mark.parametrize("cols", [32, 256, 1056, 4096])
@pytest.mark.parametrize("gated", [False, True])
def test_values_become_records_inside(
    device: Device, rng: np.random.Generator, lay_out: Any, fill_all: Any, cols: int, gated: bool
) -> None:
    """Exactly those of quant/records.py, but for a code that rounds the other way."""
    parts = lay_out(
        *([("Q8_0", 64, cols)] * 2 if gated else [("Q4_0", 9, cols), ("Q8_0", 70, cols)])
    )
    weights, matrices = fill_all(parts)
    x, gamma = rng.standard_normal((2, cols), np.float32)
    if cols > 32:
        x[:32] = 0
    params = MatVecInt8.plan(
        parts,
        norm=EPSILON,
        glu="silu" if gated else None,
        emit=Emit(2) if gated else None,
        own_gamma=weights.nbytes // 16,
    )
    together = np.concatenate([weights.view(np.uint32), gamma.view(np.uint32)])
    got, _ = run(device, params, together, x.view(np.uint32))
    want = expected(quantise(x[None], gamma), matrices, EPSILON, gated=gated)
    assert nmse(got, want) <= 1e-6


def meaning(record: Words, first: int, count: int) -> tuple[Floats, Floats]:
    """Values and squares of `count` blocks from `first` on; all others are as they were."""
    runs = record.reshape(3, -1, 4)
    others = np.ones(runs.shape[1], bool)
    others[first : first + count] = False
    assert (runs[:, others] == 0xABCD).all()
    mine = np.ascontiguousarray(runs[:, first : first + count])
    numbers = mine[2].view(np.float32)
    codes = np.stack([mine[0], mine[1]], axis=1).view(np.int8).reshape(count, 2, 16)
    sums = codes.sum(axis=2) * numbers[:, :1]
    np.testing.assert_allclose(numbers[:, 1:3], sums, rtol=1e-6, atol=1e-30)
    return values(mine.reshape(1, -1))[0].astype(np.float64), numbers[:, 3].astype(np.float64)


@int8_tiers
@pytest.mark.parametrize(
    ("gated", "gamma", "plain"),
    [
        (False, None, True),
        (False, "plain", True),
        (False, "interleaved", False),
        (True, None, False),
        (True, "interleaved", True),
    ],
)
def test_records_are_left(
    device: Device,
    rng: np.random.Generator,
    lay_out: Any,
    fill_all: Any,
    gated: bool,
    gamma: str | None,
    plain: bool,
) -> None:
    """A slice writes blocks 2, 3 and 4 of seven."""
    shapes = [("Q4_K", 96, 256), ("Q5_K", 96, 256)]
    parts = lay_out(*shapes[: 1 + gated], bias=(0,))
    weights, matrices = fill_all(parts)
    records, residual = random_records(rng, 256), rng.standard_normal(96, np.float32)
    vector = rng.standard_normal(7 * 32, np.float32)
    stored = interleave(vector) if gamma == "interleaved" else vector
    offset = None if gamma is None else 12
    emit = Emit(7, 2, offset, interleaved=gamma == "interleaved")
    params = MatVecInt8.plan(
        parts, residual=True, glu="silu" if gated else None, plain=plain, emit=emit
    )
    binding = None if gamma is None else np.concatenate([np.full(12, GUARD, np.float32), stored])
    got, record = run(device, params, weights, records, residual, binding)
    want = expected(records, matrices, residual=residual, gated=gated)
    if plain:
        assert nmse(got, want) <= 1e-10
    scaled = want if gamma is None else want * vector[64:160]
    found, squares = meaning(record, 2, 3)
    steps = np.abs(scaled.reshape(3, 32)).max(axis=1, keepdims=True) / 127
    assert (np.abs(found - scaled).reshape(3, 32) <= 0.51 * steps).all()
    sums = (want.reshape(3, 32) ** 2).sum(axis=1)
    np.testing.assert_allclose(squares, sums if gamma else np.zeros(3), rtol=1e-4)


@int8_tiers
def test_outputs_of_zero_leave_zero_records(device: Device, lay_out: Any, fill_all: Any) -> None:
    parts = lay_out(("Q8_0", 64, 64))
    weights, _ = fill_all(parts)
    params = MatVecInt8.plan(parts, emit=Emit(2))
    got, record = run(device, params, weights, quantise(np.zeros((1, 64), np.float32)))
    assert not got.any()
    assert not record.any()


@int8_tiers
@pytest.mark.parametrize("state", [{"done": 1}, {"n_tokens": 0}])
def test_nothing_is_written_when_there_is_nothing_to_do(
    device: Device, lay_out: Any, fill_all: Any, state: dict[str, int]
) -> None:
    parts = lay_out(("Q8_0", 32, 32))
    weights, _ = fill_all(parts)
    params = MatVecInt8.plan(parts, emit=Emit(1))
    records = quantise(np.ones((1, 32), np.float32))
    got, record = run(device, params, weights, records, state=state)
    assert (got == GUARD).all()
    assert (record == 0xABCD).all()


@int8_tiers
def test_grid_of_two_dimensions(
    device: Device, rng: np.random.Generator, lay_out: Any, fill_all: Any
) -> None:
    """More workgroups than one dimension of a grid has."""
    parts = lay_out(("Q4_0", 65_600, 32))
    weights, matrices = fill_all(parts)
    records = random_records(rng, 32)
    params = replace(MatVecInt8.plan(parts), rows=1)
    assert params.grid(device.tier, 1)[1] == 2
    got, _ = run(device, params, weights, records)
    assert nmse(got, expected(records, matrices)) <= 1e-10


@pytest.mark.parametrize("type", FLOATS)
def test_float_weights_have_no_codes(lay_out: Any, type: str) -> None:
    with pytest.raises(InternalError, match="no integer codes"):
        render(MatVecInt8.plan(lay_out((type, 8, 64))), "dp4a")


def test_records_are_of_whole_blocks(lay_out: Any) -> None:
    params = MatVecInt8.plan(lay_out(("Q8_0", 40, 64)), emit=Emit(2))
    with pytest.raises(InternalError, match="whole blocks"):
        render(params, "dp4a")
