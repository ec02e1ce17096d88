"""The known answer of a matvec_int8 kernel: all rows of the first and of the last workgroup of each
segment, with the records that they leave."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import numpy as np

from ...codegen.kernels.emit import Emit
from ...codegen.kernels.matvec_int8 import MatVecInt8
from ...codegen.kernels.segments import Segment
from ...codegen.part import Part
from ...codegen.state import STATE_BYTES
from ...codegen.tiers import Tier
from ...quant.records import BLOCK, quantise, record_words, values
from ..case import Case, Expected, Fill, Words, state_words
from ..reference.matmul import matmul
from .records import expect_record, fill_records
from .rows import Floats, expect, fill_floats
from .weights import fill_part, grid_words, region_bytes


def _rows(segment: Segment, per_group: int) -> list[int]:
    last = (segment.rows - 1) // per_group * per_group
    return sorted({*range(min(per_group, segment.rows)), *range(last, segment.rows)})


def case(params: MatVecInt8, tier: Tier, tokens: int) -> Case:
    seeds = count(1)
    x_fills: tuple[Fill | Words, ...]
    gamma_fills: tuple[Fill, ...] = ()
    if params.own_gamma is None:
        x_fills, x, mean_square = fill_records(0, params.cols, seeds)
    else:
        x_fills, gamma_fills, x, mean_square = _own_records(params.cols, params.own_gamma, seeds)
    factor = 1.0 if params.norm is None else 1 / np.sqrt(mean_square + params.norm)
    fills: dict[str, list[Fill | Words]] = {
        "state": [state_words(n_tokens=1)],
        "w": [*grid_words(params.parts), *gamma_fills],
        "x": list(x_fills),
        "residual": [],
        "gamma": [],
    }
    expected: list[Expected] = []
    for segment in params.segments:
        rows = _rows(segment, params.rows)
        parts = [params.parts[i] for i in segment.parts]
        outputs = [segment.first_row + row for row in rows]
        filled = [fill_part(part, rows, seeds, small=_alone(params, part)) for part in parts]
        fills["w"] += [fill for one in filled for fill in one.fills]
        residual = None
        if params.residual:
            new, added = fill_floats(0, outputs, seeds)
            fills["residual"] += new
            residual = added[None]
        matrices = [one.matrix for one in filled]
        [found] = matmul(factor * x[None], matrices, gated=bool(params.glu), residual=residual)
        if params.plain:
            expected += expect("out", 0, outputs, found)
        if params.emit is not None:
            new, records = _records(params.emit, outputs, found, seeds)
            fills["gamma"] += new
            expected += records
    bindings = [binding.name for binding in params.bindings]
    sizes = {name: size for name, size in _sizes(params).items() if name in bindings}
    inputs = {name: tuple(parts) for name, parts in fills.items() if name in bindings}
    return Case(sizes, inputs, params.grid(tier, 1), tuple(expected))


def _alone(params: MatVecInt8, part: Part) -> bool:
    """Whether nothing is added to the products of a part: small ones would not show beside it."""
    return not params.residual and part.bias is None


def _own_records(
    cols: int, gamma_offset: int, seeds: Iterator[int]
) -> tuple[tuple[Fill, ...], tuple[Fill, ...], Floats, float]:
    """Fills of x and of γ, the values that the records of x ⊙ γ mean, and the mean square of x."""
    x_fills, x = fill_floats(0, range(cols), seeds)
    gamma_fills, gamma = fill_floats(16 * gamma_offset, range(cols), seeds)
    records = quantise(x.astype(np.float32)[None], gamma.astype(np.float32))
    meaning = values(records)[0].astype(np.float64)
    return x_fills, gamma_fills, meaning, float(np.mean(np.square(x)))


def _sizes(params: MatVecInt8) -> dict[str, int]:
    """Of all bindings that there may be, in order."""
    out = -(-params.outputs // 4) * 16
    emit = params.emit or Emit(0)
    return {
        "state": STATE_BYTES,
        "w": region_bytes(params.parts, params.own_gamma),
        "x": 4 * (record_words(params.cols) if params.own_gamma is None else params.cols),
        "residual": out,
        "out": out,
        "gamma": 4 * ((emit.gamma or 0) + BLOCK * emit.blocks),
        "record": 4 * record_words(BLOCK * emit.blocks),
    }


def _records(
    emit: Emit, outputs: list[int], plain: Floats, seeds: Iterator[int]
) -> tuple[tuple[Fill, ...], list[Expected]]:
    """Fills of γ, and the records of `outputs`, which are whole blocks."""
    fills: tuple[Fill, ...] = ()
    scaled = plain
    if emit.gamma is not None:
        whole = [BLOCK * emit.first_block + n for n in outputs]
        order = BLOCK * emit.blocks if emit.interleaved else None
        fills, gamma = fill_floats(4 * emit.gamma, whole, seeds, order)
        scaled = plain * gamma
    expected: list[Expected] = []
    for first in range(0, len(outputs), BLOCK):
        some = slice(first, first + BLOCK)
        squared = None if emit.gamma is None else plain[some]
        block = emit.first_block + outputs[first] // BLOCK
        expected += expect_record(emit.blocks, block, scaled[some], squared)
    return fills, expected
