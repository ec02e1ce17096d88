"""The known answer of an rms_norm kernel: both ends of the first and the last row."""

from __future__ import annotations

from itertools import count

from ...codegen.kernels.rms_norm import RmsNorm
from ...codegen.state import STATE_BYTES
from ...codegen.tiers import Tier
from ...quant.records import BLOCK, record_words
from ..case import Case, Expected, Fill, state_words
from ..reference.rms_norm import rms_norm
from .records import expect_record
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
        if params.record:
            start = 4 * token * record_words(width)
            for block in sorted({0, params.blocks - 1}):
                some = slice(BLOCK * block, BLOCK * (block + 1))
                expected += expect_record(params.blocks, block, out[some], None, start)
        else:
            expected += expect("out", 4 * token * width, columns, out[columns])
    rows = 4 * tokens * width
    made = {"record": 4 * tokens * record_words(width)} if params.record else {"out": rows}
    return Case(
        sizes={
            "state": STATE_BYTES,
            "w": 16 * params.weight + 4 * width,
            "x": rows,
            **made,
        },
        inputs={"state": (state_words(n_tokens=tokens),), "w": gamma, "x": tuple(x_fills)},
        grid=params.grid(tier, tokens),
        expected=tuple(expected),
    )
