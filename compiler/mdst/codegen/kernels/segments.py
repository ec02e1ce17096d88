"""Rows of several parts → workgroups: shared by the matrix kernels, whose workgroups never span two
parts (they would need two decoders)."""

from __future__ import annotations

from dataclasses import dataclass

from ..part import Part


@dataclass(frozen=True, slots=True)
class Segment:
    """`groups` consecutive workgroups from `first_group` on, which compute `rows` consecutive
    outputs from `first_row` on. `parts` numbers the parts that every output needs: one, or gate
    and up."""

    parts: tuple[int, ...]
    rows: int
    first_row: int
    first_group: int
    groups: int

    @property
    def end_group(self) -> int:
        return self.first_group + self.groups


def segments(parts: tuple[Part, ...], gated: bool, group_rows: int) -> tuple[Segment, ...]:
    """One segment per part, or a single one when two parts of equal rows are `gated`, for
    workgroups of `group_rows` outputs each."""
    found: list[Segment] = []
    row = group = 0
    for numbers in [(0, 1)] if gated else [(i,) for i in range(len(parts))]:
        rows = parts[numbers[0]].rows
        groups = -(-rows // group_rows)
        found.append(Segment(numbers, rows, row, group, groups))
        row, group = row + rows, group + groups
    return tuple(found)
