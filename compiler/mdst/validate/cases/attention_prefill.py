"""The known answer of an attention_prefill kernel: first, middle and last of some tokens, whose
chunk crosses the end of a short ring, or lies deep in a long one."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count

import numpy as np

from ...codegen.kernels.attention_prefill import AttentionPrefill
from ...codegen.kernels.kv_cache import KvCache
from ...codegen.state import STATE_BYTES
from ...codegen.tiers import Tier
from ..case import Case, Expected, Fill, state_words
from ..reference.attention_prefill import attention
from ..reference.kv_cache import Floats, oldest_key
from .kv_cache import fill_rows
from .rows import expect, fill_floats

_DEPTH = 2048
"""Keys that a query sees at most, so that a software device answers soon."""


def case(params: AttentionPrefill, tier: Tier, tokens: int) -> Case:
    """`tokens` sets buffers and grid; the step has as many tokens as fill two workgroups and some
    of a third, but at most those."""
    seeds = count(1)
    cache = params.cache
    n_tokens = min(tokens, 2 * params.rows // params.group + 2)
    position = _position(cache, n_tokens)
    k_fills, keys = fill_rows(cache, _rows(cache, position, n_tokens), seeds)
    v_fills, values = fill_rows(cache, keys, seeds)
    d = cache.head_dim
    columns = sorted({*range(4), d // 2, *range(d - 4, d)})
    q_fills: list[Fill] = []
    expected: list[Expected] = []
    looked = {0: 0, n_tokens // 2: params.n_heads // 2, n_tokens - 1: params.n_heads - 1}
    for token, head in looked.items():
        start = 4 * (token * params.n_heads + head) * d
        fills, q = fill_floats(start, range(d), seeds)
        q_fills += fills
        seen = _filled_in_sight(cache, keys, position + token)
        blanks = position + token + 1 - oldest_key(cache, position + token) - len(seen)
        kv_head = head // params.group
        out = attention(
            q,
            np.array([keys[row][kv_head] for row in seen]),
            np.array([values[row][kv_head] for row in seen]),
            params.scale,
            blanks,
        )
        expected += expect("out", start, columns, out[columns])
    return Case(
        sizes={
            "state": STATE_BYTES,
            "q": 4 * tokens * params.n_heads * d,
            "k": cache.k_bytes,
            "v": cache.v_bytes,
            "out": 4 * tokens * params.n_heads * d,
        },
        inputs={
            "state": (state_words(position=position, n_tokens=n_tokens),),
            "q": tuple(q_fills),
            "k": k_fills,
            "v": v_fills,
        },
        grid=params.grid(tier, tokens),
        expected=tuple(expected),
    )


def _position(cache: KvCache, n_tokens: int) -> int:
    if cache.window <= _DEPTH:
        return 2 * cache.capacity - (n_tokens + 1) // 2
    return _DEPTH - n_tokens


def _rows(cache: KvCache, position: int, n_tokens: int) -> set[int]:
    """The chunk's own keys, those around the far end of its queries' windows, some in between."""
    last = position + n_tokens - 1
    near = range(position, last + 1)
    far = [oldest_key(cache, edge) + step for edge in (position, last) for step in range(-2, 3)]
    middle = (oldest_key(cache, position) + position) // 2
    return {
        key % cache.capacity
        for key in (*near, *far, *range(middle, middle + 40))
        if 0 <= key <= last
    }


def _filled_in_sight(cache: KvCache, filled: Mapping[int, Floats], position: int) -> list[int]:
    """Rows of `filled` whose newest key up to `position` is in sight."""
    return [
        row
        for row in filled
        if position - (position - row) % cache.capacity >= oldest_key(cache, position)
    ]
