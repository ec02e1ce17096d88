"""The known answer of an attention_reduce kernel: some values of a few heads, with all splits of a
full window, and numbers in the first idle one that must not count."""

from __future__ import annotations

from itertools import count

import numpy as np

from ...codegen.kernels.attention_reduce import AttentionReduce
from ...codegen.state import STATE_BYTES
from ...codegen.tiers import Tier
from ...quant.records import BLOCK, record_words
from ..case import Case, Expected, Fill, Kind, state_words
from ..reference.attention_reduce import attention_reduce
from ..reference.kv_cache import oldest_key, sink_count
from .attention_split import SINKS, position_in_sight_of_wrap
from .records import expect_record
from .rows import expect

_POSITIVE = Kind((0x01FFFFFF,) * 4, (0x3E000000,) * 4)
"""float32 in [1/8, 2), as sums of exponentials are positive."""


def case(params: AttentionReduce, tier: Tier, tokens: int) -> Case:
    seeds = count(1)
    cache = params.cache
    position = position_in_sight_of_wrap(cache)
    visible = sink_count(cache, position, SINKS) + position - oldest_key(cache, position) + 1
    used = -(-visible // params.split)
    width = cache.head_dim + 2
    columns = sorted({0, 1, cache.head_dim // 2, cache.head_dim - 2, cache.head_dim - 1})
    order = params.n_heads * cache.head_dim if params.interleaved else None
    fills: list[Fill] = []
    expected: list[Expected] = []
    for h in sorted({0, params.n_heads // 2, params.n_heads - 1}):
        words = min(used + 1, params.n_splits) * width
        fills.append(Fill(4 * h * params.n_splits * width, words, next(seeds), _POSITIVE))
        partial = fills[-1].data().view(np.float32)[: used * width].astype(np.float64)
        out = attention_reduce(partial.reshape(1, used, width))[0]
        if params.record:
            for block in range(cache.head_dim // BLOCK):
                some = slice(BLOCK * block, BLOCK * (block + 1))
                number = h * cache.head_dim // BLOCK + block
                expected += expect_record(params.blocks, number, out[some], None)
            continue
        outputs = [h * cache.head_dim + column for column in columns]
        expected += expect("out", 0, outputs, out[columns], order)
    total = params.n_heads * cache.head_dim
    return Case(
        sizes={
            "state": STATE_BYTES,
            "partial": 4 * params.n_heads * params.n_splits * width,
            **({"record": 4 * record_words(total)} if params.record else {"out": 4 * total}),
        },
        inputs={
            "state": (state_words(position=position, n_tokens=1, sinks=SINKS),),
            "partial": tuple(fills),
        },
        grid=params.grid(tier, tokens),
        expected=tuple(expected),
    )
