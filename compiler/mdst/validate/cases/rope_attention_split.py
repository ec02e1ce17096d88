"""The known answers of a rope_attention_split kernel, for a few heads. Far behind the first window:
the first split (with the sinks, which it turns), the one in which the ring wraps, the last (with
the new key), and an idle one. And at a position whose token is kept as a sink."""

from __future__ import annotations

from itertools import count

from ...codegen.kernels.rope_attention_split import RopeAttentionSplit
from ...codegen.state import STATE_BYTES
from ...codegen.tiers import Tier
from ..case import Case, Expected, state_words
from ..reference.attention_split import partial_attention
from ..reference.kv_cache import oldest_key, rows_in_sight, sink_count
from ..reference.qkv_rope import angles_at, qkv_rope, turn
from .attention_split import EDGE, SINKS, head_of, position_in_sight_of_wrap
from .kv_cache import expect_head, fill_rows, stored
from .qkv_rope import fill_norms, fill_tables
from .rows import expect, fill_floats

_EARLY = 2


def cases(params: RopeAttentionSplit, tier: Tier, tokens: int) -> tuple[Case, ...]:
    positions = (_EARLY, position_in_sight_of_wrap(params.cache))
    return tuple(_case(params, tier, position) for position in positions)


def _case(params: RopeAttentionSplit, tier: Tier, position: int) -> Case:
    seeds = count(1)
    cache, dim = params.cache, params.cache.head_dim
    oldest, sinks = oldest_key(cache, position), sink_count(cache, position, SINKS)
    table_fills, tables = fill_tables(
        params.rope_dim, {position, *range(oldest - sinks, oldest)}, seeds
    )
    weights, q_norm, k_norm = fill_norms((params.q_norm, params.k_norm), dim, seeds)
    width = (params.n_heads + 2 * cache.n_kv_heads) * dim
    qkv_fills, qkv = fill_floats(0, range(width), seeds)
    heads = qkv_rope(
        qkv.reshape(1, -1, dim),
        params.n_heads,
        angles_at(tables, [position]),
        interleaved=params.interleaved,
        q_norm=q_norm,
        k_norm=k_norm,
        epsilon=params.norm_epsilon,
    )

    rows = rows_in_sight(cache, position, SINKS)
    used = -(-len(rows) // params.split)
    wrap = len(rows) - (position - max(2 * cache.capacity, oldest)) - 1
    wrap = min(max(wrap, 0), len(rows) - 1)
    looked = {
        s: rows[s * params.split : (s + 1) * params.split]
        for s in sorted({0, wrap // params.split, used - 1})
    }
    filled = {row for part in looked.values() for row in (*part[:EDGE], *part[-EDGE:])}
    filled |= set(rows[max(0, wrap - 2) : wrap + 2])
    turned = range(cache.capacity, cache.capacity + sinks)
    newest = position % cache.capacity
    plain = {row + cache.max_sinks for row in turned}
    k_fills, keys = fill_rows(cache, (filled - {newest, *turned}) | plain, seeds)
    v_fills, values = fill_rows(cache, filled - {newest}, seeds)
    keys[newest], values[newest] = stored(cache, heads.k[0]), stored(cache, heads.v[0])
    sink_keys = {
        row: turn(keys[row + cache.max_sinks][None], angles_at(tables, [at]), params.interleaved)[0]
        for row, at in zip(turned, range(oldest - sinks, oldest), strict=True)
    }
    keys |= {row: stored(cache, key) for row, key in sink_keys.items()}

    columns = [0, 1, dim // 2, *range(dim - 2, dim + 2)]
    expected: list[Expected] = []
    for h in sorted({0, params.n_heads // 2, params.n_heads - 1}):
        for s, part in looked.items():
            out = partial_attention(
                heads.q[0, h],
                head_of(cache, keys, part, h // params.group),
                head_of(cache, values, part, h // params.group),
                params.scale,
            )
            expected += expect("partial", _start(params, h, s), columns, out[columns])
        if used < params.n_splits:
            idle = _start(params, h, used) + 4 * dim
            expected.append(Expected("partial", idle, words=(0, 0)))
    for h in sorted({0, cache.n_kv_heads - 1}):
        expected += expect_head(cache, "k", newest, h, heads.k[0, h])
        expected += expect_head(cache, "v", newest, h, heads.v[0, h])
        for row, key in sink_keys.items():
            expected += expect_head(cache, "k", row, h, key[h])
        if position < cache.max_sinks:
            kept = cache.capacity + position
            expected += expect_head(cache, "k", kept + cache.max_sinks, h, heads.plain_k[0, h])
            expected += expect_head(cache, "v", kept, h, heads.v[0, h])
    return Case(
        sizes={
            "state": STATE_BYTES,
            "rope": tables.nbytes,
            **({"w": max(f.offset + 4 * f.words for f in weights)} if weights else {}),
            "qkv": 4 * width,
            "k": cache.k_bytes,
            "v": cache.v_bytes,
            "partial": _start(params, params.n_heads, 0),
        },
        inputs={
            "state": (state_words(position=position, n_tokens=1, sinks=SINKS),),
            "rope": table_fills,
            **({"w": weights} if weights else {}),
            "qkv": qkv_fills,
            "k": k_fills,
            "v": v_fills,
        },
        grid=params.grid(tier, 1),
        expected=tuple(expected),
        # New keys and values are rounded to float16, up or down as the device likes.
        tolerance=1e-7 if cache.format == "f16" else 1e-9,
    )


def _start(params: RopeAttentionSplit, head: int, split: int) -> int:
    """Byte at which a split's part of a head begins."""
    return 4 * (head * params.n_splits + split) * (params.cache.head_dim + 2)
