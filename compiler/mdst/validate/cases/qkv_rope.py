"""The known answer of a qkv_rope kernel: first and last heads of a few tokens.

A step of one token lies far behind the first window, so that sinks are turned; a longer one crosses
the last position that is kept as a sink (or, without sinks, the end of the ring).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
import numpy.typing as npt

from ...codegen.kernels.kv_cache import KvCache
from ...codegen.kernels.qkv_rope import QkvRope
from ...codegen.state import STATE_BYTES
from ...codegen.tiers import Tier
from ...graph.ops import MAX_SINKS
from ...rope import BYTES
from ..case import Case, Expected, Fill, state_words
from ..reference.kv_cache import Floats, oldest_key, sink_count
from ..reference.qkv_rope import Heads, angles_at, qkv_rope, turn
from .kv_cache import expect_head, fill_rows
from .rows import expect, fill_floats

_SINKS = 3
_FAR = 70_000
"""A position of three bytes."""


def case(params: QkvRope, tier: Tier, tokens: int) -> Case:
    seeds = count(1)
    cache = params.cache
    position = _position(cache, tokens)
    looked = sorted({0, min(3, tokens - 1), tokens - 1})
    positions = [position + t for t in looked]
    sinks = _Sinks.of(cache, position) if tokens == 1 else _Sinks(0, 0)
    table_fills, tables = fill_tables(params.rope_dim, {*positions, *sinks.positions}, seeds)
    weights, q_norm, k_norm = fill_norms((params.q_norm, params.k_norm), cache.head_dim, seeds)
    width = params.all_heads * cache.head_dim
    rows = [fill_floats(4 * t * width, range(width), seeds) for t in looked]
    heads = qkv_rope(
        np.array([row for _, row in rows]).reshape(len(looked), -1, cache.head_dim),
        params.n_heads,
        angles_at(tables, positions),
        interleaved=params.interleaved,
        q_norm=q_norm,
        k_norm=k_norm,
        epsilon=params.norm_epsilon,
    )
    plain_rows = range(cache.capacity + MAX_SINKS, cache.capacity + MAX_SINKS + sinks.count)
    k_fills, plain = fill_rows(cache, plain_rows, seeds)
    turned = [
        turn(plain[row][None], angles_at(tables, [at]), params.interleaved)[0]
        for row, at in zip(plain_rows, sinks.positions, strict=True)
    ]
    q_bytes = 4 * tokens * params.n_heads * cache.head_dim
    return Case(
        sizes={
            "state": STATE_BYTES,
            "rope": tables.nbytes,
            **({"w": max(f.offset + 4 * f.words for f in weights)} if weights else {}),
            "qkv": 4 * tokens * width,
            "q": q_bytes,
            "k": cache.k_bytes,
            "v": cache.v_bytes,
        },
        inputs={
            "state": (state_words(position=position, n_tokens=tokens, sinks=_SINKS),),
            "rope": table_fills,
            **({"w": weights} if weights else {}),
            "qkv": tuple(fill for fills, _ in rows for fill in fills),
            "k": k_fills,
        },
        grid=params.grid(tier, tokens),
        expected=(
            *_expect_queries(params, looked, heads),
            *_expect_rows(cache, positions, heads),
            *_expect_sinks(cache, turned),
        ),
    )


def _position(cache: KvCache, tokens: int) -> int:
    far = cache.capacity * (1 + _FAR // cache.capacity)
    if tokens == 1:
        return far + _SINKS
    return MAX_SINKS - 4 if cache.sinks else far - 1


@dataclass(frozen=True, slots=True)
class _Sinks:
    """The sinks that a step turns: how many, and the position of the first."""

    count: int
    first: int

    @classmethod
    def of(cls, cache: KvCache, position: int) -> _Sinks:
        number = sink_count(cache, position, _SINKS)
        return cls(number, oldest_key(cache, position) - number)

    @property
    def positions(self) -> range:
        return range(self.first, self.first + self.count)


def fill_tables(
    rope_dim: int, positions: set[int], seeds: Iterator[int]
) -> tuple[tuple[Fill, ...], npt.NDArray[np.float32]]:
    """The entries of these positions' bytes. Any numbers do: the kernel multiplies complex numbers,
    on the unit circle or not."""
    entries = {(b, position >> 8 * b & 255) for position in positions for b in range(BYTES)}
    tables = np.zeros((BYTES, 256, rope_dim // 2, 2), np.float32)
    fills: list[Fill] = []
    for b, v in sorted(entries):
        start = (b * 256 + v) * 4 * rope_dim
        found, values = fill_floats(start, range(rope_dim), seeds)
        fills += found
        tables[b, v] = values.reshape(-1, 2)
    return tuple(fills), tables


def fill_norms(
    offsets: tuple[int | None, int | None], head_dim: int, seeds: Iterator[int]
) -> tuple[tuple[Fill, ...], Floats | None, Floats | None]:
    """Fills of both norm weights (offsets in 16 bytes), and their values where there is one."""
    fills: list[Fill] = []
    values: list[Floats | None] = []
    for offset in offsets:
        if offset is None:
            values.append(None)
            continue
        found, weight = fill_floats(16 * offset, range(head_dim), seeds)
        fills += found
        values.append(weight)
    return tuple(fills), values[0], values[1]


def _expect_queries(params: QkvRope, looked: list[int], heads: Heads) -> Iterator[Expected]:
    d, turning = params.cache.head_dim, params.rope_dim
    edges = {0, 1, turning // 2 - 1, turning // 2, turning - 1, min(turning, d - 1), d - 2, d - 1}
    columns = sorted(edges)
    for i, t in enumerate(looked):
        for h in sorted({0, params.n_heads - 1}):
            start = 4 * (t * params.n_heads + h) * d
            yield from expect("q", start, columns, heads.q[i, h, columns])


def _expect_rows(cache: KvCache, positions: list[int], heads: Heads) -> Iterator[Expected]:
    for i, position in enumerate(positions):
        for h in sorted({0, cache.n_kv_heads - 1}):
            row = position % cache.capacity
            yield from expect_head(cache, "k", row, h, heads.k[i, h])
            yield from expect_head(cache, "v", row, h, heads.v[i, h])
            if position < cache.max_sinks:
                kept = cache.capacity + position
                yield from expect_head(cache, "k", kept + MAX_SINKS, h, heads.plain_k[i, h])
                yield from expect_head(cache, "v", kept, h, heads.v[i, h])


def _expect_sinks(cache: KvCache, turned: list[Floats]) -> Iterator[Expected]:
    for t, keys in enumerate(turned):
        for h in sorted({0, cache.n_kv_heads - 1}):
            yield from expect_head(cache, "k", cache.capacity + t, h, keys[h])
    if turned:
        beyond = 4 * (cache.capacity + len(turned)) * cache.row_words
        yield Expected("k", beyond, words=(0,))
