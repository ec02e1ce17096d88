"""THE table of block formats: the fields of a GGUF block, and the planes that a repacked slice has.

A GGUF tensor is a run of equal blocks of 1, 32, 64, 128 or 256 weights. Repacking takes every block
apart, field by field, and lays equal fields side by side in planes, so that neighbouring GPU lanes
read neighbouring 16-byte words. It moves bits and never changes, drops or adds one.

A slice of R rows × C columns holds its planes one after another, each padded to 16 bytes. Within a
plane, blocks are in the order of the tensor: b = row · (C / block) + i. Kernels work in chunks of
32 consecutive weights of a row, numbered alike: chunk = row · (C / 32) + i.

Fields follow ggml's `ggml-common.h` (llama.cpp); the test compares their sizes with `gguf`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gguf.constants import GGMLQuantizationType

from ..errors import UnsupportedError
from .block import Field, Format, Number, Plane, Regroup, Swap

CHUNK = 32
"""Weights that one call of a kernel's decoder yields."""
ALIGNMENT = 16
"""Bytes of a `vec4<u32>` or `v128`; every plane starts at a multiple of it."""

# 32-byte groups whose low nibbles are one 32-weight sub-block and high nibbles the next → 16-byte
# chunks of one sub-block: byte i holds weight i (low) and weight i + 16 (high).
_NIBBLES = Regroup((Swap(4, 4),))
# The same from Q6_K's 64-byte groups: low nibbles are sub-blocks 0 and 1, high ones 2 and 3.
_NIBBLES_Q6 = Regroup((Swap(4, 4),), transpose=(2, 2, 4))
# The same from 8-byte groups whose low nibbles are 8 weights and high nibbles the next 8.
_NIBBLES_8 = Regroup((Swap(2, 4),))
# Bit j of byte l belongs to weight l of sub-block j → one u32 per sub-block, where bit k of byte c
# belongs to weight 4k + c: a transpose of 8 × 8 bits in each of the four byte lanes.
_BITS = Regroup((Swap(1, 1), Swap(2, 2), Swap(4, 4)))
# Bits 2s and 2s + 1 of byte l of 32 belong to weight l of sub-block s → two u32 per sub-block, for
# its weights 0..15 and 16..31, where bits 2k and 2k + 1 of byte c belong to weight 4k + c.
_PAIRS = Regroup((Swap(1, 2), Swap(2, 4)), transpose=(2, 4, 1))
# Eight words of indices, then eight of signs → index and sign word of each sub-block together.
_WORD_PAIRS = Regroup(transpose=(2, 8, 1))

_T = GGMLQuantizationType
_D = Field("d", "<f2", number="f16")
_M = Field("m", "<f2", number="f16")
_DMIN = Field("dmin", "<f2", number="f16")
_QH_WORD = Field("qh", "u1", 4)
_SCALES_12 = Field("scales", "u1", 12)
_SIGNS = Field("signs", "u1", 32)


def _plain(type: GGMLQuantizationType, dtype: str, number: Number) -> Format:
    """A float type: one value per block, one plane."""
    fields = (Field("x", dtype, number=number),)
    return Format(type, 1, fields, (Plane("x", fields),))


def _codes(bytes: int, dtype: str = "u1") -> Field:
    return Field("qs", dtype, bytes)


def _format(
    type: GGMLQuantizationType, block: int, *planes: Plane, order: str, grid: str | None = None
) -> Format:
    """A block whose fields lie in the file in the `order` of their names."""
    fields = {f.name: f for plane in planes for f in plane.fields}
    return Format(type, block, tuple(fields[name] for name in order.split()), planes, grid)


def _plane(name: str, *fields: Field, regroup: Regroup | None = None) -> Plane:
    return Plane(name, fields, regroup)


