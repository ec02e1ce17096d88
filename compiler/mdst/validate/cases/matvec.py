"""The known answer of a matvec kernel: all rows of one workgroup, some in the middle, the last."""

from __future__ import annotations

from itertools import count

from ...codegen.kernels.matvec import MatVec
from ...codegen.state import STATE_BYTES
from ...codegen.tiers import Tier
from ..case import Case, Expected, Fill, Words, state_words
from ..reference.matvec import matvec
from .rows import expect, fill_floats
from .weights import fill_part, grid_words, region_bytes


def _rows(total: int, per_group: int) -> list[int]:
    chosen = {*range(per_group + 1), total // 2, total - 2, total - 1}
    return sorted(row for row in chosen if 0 <= row < total)


def case(params: MatVec, tier: Tier, tokens: int) -> Case:
    """`tokens` is the T of x [T, K] in the step; with `last_row`, all T are in use."""
    seeds = count(1)

    def order(vector: str, length: int) -> int | None:
        return length if vector in params.interleaved else None

    tokens = tokens if params.last_row else 1
    x_start, columns = 4 * (tokens - 1) * params.cols, range(params.cols)
    x_fills, x = fill_floats(x_start, columns, seeds, order("x", params.cols))
    w: list[Fill | Words] = list(grid_words(params.parts))
    residuals: list[Fill] = []
    expected: list[Expected] = []
    norm = None
    if params.norm:
        gamma_start = params.norm.offset * 16
        fills, gamma = fill_floats(gamma_start, columns, seeds, order("gamma", params.cols))
        w += fills
        norm = (gamma, params.norm.epsilon)
    for segment in params.segments:
        rows = _rows(segment.rows, params.rows)
        outputs = [segment.first_row + row for row in rows]
        filled = [fill_part(params.parts[i], rows, seeds) for i in segment.parts]
        w += [fill for one in filled for fill in one.fills]
        residual = None
        if params.residual:
            fills, residual = fill_floats(0, outputs, seeds, order("residual", params.outputs))
            residuals += fills
        matrices = [one.matrix for one in filled]
        values = matvec(x, matrices, norm=norm, gated=bool(params.glu), residual=residual)
        expected += expect("out", 0, outputs, values, order("out", params.outputs))
    out_bytes = -(-params.outputs // 4) * 16
    sizes = {
        "state": STATE_BYTES,
        "w": region_bytes(params.parts, params.norm.offset if params.norm else None),
        "x": 4 * tokens * params.cols,
        **({"residual": out_bytes} if params.residual else {}),
        "out": out_bytes,
    }
    inputs: dict[str, tuple[Fill | Words, ...]] = {
        "state": (state_words(n_tokens=tokens),),
        "w": tuple(w),
        "x": x_fills,
        **({"residual": tuple(residuals)} if params.residual else {}),
    }
    return Case(sizes, inputs, params.grid(tier, tokens), tuple(expected))
