"""Known answers look at some rows only: fills and expectations for lists of indices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from ..case import UNIT, Expected, Fill, rounded

Floats = npt.NDArray[np.float64]


def runs(indices: Iterable[int]) -> list[tuple[int, int]]:
    """(first, end) of each run of consecutive integers in ascending `indices`."""
    found: list[tuple[int, int]] = []
    for i in indices:
        if found and found[-1][1] == i:
            found[-1] = (found[-1][0], i + 1)
        else:
            found.append((i, i + 1))
    return found


def fill_floats(
    start: int, indices: Iterable[int], seeds: Iterator[int]
) -> tuple[tuple[Fill, ...], Floats]:
    """Fills that put random float32 at elements `indices` (ascending) of a vector at byte `start`,
    and their values."""
    fills = tuple(
        Fill(start + 4 * first, end - first, next(seeds), UNIT) for first, end in runs(indices)
    )
    return fills, np.concatenate([f.data().view(np.float32) for f in fills]).astype(np.float64)


def expect(binding: str, start: int, indices: Sequence[int], values: Floats) -> list[Expected]:
    """What elements `indices` (ascending) of the float32 vector at byte `start` of a binding must
    be."""
    found, at = [], 0
    for first, end in runs(indices):
        count = end - first
        found.append(Expected(binding, start + 4 * first, rounded(values[at : at + count])))
        at += count
    return found
