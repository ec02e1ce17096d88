"""The key-value cache as plain arrays: its rows as numbers, and which rows a query sees."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...codegen.kernels.kv_cache import KvCache

Floats = npt.NDArray[np.float64]
Words = npt.NDArray[np.uint32]


def to_words(cache: KvCache, values: npt.ArrayLike) -> Words:
    """Numbers [n, …] as the cache stores them: uint32 [n · … / values_per_word]."""
    dtype = "<f2" if cache.format == "f16" else "<f4"
    return np.ascontiguousarray(values, dtype).reshape(-1).view(np.uint32)


def from_words(cache: KvCache, words: Words) -> Floats:
    """Rows [n, Hkv, D] of words [n · row_words]."""
    numbers = np.ascontiguousarray(words).view("<f2" if cache.format == "f16" else "<f4")
    return numbers.astype(np.float64).reshape(-1, cache.n_kv_heads, cache.head_dim)


def oldest_key(cache: KvCache, position: int) -> int:
    """The first ring key that a query at `position` sees."""
    return max(0, position - cache.window + 1)


def sink_count(cache: KvCache, position: int, sinks: int) -> int:
    """Tokens that a query at `position` sees in the slots for sinks; `sinks` is the state's."""
    return min(oldest_key(cache, position), sinks, cache.max_sinks)


def rows_in_sight(cache: KvCache, position: int, sinks: int) -> list[int]:
    """Cache rows that a query at `position` sees: sinks, then ring keys, oldest first."""
    kept = [cache.capacity + t for t in range(sink_count(cache, position, sinks))]
    ring = [j % cache.capacity for j in range(oldest_key(cache, position), position + 1)]
    return kept + ring
