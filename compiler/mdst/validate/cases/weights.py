"""Rows of a weight part filled with random block bytes, and the weights that they mean.

Any bits are valid codes; only float fields (scales, headers, plain weights) are kept to sizes that
sum up well. The bytes are decoded through `quant`, the kernels' own source of truth.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...codegen.part import Part
from ...quant.block import Field, Format, Number, Plane
from ...quant.decode import decode_rows
from ...quant.grids import grid_bytes, packed_grid
from ...quant.layout import FORMATS, slice_layout
from ...quant.repack import unpack
from ..case import Fill, Kind, Pattern, Words
from ..reference.matmul import Matrix
from .rows import fill_floats

_FORMATS: Mapping[str, Format] = {format.type.name: format for format in FORMATS.values()}
_ALIGNMENT = 16
"""Bytes of `Kind`'s pattern, to which fills are widened so that it meets the fields."""
_MASKS: Mapping[Number | None, tuple[bytes, bytes]] = {
    None: (b"\xff", b"\x00"),  # codes of any bits
    "f32": (b"\xff\xff\x7f\x80", b"\x00\x00\x00\x3f"),  # of either sign, in [1/2, 1)
    "f16": (b"\xff\x83", b"\x00\x2c"),  # of either sign, in [1/16, 1/8)
    "bf16": (b"\x7f\x80", b"\x00\x3f"),  # as f32
    "e8m0": (b"\x07", b"\x78"),  # half of it in [2^-8, 1/2]
    "ue4m3": (b"\x1f", b"\x20"),  # half of it in [1/16, 1)
    "split f16": (b"\xff\xff\xff\xff\xff\x3f\xff\x8f", b"\0\0\0\0\x00\xc0\x00\x20"),  # as f16
}
"""What a field holds → bits kept of random ones, bits added."""
_SMALL_F16 = (b"\xff\x87", b"\x00\x00")
"""The same for f16 of either sign below 2^-13, half of them subnormal."""


@dataclass(frozen=True, slots=True)
class Filled:
    """Fills of the weight binding, and what the filled rows hold."""

    fills: tuple[Fill, ...]
    matrix: Matrix


def _masks(field: Field, small: bool) -> tuple[bytes, bytes]:
    keep, add = _SMALL_F16 if small and field.number == "f16" else _MASKS[field.number]
    times = field.bytes // len(keep)
    return keep * times, add * times


def _pattern(masks: Iterable[bytes]) -> Pattern:
    raw = np.resize(np.frombuffer(b"".join(masks), np.uint8), _ALIGNMENT)
    a, b, c, d = raw.view("<u4").tolist()
    return a, b, c, d


def _kind(plane: Plane, small: bool) -> Kind:
    masks = [_masks(field, small) for field in plane.fields]
    return Kind(_pattern(keep for keep, _ in masks), _pattern(add for _, add in masks))


def _fill_plane(
    start: int, row_bytes: int, rows: Sequence[int], kind: Kind, seeds: Iterator[int]
) -> tuple[list[Fill], npt.NDArray[np.uint8]]:
    """Fills for the bytes of `rows` (ascending) in a plane at byte `start`, and those bytes."""
    fills: list[Fill] = []
    pieces: list[npt.NDArray[np.uint8]] = []
    for first, end in _ranges(rows, row_bytes):
        fill = Fill(start + first, (end - first) // 4, next(seeds), kind)
        fills.append(fill)
        data = fill.data().view(np.uint8)
        inside = (r * row_bytes - first for r in rows if first <= r * row_bytes < end)
        pieces += [data[at : at + row_bytes] for at in inside]
    return fills, np.concatenate(pieces)


def _ranges(rows: Sequence[int], row_bytes: int) -> list[tuple[int, int]]:
    """Byte ranges that cover the rows: whole patterns, none overlapping another."""
    found: list[tuple[int, int]] = []
    for r in rows:
        first = r * row_bytes // _ALIGNMENT * _ALIGNMENT
        end = -(-(r + 1) * row_bytes // _ALIGNMENT) * _ALIGNMENT
        if found and first <= found[-1][1]:
            first = found.pop()[0]
        found.append((first, end))
    return found


def fill_part(
    part: Part, rows: Sequence[int], seeds: Iterator[int], *, small: bool = False
) -> Filled:
    """Random weights (bias and scale too, if it has them) in `rows` (ascending) of `part`. With
    `small`, float16 scales are near the smallest, so that the answers are wrong where a device
    takes subnormal ones for zeros."""
    format = _FORMATS[part.type]
    row_blocks = part.cols // format.block
    fills: list[Fill] = []
    planes = {}
    for plane in format.planes:
        start = part.planes[plane.name] * _ALIGNMENT
        new, planes[plane.name] = _fill_plane(
            start, row_blocks * plane.bytes, rows, _kind(plane, small), seeds
        )
        fills += new
    weights = decode_rows(format, unpack(format, planes), len(rows), part.cols)
    bias = scale = None
    if part.bias is not None:
        new_fills, bias = fill_floats(part.bias * _ALIGNMENT, rows, seeds)
        fills += new_fills
    if part.scale is not None:
        new_fills, values = fill_floats(part.scale * _ALIGNMENT, [0], seeds)
        fills += new_fills
        scale = float(values[0])
    return Filled(tuple(fills), Matrix(weights.astype(np.float64), bias, scale))


def grid_words(parts: Iterable[Part]) -> tuple[Words, ...]:
    """The code books that parts of one binding refer to, each once."""
    places = {
        part.planes["grid"]: grid
        for part in parts
        if (grid := _FORMATS[part.type].grid) is not None
    }
    return tuple(
        Words(start * _ALIGNMENT, tuple(packed_grid(grid).view("<u4").tolist()))
        for start, grid in places.items()
    )


def part_end(part: Part) -> int:
    """The first byte of the binding after all that the part refers to, a multiple of 16."""
    layout = slice_layout(_FORMATS[part.type], part.rows, part.cols)
    ends = [
        part.planes[plane.name] * _ALIGNMENT + part.rows * layout.row_blocks * plane.bytes
        for plane in layout.format.planes
    ]
    if layout.format.grid is not None:
        ends.append(part.planes["grid"] * _ALIGNMENT + grid_bytes(layout.format.grid))
    if part.bias is not None:
        ends.append(part.bias * _ALIGNMENT + 4 * part.rows)
    if part.scale is not None:
        ends.append(part.scale * _ALIGNMENT + 4)
    return -(-max(ends) // _ALIGNMENT) * _ALIGNMENT


def region_bytes(parts: Iterable[Part], norm_offset: int | None = None) -> int:
    """Size of the binding of `parts`, and of a norm weight γ as wide as they at `norm_offset` (in
    16 bytes)."""
    parts = tuple(parts)
    ends = [part_end(part) for part in parts]
    if norm_offset is not None:
        ends.append(norm_offset * _ALIGNMENT + 4 * parts[0].cols)
    return max(ends)
