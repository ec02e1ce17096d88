"""Tensor records → TensorInfos whose data is known to lie in the file, side by side."""

from __future__ import annotations

import math
from dataclasses import replace

from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from ..errors import printable
from . import limits
from .cursor import CUT_SHORT, Cursor
from .metadata import read_name
from .types import TensorInfo

_TYPES = {kind.value: kind for kind in GGMLQuantizationType}

# Numbers that GGML once used for packings it now makes at load time (ggml.h, enum ggml_type).
_REMOVED = {
    4: "Q4_2",
    5: "Q4_3",
    31: "Q4_0_4_4",
    32: "Q4_0_4_8",
    33: "Q4_0_8_8",
    36: "IQ4_NL_4_4",
    37: "IQ4_NL_4_8",
    38: "IQ4_NL_8_8",
}


def read_tensors(cursor: Cursor, count: int) -> dict[str, TensorInfo]:
    """The next `count` tensor records, in file order; offsets still relative to the data region.

    Raises MalformedError.
    """
    tensors: dict[str, TensorInfo] = {}
    for index in range(count):
        where = cursor.begin(f"tensor {index + 1} of {count}")
        name = read_name(cursor, "GGUF020", limits.TENSOR_NAME_BYTES)
        cursor.place = f"tensor {printable(name)}"
        if name in tensors:
            first = tensors[name].where
            raise cursor.malformed("GGUF021", f"appears twice, first at byte {first}")
        shape = _read_shape(cursor)
        kind = _read_type(cursor)
        size = _size(cursor, shape, kind)
        tensors[name] = TensorInfo(name, shape, kind, cursor.u64(), size, where)
    return tensors


def place_tensors(
    cursor: Cursor, tensors: dict[str, TensorInfo], start: int, alignment: int
) -> tuple[dict[str, TensorInfo], int]:
    """`tensors` with offsets counted from the start of the file, and the end of the padded data.

    The data region begins at `start`. As in ggml's reader (gguf.cpp), each tensor must begin at the
    padded end of the one before it: no overlaps, no gaps. Raises MalformedError.
    """
    placed: dict[str, TensorInfo] = {}
    expected = 0
    for name, info in tensors.items():
        cursor.place, cursor.record_start = f"tensor {printable(name)}", info.where
        if start + info.offset + info.size > cursor.source.size:
            raise cursor.malformed(
                "GGUF026",
                f"data {start} + {info.offset} + {info.size} exceeds "
                f"the file size {cursor.source.size}",
                hint=CUT_SHORT if info.offset == expected else None,
            )
        if info.offset % alignment:
            raise cursor.malformed(
                "GGUF027", f"data offset {info.offset} is not a multiple of {alignment}"
            )
        if info.offset != expected:
            fault = "overlaps the tensor before it" if info.offset < expected else "leaves a gap"
            raise cursor.malformed(
                "GGUF028", f"data offset {info.offset} {fault}; must be {expected}"
            )
        placed[name] = replace(info, offset=start + info.offset)
        expected = align(info.offset + info.size, alignment)
    return placed, start + expected


def align(offset: int, alignment: int) -> int:
    """The first multiple of `alignment` that is not below `offset`."""
    return -(-offset // alignment) * alignment


def _read_shape(cursor: Cursor) -> tuple[int, ...]:
    count = cursor.u32()
    if not 1 <= count <= limits.DIMENSIONS:
        raise cursor.malformed("GGUF022", f"{count} dimensions; must be 1 to {limits.DIMENSIONS}")
    ne = [cursor.u64() for _ in range(count)]
    for axis, extent in enumerate(ne):
        if not 1 <= extent <= limits.DIMENSION:
            raise cursor.malformed(
                "GGUF023", f"ne[{axis}] is {extent}; must be 1 to {limits.DIMENSION}"
            )
    return tuple(reversed(ne))


def _read_type(cursor: Cursor) -> GGMLQuantizationType:
    number = cursor.u32()
    if number in _REMOVED:
        raise cursor.malformed(
            "GGUF024", f"type {number} ({_REMOVED[number]}) was removed from GGML"
        )
    if number not in _TYPES:
        raise cursor.malformed("GGUF024", f"type {number} is unknown to GGML")
    return _TYPES[number]


def _size(cursor: Cursor, shape: tuple[int, ...], kind: GGMLQuantizationType) -> int:
    """Bytes of the data, in exact integers: a product of u64 would wrap."""
    block, block_bytes = GGML_QUANT_SIZES[kind]
    if shape[-1] % block:
        raise cursor.malformed(
            "GGUF025",
            f"rows of {shape[-1]} weights do not divide into {kind.name} blocks of {block}",
        )
    return math.prod(shape) // block * block_bytes
