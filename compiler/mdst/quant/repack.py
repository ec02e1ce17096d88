"""GGUF blocks → planes of a slice, and back: a bijection on bits, streamed by row ranges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from .block import Format, Plane, Regroup, Swap
from .layout import SliceLayout, slice_layout

Bytes = npt.NDArray[np.uint8]

_SLAB = 1 << 19
"""Bytes of blocks regrouped at a time: small enough that all passes over them stay in cache."""
_LOW_HALVES: Mapping[int, np.uint32] = {
    1: np.uint32(0x55555555),
    2: np.uint32(0x33333333),
    4: np.uint32(0x0F0F0F0F),
}
"""Shift of a swap → the low half of every group of 2·shift bits."""


def _swap(words: npt.NDArray[np.uint32], swap: Swap) -> None:
    pairs = words.reshape(-1, 2, swap.distance)
    low, high = pairs[:, 0], pairs[:, 1]
    shift = np.uint32(swap.shift)
    moved = low >> shift
    moved ^= high
    moved &= _LOW_HALVES[swap.shift]
    high ^= moved
    moved <<= shift
    low ^= moved


def _transpose(words: npt.NDArray[np.uint32], rows: int, columns: int, run: int) -> None:
    grid = words.reshape(-1, rows, columns, run)
    words[:] = grid.swapaxes(1, 2).copy().reshape(-1)


def _regroup(words: npt.NDArray[np.uint32], how: Regroup) -> None:
    for swap in how.swaps:
        _swap(words, swap)
    if how.transpose != (1, 1, 1):
        _transpose(words, *how.transpose)


def _ungroup(words: npt.NDArray[np.uint32], how: Regroup) -> None:
    rows, columns, run = how.transpose
    if how.transpose != (1, 1, 1):
        _transpose(words, columns, rows, run)
    for swap in reversed(how.swaps):
        _swap(words, swap)


def _view(format: Format, blocks: Bytes, plane: Plane) -> npt.NDArray[np.void]:
    """The bytes of `plane` in every block, one opaque value per block."""
    record = np.dtype(
        {
            "names": ["plane"],
            "formats": [f"V{plane.bytes}"],
            "offsets": [format.offset(plane)],
            "itemsize": format.bytes,
        }
    )
    return blocks.reshape(-1).view(record)["plane"]


def _slabs(format: Format, n_blocks: int) -> Iterator[tuple[int, int]]:
    step = max(1, _SLAB // format.bytes)
    for first in range(0, n_blocks, step):
        yield first, min(first + step, n_blocks)


def pack(format: Format, blocks: Bytes) -> dict[str, Bytes]:
    """Planes of `blocks` (uint8 [n, format.bytes], C order): name → uint8 [n · plane.bytes], in
    slice order, without padding."""
    n = blocks.size // format.bytes
    planes = {plane.name: np.empty(n * plane.bytes, np.uint8) for plane in format.planes}
    for first, last in _slabs(format, n):
        slab = blocks.reshape(n, -1)[first:last]
        for plane in format.planes:
            out = planes[plane.name][first * plane.bytes : last * plane.bytes]
            out.view(f"V{plane.bytes}")[:] = _view(format, slab, plane)
            if plane.regroup:
                _regroup(out.view("<u4"), plane.regroup)
    return planes


def unpack(format: Format, planes: Mapping[str, Bytes]) -> Bytes:
    """The inverse of `pack`: uint8 [n, format.bytes]."""
    n = planes[format.planes[0].name].size // format.planes[0].bytes
    blocks = np.empty((n, format.bytes), np.uint8)
    for first, last in _slabs(format, n):
        for plane in format.planes:
            piece = planes[plane.name][first * plane.bytes : last * plane.bytes]
            if plane.regroup:
                piece = piece.copy()
                _ungroup(piece.view("<u4"), plane.regroup)
            _view(format, blocks[first:last], plane)[:] = piece.view(f"V{plane.bytes}")
    return blocks


def pack_rows(layout: SliceLayout, raw: Bytes, first_row: int) -> Iterator[tuple[int, Bytes]]:
    """Repacks consecutive rows of a slice, GGUF bytes `raw` (uint8, C order) starting at row
    `first_row` of it: yields (byte offset in the slice, data) per plane. Row ranges that cover the
    slice write every byte of it but the padding, which is to be zero."""
    before = first_row * layout.row_blocks
    planes = pack(layout.format, raw)
    for plane in layout.format.planes:
        yield layout.offsets[plane.name] + before * plane.bytes, planes[plane.name]


def unpack_rows(layout: SliceLayout, packed: Bytes, first_row: int, rows: int) -> Bytes:
    """GGUF bytes of `rows` rows of the slice `packed` (uint8 [layout.total]), from `first_row` on:
    uint8 [rows, bytes per row]. It reads only what belongs to these rows."""
    before, n = first_row * layout.row_blocks, rows * layout.row_blocks
    planes = {}
    for plane in layout.format.planes:
        start = layout.offsets[plane.name] + before * plane.bytes
        planes[plane.name] = packed[start : start + n * plane.bytes]
    return unpack(layout.format, planes).reshape(rows, -1)


def pack_slice(format: Format, raw: Bytes, rows: int, cols: int) -> Bytes:
    """A whole slice: GGUF bytes of `rows` × `cols` weights → uint8 [slice_layout(…).total]."""
    layout = slice_layout(format, rows, cols)
    packed = np.zeros(layout.total, np.uint8)
    for offset, data in pack_rows(layout, raw, 0):
        packed[offset : offset + data.size] = data
    return packed


def unpack_slice(format: Format, packed: Bytes, rows: int, cols: int) -> Bytes:
    """The inverse of `pack_slice`: GGUF bytes, uint8 [rows, bytes per row]."""
    return unpack_rows(slice_layout(format, rows, cols), packed, 0, rows)
