"""The matvec kernel against float64, for every weight type and every option."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mdst.codegen.kernels.matvec import MatVec, Norm
from mdst.codegen.templates import render
from mdst.errors import InternalError
from mdst.hosts.wgpu_device import Device
from mdst.quant.layout import FORMATS
from mdst.validate.case import state_words
from mdst.validate.cases.matvec import case
from mdst.validate.reference.matvec import matvec

TYPES = [type.name for type in FORMATS]
GUARD = np.float32(777.0)
EPSILON = 1e-5

Floats = npt.NDArray[np.float64]


def nmse(got: npt.NDArray[Any], want: Floats) -> float:
    return float(np.sum((got.astype(np.float64) - want) ** 2) / np.sum(want**2))


def run(
    device: Device,
    params: MatVec,
    weights: npt.NDArray[np.uint32],
    x: npt.NDArray[np.float32],
    residual: npt.NDArray[np.float32] | None = None,
    state: Mapping[str, int] | None = None,
) -> npt.NDArray[np.float32]:
    """out [N]; whatever lies behind it must be as before."""
    out = np.full(params.outputs + 8, GUARD, np.float32)
    data: Mapping[str, npt.NDArray[Any]] = {
        "state": state_words(**{"n_tokens": len(x), **(state or {})}).data(),
        "w": weights,
        "x": x,
        **({"residual": residual} if residual is not None else {}),
        "out": out,
    }
    kernel = render(params, device.tier)
    got = device.run(kernel, data, params.grid(device.tier, 1))["out"].view(np.float32)
    assert (got[params.outputs : out.size] == GUARD).all()
    return got[: params.outputs]


@pytest.mark.parametrize("rows", [3, 37, 65])
@pytest.mark.parametrize("type", TYPES)
def test_every_type(
    device: Device, rng: np.random.Generator, lay_out: Any, fill_all: Any, type: str, rows: int
) -> None:
    parts = lay_out((type, rows, 256 if rows < 65 else 512))
    weights, matrices = fill_all(parts)
    x = rng.standard_normal((1, parts[0].cols), np.float32)
    got = run(device, MatVec.plan(parts), weights, x)
    assert nmse(got, matvec(x[0].astype(np.float64), matrices)) <= 1e-10


@pytest.mark.parametrize("lanes", [32, 64, 256])
@pytest.mark.parametrize("rows", [1, 2, 4])
def test_mixed_parts_with_everything_before_and_after(
    device: Device, rng: np.random.Generator, lay_out: Any, fill_all: Any, lanes: int, rows: int
) -> None:
    shapes = [("Q4_K", 37, 768), ("F16", 5, 768), ("Q6_K", 64, 768), ("Q8_0", 1, 768)]
    parts = lay_out(*shapes, bias=(0, 2, 3), scale=(1, 2))
    weights, matrices = fill_all(parts)
    norm = Norm(weights.size // 4, EPSILON)
    x, gamma = rng.standard_normal((2, 768), np.float32)
    residual = rng.standard_normal(107, np.float32)
    params = MatVec(parts, norm, True, None, False, lanes, rows)
    whole = np.concatenate([weights, gamma.view(np.uint32)])
    got = run(device, params, whole, x[None], residual)
    want = matvec(
        x.astype(np.float64),
        matrices,
        norm=(gamma.astype(np.float64), EPSILON),
        residual=residual.astype(np.float64),
    )
    assert nmse(got, want) <= 1e-10


@pytest.mark.parametrize("type", ["Q4_K", "Q5_K"])
@pytest.mark.parametrize("rows", [1, 4])
def test_gated(
    device: Device, rng: np.random.Generator, lay_out: Any, fill_all: Any, type: str, rows: int
) -> None:
    parts = lay_out((type, 35, 512), ("Q6_K", 35, 512), bias=(1,), scale=(0, 1))
    weights, matrices = fill_all(parts)
    norm = Norm(weights.size // 4, EPSILON)
    x, gamma = rng.standard_normal((2, 512), np.float32)
    params = replace(MatVec.plan(parts, norm=norm, glu="silu"), rows=rows)
    got = run(device, params, np.concatenate([weights, gamma.view(np.uint32)]), x[None])
    want = matvec(
        x.astype(np.float64), matrices, norm=(gamma.astype(np.float64), EPSILON), gated=True
    )
    assert nmse(got, want) <= 1e-10


def test_gate_of_any_size_gives_finite_outputs(device: Device, lay_out: Any) -> None:
    parts = lay_out(("F32", 4, 32), ("F32", 4, 32))
    weights = np.zeros(7 * 4 + 2 * 4 * 32, np.float32)
    gate, up = weights[28:].reshape(2, 4, 32)
    gate[:, 0] = [-1e30, -200.0, 200.0, 1e30]
    up[:, 0] = 1.0
    x = np.eye(1, 32, dtype=np.float32)
    got = run(device, MatVec.plan(parts, glu="silu"), weights.view(np.uint32), x)
    np.testing.assert_allclose(got, [0.0, 0.0, 200.0, 1e30], rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize("tokens", [1, 5])
def test_last_row(
    device: Device, rng: np.random.Generator, lay_out: Any, fill_all: Any, tokens: int
) -> None:
    parts = lay_out(("Q8_0", 37, 96))
    weights, matrices = fill_all(parts)
    x = rng.standard_normal((tokens, 96), np.float32)
    got = run(device, MatVec.plan(parts, last_row=True), weights, x)
    assert nmse(got, matvec(x[-1].astype(np.float64), matrices)) <= 1e-10


def test_grid_of_two_dimensions(
    device: Device, rng: np.random.Generator, lay_out: Any, fill_all: Any
) -> None:
    parts = lay_out(("Q4_0", 65_600, 32))
    weights, matrices = fill_all(parts)
    x = rng.standard_normal((1, 32), np.float32)
    params = replace(MatVec.plan(parts), rows=1)
    assert params.grid(device.tier, 1)[1] == 2
    got = run(device, params, weights, x)
    assert nmse(got, matvec(x[0].astype(np.float64), matrices)) <= 1e-10


@pytest.mark.parametrize("state", [{"done": 1}, {"n_tokens": 0}])
def test_nothing_is_written_when_there_is_nothing_to_do(
    device: Device, lay_out: Any, fill_all: Any, state: dict[str, int]
) -> None:
    parts = lay_out(("Q8_0", 5, 32))
    weights, _ = fill_all(parts)
    got = run(device, MatVec.plan(parts), weights, np.ones((1, 32), np.float32), state=state)
    assert (got == GUARD).all()


def _whole(lay_out: Any, **options: Any) -> MatVec:
    parts = lay_out(("Q4_K", 67, 512), ("Q5_K", 67, 512), bias=(0, 1), scale=(0, 1))
    return MatVec.plan(parts, norm=Norm(90_000, EPSILON), **options)


@pytest.mark.parametrize("options", [{"residual": True}, {"glu": "silu"}, {"last_row": True}])
def test_case_passes(case_error: Any, device: Device, lay_out: Any, options: Any) -> None:
    params = replace(_whole(lay_out, **options), rows=4)
    known = case(params, device.tier, 3)
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
    known = case(params, device.tier, 1)
    assert case_error(replace(params, parts=tuple(parts)), known) > known.tolerance


@pytest.mark.parametrize(
    "changes", [{"last_row": False}, {"norm": None}, {"norm": Norm(90_000, 1e-3)}, {"rows": 2}]
)
def test_case_finds_what_is_wrong(
    case_error: Any, device: Device, lay_out: Any, changes: Any
) -> None:
    """A kernel of two rows per workgroup in the grid of one for four leaves half of them out."""
    params = replace(_whole(lay_out, last_row=True), rows=4)
    known = case(params, device.tier, 3)
    assert case_error(replace(params, **changes), known) > known.tolerance


@pytest.mark.parametrize(
    ("cols", "rows", "lanes", "group_rows"),
    [(64, 64, 32, 1), (2048, 2048, 64, 2), (4096, 6144, 64, 4), (4096, 128_256, 64, 4)],
)
def test_plan(lay_out: Any, cols: int, rows: int, lanes: int, group_rows: int) -> None:
    params = MatVec.plan(lay_out(("Q8_0", rows, cols)))
    assert (params.lanes, params.rows) == (lanes, group_rows)


def test_gate_and_up_must_match(lay_out: Any) -> None:
    params = MatVec.plan(lay_out(("F16", 4, 32), ("F16", 5, 32)), glu="silu")
    with pytest.raises(InternalError, match="equal rows"):
        render(params, "base")
