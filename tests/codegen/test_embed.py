"""The embed kernel gives the very bits of the decoded rows, for every weight type."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mdst.codegen.kernels.embed import Embed
from mdst.codegen.templates import render
from mdst.errors import InternalError
from mdst.hosts.wgpu_device import Device
from mdst.quant.layout import FORMATS
from mdst.validate.case import state_words
from mdst.validate.cases.embed import case
from mdst.validate.reference.embed import embed
from mdst.validate.reference.matmul import Matrix

TYPES = [type.name for type in FORMATS]
CONTEXT = 29
GUARD = np.float32(777.0)


def slices_of(parts: tuple[Any, ...], first: int = 0) -> tuple[tuple[int, Any], ...]:
    starts = np.cumsum([first, *(part.rows for part in parts[:-1])]).tolist()
    return tuple(zip(starts, parts, strict=True))


def run(
    device: Device,
    params: Embed,
    weights: npt.NDArray[np.uint32],
    ids: npt.NDArray[np.uint32],
    *,
    position: int = 0,
    done: int = 0,
) -> npt.NDArray[np.float32]:
    """out [T, width] for `ids` of the tokens from `position` on; a row more must be as before."""
    ring = np.zeros(params.context, np.uint32)
    ring[(position + np.arange(ids.size)) % params.context] = ids
    out = np.full((ids.size + 1, params.width), GUARD, np.float32)
    data = {
        "state": state_words(n_tokens=ids.size, position=position, done=done).data(),
        "tokens": ring,
        **{f"table{i}": weights for i in range(len(params.slices))},
        "out": out,
    }
    grid = params.grid(device.tier, ids.size + 1)
    raw = device.run(render(params, device.tier), data, grid)["out"].view(np.float32)
    got = raw[: out.size].reshape(out.shape)
    assert (got[-1] == GUARD).all()
    return got[:-1]


def want(
    params: Embed, matrices: list[Matrix], ids: npt.NDArray[np.uint32]
) -> npt.NDArray[np.float32]:
    rows = [
        (first + i, row)
        for (first, _), matrix in zip(params.slices, matrices, strict=True)
        for i, row in enumerate(matrix.weights)
    ]
    before = np.full((ids.size, params.width), GUARD, np.float64)
    zero_from = params.vocab if params.has_last_row else None
    return embed(ids, dict(rows), before, zero_from).astype(np.float32)


@pytest.mark.parametrize("position", [0, 20])
@pytest.mark.parametrize("type", TYPES)
def test_every_type(
    device: Device, rng: np.random.Generator, lay_out: Any, fill_all: Any, type: str, position: int
) -> None:
    parts = lay_out((type, 37, 256))
    weights, matrices = fill_all(parts)
    params = Embed(slices_of(parts), 37, 256, CONTEXT)
    ids = rng.integers(0, 37, 17).astype(np.uint32)
    got = run(device, params, weights, ids, position=position)
    np.testing.assert_array_equal(got, want(params, matrices, ids))


@pytest.mark.parametrize("vocab", [77, 80])
@pytest.mark.parametrize("first", [0, 5])
def test_slices_and_ids_beyond_them(
    device: Device, lay_out: Any, fill_all: Any, first: int, vocab: int
) -> None:
    shapes = [("Q6_K", 3, 768), ("F16", 37, 768), ("Q4_K", 1, 768), ("Q8_0", 36 - first, 768)]
    parts = lay_out(*shapes)
    weights, matrices = fill_all(parts)
    params = Embed(slices_of(parts, first), vocab, 768, CONTEXT)
    ids = np.array([0, 2, 3, 4, 5, 7, 39, 40, 41, 45, 46, 76, 77, 79, 80, 2**32 - 1], np.uint32)
    got = run(device, params, weights, ids)
    np.testing.assert_array_equal(got, want(params, matrices, ids))


def test_rows_longer_than_a_workgroup(
    device: Device, rng: np.random.Generator, lay_out: Any, fill_all: Any
) -> None:
    parts = lay_out(("BF16", 5, 2080))
    weights, matrices = fill_all(parts)
    params = Embed(slices_of(parts), 5, 2080, CONTEXT)
    ids = rng.integers(0, 6, 3).astype(np.uint32)
    np.testing.assert_array_equal(run(device, params, weights, ids), want(params, matrices, ids))


def test_nothing_is_written_after_the_end(device: Device, lay_out: Any, fill_all: Any) -> None:
    parts = lay_out(("F32", 4, 32))
    weights, _ = fill_all(parts)
    params = Embed(slices_of(parts), 4, 32, CONTEXT)
    got = run(device, params, weights, np.arange(6, dtype=np.uint32), done=1)
    assert (got == GUARD).all()


def _params(lay_out: Any, first: int, vocab: int) -> Embed:
    parts = lay_out(("Q4_K", 37, 256), ("Q8_0", 5, 256))
    return Embed(slices_of(parts, first), vocab, 256, CONTEXT)


@pytest.mark.parametrize(("first", "vocab"), [(0, 42), (0, 50), (8, 50), (8, 60)])
def test_case_passes(case_error: Any, device: Device, lay_out: Any, first: int, vocab: int) -> None:
    params = _params(lay_out, first, vocab)
    known = case(params, device.tier, 1)
    assert case_error(params, known) <= known.tolerance


@pytest.mark.parametrize("changes", [{"vocab": 43}, {"context": 28}, {"slices": 1}])
def test_case_finds_what_is_wrong(
    case_error: Any, device: Device, lay_out: Any, changes: Any
) -> None:
    params = _params(lay_out, 0, 42)
    known = case(params, device.tier, 16)
    if "slices" in changes:  # the second slice starts a row late
        changes = {"slices": (params.slices[0], (38, params.slices[1][1]))}
    assert case_error(replace(params, **changes), known) > known.tolerance


def test_slices_must_be_as_wide_as_the_table(lay_out: Any) -> None:
    params = replace(_params(lay_out, 0, 42), width=512)
    with pytest.raises(InternalError, match="as wide"):
        render(params, "base")
