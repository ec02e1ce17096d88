"""Rows of a key-value cache in known answers: filled with random numbers, and expected back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from ...codegen.kernels.kv_cache import KvCache
from ..case import HALF_PAIR, UNIT, Expected, Fill
from ..reference.kv_cache import Floats, from_words, to_words
from .rows import expect, runs

_SAMPLES = 6
"""Places of a head that are looked at."""


def fill_rows(
    cache: KvCache, rows: Iterable[int], seeds: Iterator[int]
) -> tuple[tuple[Fill, ...], dict[int, Floats]]:
    """Fills for rows of a K or V buffer, and row → its numbers [Hkv, D]."""
    kind = HALF_PAIR if cache.format == "f16" else UNIT
    fills = []
    numbers: dict[int, Floats] = {}
    for first, end in runs(sorted(set(rows))):
        words = cache.row_words
        fills.append(Fill(4 * first * words, (end - first) * words, next(seeds), kind))
        found = from_words(cache, fills[-1].data())
        numbers |= zip(range(first, end), found, strict=True)
    return tuple(fills), numbers


def stored(cache: KvCache, rows: Floats) -> Floats:
    """[Hkv, D] as the cache gives it back."""
    [kept] = from_words(cache, to_words(cache, rows))
    return np.asarray(kept)


def expect_head(
    cache: KvCache, binding: str, row: int, kv_head: int, values: Floats
) -> list[Expected]:
    """Some of the numbers [D] of a head in a row that the kernel writes."""
    start = 4 * (row * cache.row_words + kv_head * cache.head_words)
    if cache.format == "f32":
        columns = _spread(range(cache.head_dim))
        return expect(binding, start, columns, values[columns])
    words = to_words(cache, _toward_zero(values))
    places = _spread(np.flatnonzero(_rounds_alike(values).reshape(-1, 2).all(axis=1)).tolist())
    return [Expected(binding, start + 4 * i, words=(int(words[i]),)) for i in places]


def _spread(places: Sequence[int]) -> list[int]:
    """The first, the last and some in between."""
    last = len(places) - 1
    return sorted({places[i * last // (_SAMPLES - 1)] for i in range(_SAMPLES)} if places else ())


def _steps(values: Floats) -> Floats:
    """Sizes in units of their last place in f16."""
    _, exponent = np.frexp(values)
    steps: Floats = np.ldexp(np.abs(values), 11 - exponent)
    return steps


def _toward_zero(values: Floats) -> Floats:
    _, exponent = np.frexp(values)
    cut: Floats = np.copysign(np.ldexp(np.floor(_steps(values)), exponent - 11), values)
    return cut


def _rounds_alike(values: Floats) -> npt.NDArray[np.bool_]:
    """Whether rounding to nearest and toward zero, which WGSL both allows, give the same f16 even
    if the number is off by its last float32 bits."""
    rest = _steps(values) % 1.0
    return (rest > 0.02) & (rest < 0.48) & (np.abs(values) > 2.0**-13) & (np.abs(values) < 60_000)
