"""Known answers look at some rows only: fills and expectations for lists of indices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from ...quant.interleave import interleaved_index
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
    start: int, indices: Iterable[int], seeds: Iterator[int], length: int | None = None
) -> tuple[tuple[Fill, ...], Floats]:
    """Fills that put random float32 at values `indices` (ascending) of a vector at byte `start`,
    and those values. `length`: the vector has so many values and is interleaved."""
    wanted = np.array(list(indices))
    stored = _stored(wanted, length)
    order = np.argsort(stored)
    fills = tuple(
        Fill(start + 4 * first, end - first, next(seeds), UNIT)
        for first, end in runs(stored[order].tolist())
    )
    values = np.empty(wanted.size)
    values[order] = np.concatenate([f.data().view(np.float32) for f in fills])
    return fills, values


def expect(
    binding: str, start: int, indices: Sequence[int], values: Floats, length: int | None = None
) -> list[Expected]:
    """What values `indices` (ascending) of the float32 vector at byte `start` of a binding must be.
    `length`: see fill_floats."""
    stored = _stored(np.array(indices), length)
    order = np.argsort(stored)
    found, at = [], 0
    for first, end in runs(stored[order].tolist()):
        part = values[order[at : at + end - first]]
        found.append(Expected(binding, start + 4 * first, rounded(part)))
        at += end - first
    return found


def _stored(indices: npt.NDArray[np.int64], length: int | None) -> npt.NDArray[np.int64]:
    """Where the values stand in memory."""
    if length is None:
        return indices
    return np.array([interleaved_index(int(i), length) for i in indices])
