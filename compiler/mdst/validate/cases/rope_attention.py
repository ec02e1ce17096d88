"""The known answers of a rope_attention kernel: first and last heads at the end of its reach and
at a token that is kept as a sink, with the rows of the cache that they leave. Most keys before are
zeros."""

from __future__ import annotations

from itertools import count

import numpy as np

from ...codegen.kernels.rope_attention import RopeAttention
from ...codegen.state import STATE_BYTES
from ...codegen.tiers import Tier
from ...quant.records import BLOCK, record_words
from ..case import Case, Expected, state_words
from ..reference.attention_split import partial_attention
from ..reference.qkv_rope import angles_at, qkv_rope
from .kv_cache import expect_head, fill_rows, stored
from .qkv_rope import fill_norms, fill_tables
from .records import expect_record
from .rows import expect, fill_floats

_EARLY = 2
"""A position whose token is kept as a sink."""


def cases(params: RopeAttention, tier: Tier, tokens: int) -> tuple[Case, ...]:
    positions = sorted({min(_EARLY, params.reach - 1), params.reach - 1})
    return tuple(_case(params, tier, position) for position in positions)


def _case(params: RopeAttention, tier: Tier, position: int) -> Case:
    seeds = count(1)
    cache, dim = params.cache, params.cache.head_dim
    table_fills, tables = fill_tables(params.rope_dim, {position}, seeds)
    weights, q_norm, k_norm = fill_norms((params.q_norm, params.k_norm), dim, seeds)
    width = (params.n_heads + 2 * cache.n_kv_heads) * dim
    qkv_fills, row = fill_floats(0, range(width), seeds)
    heads = qkv_rope(
        row.reshape(1, -1, dim),
        params.n_heads,
        angles_at(tables, [position]),
        interleaved=params.interleaved,
        q_norm=q_norm,
        k_norm=k_norm,
        epsilon=params.norm_epsilon,
    )
    near = {0, 1, 31, 32, 255, 256, 511, 512, position // 2, position - 2, position - 1}
    looked = sorted(key for key in near if 0 <= key < position)
    k_fills, keys = fill_rows(cache, looked, seeds)
    v_fills, values = fill_rows(cache, looked, seeds)
    keys[position] = stored(cache, heads.k[0])
    values[position] = stored(cache, heads.v[0])

    out_start = 0
    expected: list[Expected] = []
    for h in sorted({0, params.n_heads // 2, params.n_heads - 1}):
        group = h // params.group
        part = partial_attention(
            heads.q[0, h],
            np.array([rows[group] for rows in keys.values()]),
            np.array([rows[group] for rows in values.values()]),
            params.scale,
            blanks=position + 1 - len(keys),
        )
        out = part[:dim] / part[dim + 1]
        if params.record:
            for block in range(dim // BLOCK):
                some = slice(BLOCK * block, BLOCK * (block + 1))
                number = h * dim // BLOCK + block
                blocks = params.n_heads * dim // BLOCK
                expected += expect_record(blocks, number, out[some], None)
        else:
            order = params.n_heads * dim if params.out_interleaved else None
            outputs = list(range(h * dim, (h + 1) * dim))
            expected += expect("out", out_start, outputs, out, order)
    for h in sorted({0, cache.n_kv_heads - 1}):
        expected += expect_head(cache, "k", position, h, heads.k[0, h])
        expected += expect_head(cache, "v", position, h, heads.v[0, h])
        if position < cache.max_sinks:
            kept = cache.capacity + position
            expected += expect_head(cache, "k", kept + cache.max_sinks, h, heads.plain_k[0, h])
            expected += expect_head(cache, "v", kept, h, heads.v[0, h])
    total = params.n_heads * dim
    return Case(
        sizes={
            "state": STATE_BYTES,
            "rope": tables.nbytes,
            **({"w": max(f.offset + 4 * f.words for f in weights)} if weights else {}),
            "qkv": 4 * width,
            "k": cache.k_bytes,
            "v": cache.v_bytes,
            **({"record": 4 * record_words(total)} if params.record else {"out": 4 * total}),
        },
        inputs={
            "state": (state_words(position=position, n_tokens=1),),
            "rope": table_fills,
            **({"w": weights} if weights else {}),
            "qkv": qkv_fills,
            "k": k_fills,
            "v": v_fills,
        },
        grid=params.grid(tier, 1),
        expected=tuple(expected),
        # The new key and value are rounded to float16, up or down as the device likes.
        tolerance=1e-7 if cache.format == "f16" else 1e-9,
    )
