"""Lifetimes → offsets: activations share one arena where they are not alive together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from .limits import ALIGNMENT, align

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Interval(Generic[K]):
    """A tensor of `size` bytes that is written at step `first` and read last at step `last`."""

    key: K
    size: int
    first: int
    last: int

    def overlaps(self, other: Interval[K]) -> bool:
        """Whether both are alive at some step: outputs of a step never share bytes with inputs."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True, slots=True)
class Placement(Generic[K]):
    """`offsets` in bytes, multiples of ALIGNMENT; nothing lies at `peak` or after."""

    offsets: Mapping[K, int]
    peak: int


def plan_memory(intervals: Sequence[Interval[K]], base: int = 0) -> Placement[K]:
    """Places every interval at or after `base` so that no two that overlap in time overlap in
    space: largest first, each at the lowest gap it fits ("greedy by size", Pisarchyk & Lee,
    arXiv 2001.03288)."""
    base = align(base, ALIGNMENT)
    placed: list[tuple[Interval[K], int]] = []
    for interval in sorted(intervals, key=lambda i: (-i.size, i.first, i.last)):
        offset = base
        taken = sorted((o, align(p.size)) for p, o in placed if p.overlaps(interval))
        for start, size in taken:
            if offset + align(interval.size) <= start:
                break
            offset = max(offset, start + size)
        placed.append((interval, offset))
    peak = max((offset + align(i.size) for i, offset in placed), default=base)
    return Placement({interval.key: offset for interval, offset in placed}, peak)
