"""The known answer of a matvec kernel: all rows of one workgroup, some in the middle, the last."""

from __future__ import annotations

from itertools import count

from ...codegen.kernel import Tier
from ...codegen.kernels.matvec import MatVec
from ...codegen.state import STATE_BYTES
from ..case import Case, Expected, Fill, Words, state_words
from ..reference.matvec import matvec
from .rows import expect, fill_floats
from .weights import fill_part, region_bytes


def _rows(total: int, per_group: int) -> list[int]:
    chosen = {*range(per_group + 1), total // 2, total - 2, total - 1}
    return sorted(row for row in chosen if 0 <= row < total)


def case(params: MatVec, tier: Tier, tokens: int) -> Case:
    """`tokens` is the T of x [T, K] in the step; with `last_row`, all T are in use."""
    seeds = count(1)
    tokens = tokens if params.last_row else 1
    x_fills, x = fill_floats(4 * (tokens - 1) * params.cols, range(params.cols), seeds)
    w: list[Fill] = []
    residuals: list[Fill] = []
    expected: list[Expected] = []
    norm = None
    if params.norm:
        fills, gamma = fill_floats(params.norm.offset * 16, range(params.cols), seeds)
        w += fills
        norm = (gamma, params.norm.epsilon)
    for segment in params.segments:
        rows = _rows(segment.rows, params.rows)
        filled = [fill_part(params.parts[i], rows, seeds) for i in segment.parts]
        w += [fill for one in filled for fill in one.fills]
        residual = None
        if params.residual:
            fills, residual = fill_floats(4 * segment.first_row, rows, seeds)
            residuals += fills
        matrices = [one.matrix for one in filled]
        values = matvec(x, matrices, norm=norm, gated=bool(params.glu), residual=residual)
        expected += expect("out", 4 * segment.first_row, rows, values)
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
