"""The known answer of an rms_norm kernel: both ends of the first and the last row."""

from __future__ import annotations

from itertools import count

from ...codegen.kernels.rms_norm import RmsNorm
from ...codegen.state import STATE_BYTES
from ...codegen.tiers import Tier
from ..case import Case, Expected, Fill, state_words
from ..reference.rms_norm import rms_norm
from .rows import expect, fill_floats

_EDGE = 8


def case(params: RmsNorm, tier: Tier, tokens: int) -> Case:
    seeds = count(1)
    width = params.width
    columns = sorted({*range(min(_EDGE, width)), *range(max(0, width - _EDGE), width)})
    order = width if params.interleaved else None
    gamma, weight = fill_floats(16 * params.weight, range(width), seeds, order)
    x_fills: list[Fill] = []
    expected: list[Expected] = []
    for token in sorted({0, tokens - 1}):
        fills, x = fill_floats(4 * token * width, range(width), seeds)
        x_fills += fills
        out = rms_norm(x, weight, params.epsilon)
        expected += expect("out", 4 * token * width, columns, out[columns])
    rows = 4 * tokens * width
    return Case(
        sizes={
            "state": STATE_BYTES,
            "w": 16 * params.weight + 4 * width,
            "x": rows,
            "out": rows,
        },
        inputs={"state": (state_words(n_tokens=tokens),), "w": gamma, "x": tuple(x_fills)},
        grid=params.grid(tier, tokens),
        expected=tuple(expected),
    )