_TABLE = (
    _plain(_T.F32, "<f4", "f32"),
    _plain(_T.F16, "<f2", "f16"),
    _plain(_T.BF16, "<u2", "bf16"),
    # One scale for all weights of a block; Q*_1 add a minimum to every weight.
    _format(_T.Q4_0, 32, _plane("q", _codes(16)), _plane("d", _D), order="d qs"),
    _format(_T.Q4_1, 32, _plane("q", _codes(16)), _plane("dm", _D, _M), order="d m qs"),
    _format(
        _T.Q5_0,
        32,
        _plane("q", _codes(16)),
        _plane("h", _QH_WORD),
        _plane("d", _D),
        order="d qh qs",
    ),
    _format(
        _T.Q5_1,
        32,
        _plane("q", _codes(16)),
        _plane("h", _QH_WORD),
        _plane("dm", _D, _M),
        order="d m qh qs",
    ),
    _format(_T.Q8_0, 32, _plane("q", _codes(32, "i1")), _plane("d", _D), order="d qs"),
    _format(_T.Q1_0, 128, _plane("q", _codes(16)), _plane("d", _D), order="d qs"),
    # Super-blocks of 16 or 8 sub-blocks, each with a scale (and minimum) of its own.
    _format(
        _T.Q2_K,
        256,
        _plane("q", _codes(64), regroup=_PAIRS),
        _plane("scales", Field("scales", "u1", 16)),
        _plane("dm", _D, _DMIN),
        order="scales qs d dmin",
    ),
    _format(
        _T.Q3_K,
        256,
        _plane("q", _codes(64), regroup=_PAIRS),
        _plane("h", Field("hmask", "u1", 32), regroup=_BITS),
        _plane("scales", _SCALES_12),
        _plane("d", _D),
        order="hmask qs scales d",
    ),
    _format(
        _T.Q4_K,
        256,
        _plane("header", _D, _DMIN, _SCALES_12),
        _plane("q", _codes(128), regroup=_NIBBLES),
        order="d dmin scales qs",
    ),
    _format(
        _T.Q5_K,
        256,
        _plane("header", _D, _DMIN, _SCALES_12),
        _plane("q", _codes(128), regroup=_NIBBLES),
        _plane("h", Field("qh", "u1", 32), regroup=_BITS),
        order="d dmin scales qh qs",
    ),
    _format(
        _T.Q6_K,
        256,
        _plane("ql", Field("ql", "u1", 128), regroup=_NIBBLES_Q6),
        _plane("qh", Field("qh", "u1", 64), regroup=_PAIRS),
        _plane("scales", Field("scales", "i1", 16)),
        _plane("d", _D),
        order="ql qh scales d",
    ),
    # Codes are indices of a grid, whose entries are 8 (IQ1, IQ2) or 4 (IQ3) weights, with signs
    # beside them (IQ2, IQ3).
    _format(
        _T.IQ1_S,
        256,
        _plane("q", _codes(32)),
        _plane("h", Field("qh", "<u2", 8)),
        _plane("d", _D),
        order="d qs qh",
        grid="IQ1",
    ),
    _format(
        _T.IQ1_M,
        256,
        _plane("q", _codes(32)),
        _plane("h", Field("qh", "u1", 16)),
        _plane("scales", Field("scales", "<u2", 4, number="split f16")),
        order="qs qh scales",
        grid="IQ1",
    ),
    _format(
        _T.IQ2_XXS,
        256,
        _plane("q", _codes(16, "<u4")),
        _plane("d", _D),
        order="d qs",
        grid="IQ2_XXS",
    ),
    _format(
        _T.IQ2_XS,
        256,
        _plane("q", _codes(32, "<u2")),
        _plane("scales", Field("scales", "u1", 8)),
        _plane("d", _D),
        order="d qs scales",
        grid="IQ2_XS",
    ),
    _format(
        _T.IQ2_S,
        256,
        _plane("q", _codes(32), _SIGNS, regroup=_WORD_PAIRS),
        _plane("header", Field("qh", "u1", 8), Field("scales", "u1", 8)),
        _plane("d", _D),
        order="d qs signs qh scales",
        grid="IQ2_S",
    ),
    _format(
        _T.IQ3_XXS,
        256,
        _plane("q", _codes(64)),
        _plane("signs", Field("signs", "<u4", 8)),
        _plane("d", _D),
        order="d qs signs",
        grid="IQ3_XXS",
    ),
    _format(
        _T.IQ3_S,
        256,
        _plane("q", _codes(64)),
        _plane("h", Field("qh", "u1", 8)),
        _plane("signs", _SIGNS),
        _plane("scales", Field("scales", "u1", 4)),
        _plane("d", _D),
        order="d qs qh signs scales",
        grid="IQ3_S",
    ),
    # Codes choose one of 16 values.
    _format(_T.IQ4_NL, 32, _plane("q", _codes(16)), _plane("d", _D), order="d qs"),
    _format(
        _T.IQ4_XS,
        256,
        _plane("header", _D, Field("scales_h", "<u2"), Field("scales_l", "u1", 4)),
        _plane("q", _codes(128)),
        order="d scales_h scales_l qs",
    ),
    _format(
        _T.MXFP4,
        32,
        _plane("q", _codes(16)),
        _plane("e", Field("e", "u1", number="e8m0")),
        order="e qs",
    ),
    _format(
        _T.NVFP4,
        64,
        _plane("q", _codes(32), regroup=_NIBBLES_8),
        _plane("d", Field("d", "u1", 4, number="ue4m3")),
        order="d qs",
    ),
    # Codes are -1, 0, 1: five of them in a byte, or four.
    _format(
        _T.TQ1_0,
        256,
        _plane("q", _codes(48)),
        _plane("h", _QH_WORD),
        _plane("d", _D),
        order="qs qh d",
    ),
    _format(_T.TQ2_0, 256, _plane("q", _codes(64), regroup=_PAIRS), _plane("d", _D), order="qs d"),
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
