"""The known answer of an attention_split kernel: the first split (with the sinks), the one in which
the ring wraps, the last, and an idle one, for a few heads, far behind the first window."""

from __future__ import annotations

from itertools import count

import numpy as np

from ...codegen.kernels.attention_split import AttentionSplit
from ...codegen.kernels.kv_cache import KvCache
from ...codegen.state import STATE_BYTES
from ...codegen.tiers import Tier
from ..case import Case, Expected, state_words
from ..reference.attention_split import partial_attention
from ..reference.kv_cache import Floats, oldest_key, rows_in_sight
from .kv_cache import fill_rows
from .rows import expect, fill_floats

SINKS = 3
EDGE = 64
"""Keys filled at either end of a split."""


def position_in_sight_of_wrap(cache: KvCache) -> int:
    """A position whose window holds the end and the start of the ring."""
    return 2 * cache.capacity + cache.window // 2


def case(params: AttentionSplit, tier: Tier, tokens: int) -> Case:
    seeds = count(1)
    cache = params.cache
    position = position_in_sight_of_wrap(cache)
    rows = rows_in_sight(cache, position, SINKS)
    used = -(-len(rows) // params.split)
    wrap = len(rows) - (position - max(2 * cache.capacity, oldest_key(cache, position))) - 1
    splits = sorted({0, wrap // params.split, used - 1})
    looked = {s: rows[s * params.split : (s + 1) * params.split] for s in splits}
    filled = {row for part in looked.values() for row in (*part[:EDGE], *part[-EDGE:])}
    filled |= set(rows[max(0, wrap - 2) : wrap + 2])
    k_fills, keys = fill_rows(cache, filled, seeds)
    v_fills, values = fill_rows(cache, filled, seeds)
    q_fills, q = fill_floats(0, range(params.n_heads * cache.head_dim), seeds)
    queries = q.reshape(params.n_heads, cache.head_dim)

    columns = [0, 1, cache.head_dim // 2, *range(cache.head_dim - 2, cache.head_dim + 2)]
    expected: list[Expected] = []
    for h in sorted({0, params.n_heads // 2, params.n_heads - 1}):
        for s, part in looked.items():
            out = partial_attention(
                queries[h],
                head_of(cache, keys, part, h // params.group),
                head_of(cache, values, part, h // params.group),
                params.scale,
            )
            expected += expect("partial", _start(params, h, s), columns, out[columns])
        if used < params.n_splits:
            idle = _start(params, h, used) + 4 * cache.head_dim
            expected.append(Expected("partial", idle, words=(0, 0)))
    return Case(
        sizes={
            "state": STATE_BYTES,
            "q": q.size * 4,
            "k": cache.k_bytes,
            "v": cache.v_bytes,
            "partial": _start(params, params.n_heads, 0),
        },
        inputs={
            "state": (state_words(position=position, n_tokens=1, sinks=SINKS),),
            "q": q_fills,
            "k": k_fills,
            "v": v_fills,
        },
        grid=params.grid(tier, tokens),
        expected=tuple(expected),
    )


def _start(params: AttentionSplit, head: int, split: int) -> int:
    """Byte at which a split's part of a head begins."""
    return 4 * (head * params.n_splits + split) * (params.cache.head_dim + 2)


def head_of(cache: KvCache, numbers: dict[int, Floats], rows: list[int], kv_head: int) -> Floats:
    """[n, D] of one head in these rows; those that were not filled are zero."""
    blank = np.zeros((cache.n_kv_heads, cache.head_dim))
    return np.array([numbers.get(row, blank)[kv_head] for row in rows])
