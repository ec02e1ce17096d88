"""The known answer of a matmul kernel: rows of every step of a tile, of the last tile and between,
for the first and last token and one that must stay as it was."""

from __future__ import annotations

from itertools import count

import numpy as np

from ...codegen.kernels.matmul import MatMul
from ...codegen.kernels.segments import Segment
from ...codegen.state import STATE_BYTES
from ...codegen.tiers import Tier
from ..case import Case, Expected, Fill, Words, state_words
from ..reference.matmul import matmul
from .rows import Floats, expect, fill_floats
from .weights import fill_part, grid_words, region_bytes


def _rows(params: MatMul, segment: Segment) -> list[int]:
    steps = {i + i * params.row_stride for i in range(4)}
    tile = {params.group_rows - 1, params.group_rows}
    chosen = steps | tile | {segment.rows // 2, segment.rows - 2, segment.rows - 1}
    return sorted(row for row in chosen if 0 <= row < segment.rows)


def _inputs(params: MatMul, tokens: list[int], seeds: count[int]) -> tuple[list[Fill], Floats]:
    fills: list[Fill] = []
    rows = []
    for t in tokens:
        new, values = fill_floats(4 * t * params.cols, range(params.cols), seeds)
        fills += new
        rows.append(values)
    return fills, np.stack(rows)


def case(params: MatMul, tier: Tier, tokens: int) -> Case:
    """Dispatched for chunks of `tokens`, of which one more than a tile has are in use."""
    seeds = count(1)
    used = max(1, min(tokens - 1, params.tile_tokens + 1))
    looked_at = sorted({0, used // 2, used - 1})
    # x goes on after the last token in use, so that a token too many would leave a trace.
    x_fills, x = _inputs(params, [*looked_at, used], seeds)
    w: list[Fill | Words] = list(grid_words(params.parts))
    residuals: list[Fill] = []
    expected: list[Expected] = []
    for segment in params.segments:
        rows = _rows(params, segment)
        filled = [fill_part(params.parts[i], rows, seeds) for i in segment.parts]
        w += [fill for one in filled for fill in one.fills]
        starts = [4 * (t * params.out_stride + segment.first_row) for t in (*looked_at, used)]
        residual = None
        if params.residual:
            added = [fill_floats(start, rows, seeds) for start in starts[:-1]]
            residuals += [fill for fills, _ in added for fill in fills]
            residual = np.stack([values for _, values in added])
        matrices = [one.matrix for one in filled]
        values = matmul(x[:-1], matrices, gated=bool(params.glu), residual=residual)
        for start, token_values in zip(starts, [*values, np.zeros(len(rows))], strict=True):
            expected += expect("out", start, rows, token_values)
    out_bytes = -(-(used + 1) * params.out_stride // 4) * 16
    sizes = {
        "state": STATE_BYTES,
        "w": region_bytes(params.parts),
        "x": 4 * (used + 1) * params.cols,
        **({"residual": out_bytes} if params.residual else {}),
        "out": out_bytes,
    }
    inputs: dict[str, tuple[Fill | Words, ...]] = {
        "state": (state_words(n_tokens=used),),
        "w": tuple(w),
        "x": tuple(x_fills),
        **({"residual": tuple(residuals)} if params.residual else {}),
    }
    return Case(sizes, inputs, params.grid(tier, tokens), tuple(expected))
