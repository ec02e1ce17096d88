"""THE table of block formats: the fields of a GGUF block, and the planes that a repacked slice has.

A GGUF tensor is a run of equal blocks of 1, 32 or 256 weights. Repacking takes every block apart,
field by field, and lays equal fields side by side in planes, so that neighbouring GPU lanes read
neighbouring 16-byte words. It moves bits and never changes, drops or adds one.

A slice of R rows × C columns holds its planes one after another, each padded to 16 bytes. Within a
plane, blocks are in the order of the tensor: b = row · (C / block) + i. Kernels work in chunks of
32 consecutive weights of a row, numbered alike: chunk = row · (C / 32) + i.

Fields follow ggml's `ggml-common.h` (llama.cpp); the test compares their sizes with `gguf`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from gguf.constants import GGMLQuantizationType

from ..errors import UnsupportedError

CHUNK = 32
"""Weights that one call of a kernel's decoder yields."""
ALIGNMENT = 16
"""Bytes of a `vec4<u32>` or `v128`; every plane starts at a multiple of it."""


@dataclass(frozen=True, slots=True)
class Field:
    """`count` values of numpy type `dtype`, packed, in a GGUF block."""

    name: str
    dtype: str
    count: int = 1

    @property
    def bytes(self) -> int:
        return self.count * np.dtype(self.dtype).itemsize


@dataclass(frozen=True, slots=True)
class Swap:
    """Exchanges code bits between the u32 words w and w + `distance` of a plane's block, for all w
    whose bit `distance` is 0: the high half of each 2·`shift`-bit group of word w against the low
    half of the same group of word w + `distance`. It is its own inverse (the butterfly step of a
    bit-matrix transpose; Warren, Hacker's Delight, 7-3)."""

    distance: int
    shift: int


@dataclass(frozen=True, slots=True)
class Regroup:
    """How the u32 words of a plane's block come from its field: all `swaps` in order, then words
    seen as [groups, rows, columns, run] with rows and columns exchanged, where
    `transpose` = (rows, columns, run)."""

    swaps: tuple[Swap, ...]
    transpose: tuple[int, int, int] = (1, 1, 1)


@dataclass(frozen=True, slots=True)
class Plane:
    """Neighbouring fields of the block, kept together; `regroup` None leaves them as they are."""

    name: str
    fields: tuple[Field, ...]
    regroup: Regroup | None = None

    @property
    def bytes(self) -> int:
        """Bytes per block."""
        return sum(f.bytes for f in self.fields)


@dataclass(frozen=True, slots=True)
class Format:
    """A GGUF block of `block` weights: `fields` in file order, `planes` in slice order. Every field
    is in exactly one plane."""

    type: GGMLQuantizationType
    block: int
    fields: tuple[Field, ...]
    planes: tuple[Plane, ...]

    @property
    def bytes(self) -> int:
        """Bytes per block."""
        return sum(f.bytes for f in self.fields)

    @property
    def dtype(self) -> np.dtype[np.void]:
        """The block as a packed numpy record."""
        return np.dtype([(f.name, f.dtype, (f.count,)) for f in self.fields])

    def offset(self, plane: Plane) -> int:
        """Where the fields of `plane` start in the GGUF block, in bytes."""
        first = self.fields.index(plane.fields[0])
        return sum(f.bytes for f in self.fields[:first])


