"""The known answer of a matmul_int8 kernel: rows of every step of a tile, of the last tile and
between, for the first and last token and one that must stay as it was."""

from __future__ import annotations

from itertools import count

import numpy as np

from ...codegen.kernels.matmul_int8 import SIDE, MatMulInt8
from ...codegen.kernels.segments import Segment
from ...codegen.state import STATE_BYTES
from ...codegen.tiers import Tier
from ...quant.records import record_words
from ..case import Case, Expected, Fill, Words, state_words
from ..reference.matmul import matmul
from .records import fill_records
from .rows import expect, fill_floats
from .weights import fill_part, grid_words, region_bytes


def _rows(params: MatMulInt8, segment: Segment) -> list[int]:
    steps = {i + i * SIDE for i in range(params.group_rows // SIDE)}
    tile = {params.group_rows - 1, params.group_rows}
    chosen = steps | tile | {segment.rows // 2, segment.rows - 2, segment.rows - 1}
    return sorted(row for row in chosen if 0 <= row < segment.rows)


def case(params: MatMulInt8, tier: Tier, tokens: int) -> Case:
    """Dispatched for chunks of `tokens`, of which one more than a tile has are in use."""
    seeds = count(1)
    used = max(1, min(tokens - 1, params.tile_tokens + 1))
    looked_at = sorted({0, used // 2, used - 1})
    record_bytes = 4 * record_words(params.cols)
    x_words: list[Fill | Words] = []
    rows_of_x = []
    for t in (*looked_at, used):  # the last is not in use and would leave a trace
        words, values, _ = fill_records(t * record_bytes, params.cols, seeds)
        x_words += words
        rows_of_x.append(values)
    x = np.stack(rows_of_x[:-1])
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
        outputs = matmul(x, matrices, gated=bool(params.glu), residual=residual)
        for start, token_values in zip(starts, [*outputs, np.zeros(len(rows))], strict=True):
            expected += expect("out", start, rows, token_values)
    out_bytes = -(-(used + 1) * params.out_stride // 4) * 16
    sizes = {
        "state": STATE_BYTES,
        "w": region_bytes(params.parts),
        "x": (used + 1) * record_bytes,
        **({"residual": out_bytes} if params.residual else {}),
        "out": out_bytes,
    }
    inputs: dict[str, tuple[Fill | Words, ...]] = {
        "state": (state_words(n_tokens=used),),
        "w": tuple(w),
        "x": tuple(x_words),
        **({"residual": tuple(residuals)} if params.residual else {}),
    }
    return Case(sizes, inputs, params.grid(tier, tokens), tuple(expected))
