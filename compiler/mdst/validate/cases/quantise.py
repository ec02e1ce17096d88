"""The known answer of a quantise kernel: the first and the last block of two tokens."""

from __future__ import annotations

from itertools import count

from ...codegen.kernels.quantise import Quantise
from ...codegen.state import STATE_BYTES
from ...codegen.tiers import Tier
from ...quant.records import BLOCK, record_words
from ..case import Case, Expected, Fill, Words, state_words
from .records import expect_record
from .rows import fill_floats


def case(params: Quantise, tier: Tier, tokens: int) -> Case:
    seeds = count(1)
    width = params.width
    x_order = width if "x" in params.interleaved else None
    gamma_order = width if "gamma" in params.interleaved else None
    fills: list[Fill] = []
    expected: list[Expected] = []
    gammas, gamma = fill_floats(16 * (params.gamma or 0), range(width), seeds, gamma_order)
    used = min(tokens, 2)
    for t in range(used):
        new, x = fill_floats(4 * t * width, range(width), seeds, x_order)
        fills += new
        for block in sorted({0, params.blocks - 1}):
            some = slice(BLOCK * block, BLOCK * (block + 1))
            scaled = x[some] if params.gamma is None else x[some] * gamma[some]
            start = 4 * t * record_words(width)
            expected += expect_record(params.blocks, block, scaled, x[some], start)
    inputs: dict[str, tuple[Fill | Words, ...]] = {
        "state": (state_words(n_tokens=used),),
        "x": tuple(fills),
    }
    sizes = {"state": STATE_BYTES, "x": 4 * tokens * width}
    sizes["record"] = 4 * tokens * record_words(width)
    if params.gamma is not None:
        sizes["w"] = 16 * params.gamma + 4 * width
        inputs["w"] = gammas
    return Case(sizes, inputs, params.grid(tier, tokens), tuple(expected))