@dataclass(frozen=True, slots=True)
class SliceLayout:
    """Where the planes of `rows` × `cols` weights lie: `offsets` (bytes) from its start."""

    format: Format
    rows: int
    cols: int
    offsets: Mapping[str, int]
    total: int
    """Bytes, padding included: a multiple of 16."""

    @property
    def row_blocks(self) -> int:
        """Blocks per row."""
        return self.cols // self.format.block

    def vec4_offsets(self, start: int) -> tuple[tuple[str, int], ...]:
        """Plane starts in `vec4<u32>` from the start of a binding in which the slice begins at byte
        `start` (a multiple of 16)."""
        return tuple((name, (start + o) // ALIGNMENT) for name, o in self.offsets.items())


# 32-byte groups whose low nibbles are one 32-weight sub-block and high nibbles the next → 16-byte
# chunks of one sub-block: byte i holds weight i (low) and weight i + 16 (high).
_NIBBLES = Regroup((Swap(4, 4),))
# The same from Q6_K's 64-byte groups: low nibbles are sub-blocks 0 and 1, high ones 2 and 3.
_NIBBLES_Q6 = Regroup((Swap(4, 4),), transpose=(2, 2, 4))
# Bit j of byte l belongs to weight l of sub-block j → one u32 per sub-block, where bit k of byte c
# belongs to weight 4k + c: a transpose of 8 × 8 bits in each of the four byte lanes.
_FIFTH_BITS = Regroup((Swap(1, 1), Swap(2, 2), Swap(4, 4)))
# Bits 2s and 2s + 1 of byte l belong to weight l of sub-block s → two u32 per sub-block, for its
# weights 0..15 and 16..31, where bits 2k and 2k + 1 of byte c belong to weight 4k + c of the half.
_HIGH_PAIRS = Regroup((Swap(1, 2), Swap(2, 4)), transpose=(2, 4, 1))

_D = Field("d", "<f2")
_HEADER = (_D, Field("dmin", "<f2"), Field("scales", "u1", 12))
_Q4 = Field("qs", "u1", 16)
_Q8 = Field("qs", "i1", 32)
_QK = Field("qs", "u1", 128)
_QH5 = Field("qh", "u1", 32)
_QL6 = Field("ql", "u1", 128)
_QH6 = Field("qh", "u1", 64)
_SCALES6 = Field("scales", "i1", 16)


def _plain(type: GGMLQuantizationType, dtype: str) -> Format:
    """A float type: one value per block, one plane."""
    fields = (Field("x", dtype),)
    return Format(type, 1, fields, (Plane("x", fields),))


_T = GGMLQuantizationType
_TABLE = (
    _plain(_T.F32, "<f4"),
    _plain(_T.F16, "<f2"),
    _plain(_T.BF16, "<u2"),
    Format(_T.Q4_0, 32, (_D, _Q4), (Plane("q", (_Q4,)), Plane("d", (_D,)))),
    Format(_T.Q8_0, 32, (_D, _Q8), (Plane("q", (_Q8,)), Plane("d", (_D,)))),
    Format(
        _T.Q4_K,
        256,
        (*_HEADER, _QK),
        (Plane("header", _HEADER), Plane("q", (_QK,), _NIBBLES)),
    ),
    Format(
        _T.Q5_K,
        256,
        (*_HEADER, _QH5, _QK),
        (Plane("header", _HEADER), Plane("q", (_QK,), _NIBBLES), Plane("h", (_QH5,), _FIFTH_BITS)),
    ),
    Format(
        _T.Q6_K,
        256,
        (_QL6, _QH6, _SCALES6, _D),
        (
            Plane("ql", (_QL6,), _NIBBLES_Q6),
            Plane("qh", (_QH6,), _HIGH_PAIRS),
            Plane("scales", (_SCALES6,)),
            Plane("d", (_D,)),
        ),
    ),
)

FORMATS: Mapping[GGMLQuantizationType, Format] = MappingProxyType({f.type: f for f in _TABLE})
"""Every supported GGUF tensor type."""


def format_of(type: GGMLQuantizationType) -> Format:
    """The format of a tensor type. Raises UnsupportedError for a type that is not in the table."""
    if type not in FORMATS:
        raise UnsupportedError(
            "QUANT001",
            f"tensor type {type.name} is not supported "
            f"(supported: {', '.join(t.name for t in FORMATS)})",
        )
    return FORMATS[type]


def format_named(name: str) -> Format:
    """The format of a tensor type by its GGUF name. Raises UnsupportedError as `format_of`."""
    return format_of(GGMLQuantizationType[name])


def slice_layout(format: Format, rows: int, cols: int) -> SliceLayout:
    """The planes of `rows` × `cols` weights. Raises UnsupportedError when `cols` is not a multiple
    of 32 and of the format's block."""
    unit = max(CHUNK, format.block)
    if cols % unit:
        raise UnsupportedError(
            "QUANT002",
            f"a {format.type.name} matrix with rows of {cols} weights is not supported "
            f"(only multiples of {unit})",
        )
    offsets, end = {}, 0
    for plane in format.planes:
        offsets[plane.name] = end
        size = rows * (cols // format.block) * plane.bytes
        end += -(-size // ALIGNMENT) * ALIGNMENT
    return SliceLayout(format, rows, cols, MappingProxyType(offsets), end)
