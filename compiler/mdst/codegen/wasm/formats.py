"""Block formats as the WASM kernels see them: how codes meet activations, what surrounds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ...quant.layout import CHUNK, format_named
from .variants import Variant

Kind = Literal["i16", "i7", "f32"]
"""Codes and activations as 16-bit integers; codes of 7 bits and activations of 8; floats."""

GROUP = 8
"""Chunks that a decoder takes at a time: a super-block of 256 weights."""
_CODE_BYTES = {"i16": 2, "i7": 1, "f32": 4}
_FLOATS = ("F32", "F16", "BF16")
_SIGNED = ("Q8_0", "IQ4_NL", "IQ4_XS", "MXFP4", "NVFP4")
_HALVES = ("Q2_K", "Q3_K", "Q6_K", "NVFP4", "IQ2_XS", "IQ2_S", "IQ1_M")


@dataclass(frozen=True, slots=True)
class WasmPlane:
    """`bytes` per block of `block` weights."""

    name: str
    bytes: int
    block: int

    @property
    def group_bytes(self) -> int:
        return self.bytes * GROUP * CHUNK // self.block

    def row_bytes(self, chunks: int) -> int:
        return self.bytes * (chunks * CHUNK // self.block)


@dataclass(frozen=True, slots=True)
class WasmFormat:
    """A type by its GGUF name. `grid`: it looks up a code book. `signed`: its codes are. `halves`:
    16 weights share a scale, not 32. `shifted`: something is subtracted from scale · code."""

    name: str
    planes: tuple[WasmPlane, ...]
    grid: bool
    kind: Kind
    signed: bool
    halves: bool
    shifted: bool

    @property
    def fused(self) -> bool:
        """Whether one token's products come straight from the packed row."""
        return self.kind != "f32" and not self.grid

    @property
    def code_bytes(self) -> int:
        """Bytes of a decoded code."""
        return _CODE_BYTES[self.kind]

    @property
    def vectors(self) -> int:
        """Vectors of four scales in a group."""
        return GROUP * (2 if self.halves else 1) // 4

    def shape(self, chunks: int) -> Shape:
        """Of rows of `chunks` chunks."""
        rounded = chunks if self.kind == "f32" else -(-chunks // GROUP) * GROUP
        return Shape(self.kind, self.halves, self.shifted, rounded)


@dataclass(frozen=True, slots=True)
class Shape:
    """A decoded row and the activations that it meets, which no longer know their type. Decoded
    row: codes, scales, shifts. Record of a token's activations: integers, then float32 scales per
    chunk, sums per chunk, and both again per half chunk. Sizes and offsets are bytes."""

    kind: Kind
    halves: bool
    shifted: bool
    chunks: int

    @property
    def code_bytes(self) -> int:
        return _CODE_BYTES[self.kind]

    @property
    def code_total(self) -> int:
        return CHUNK * self.code_bytes * self.chunks

    @property
    def shifts_at(self) -> int:
        """From the scales of a decoded row."""
        return self.chunks * (8 if self.halves else 4)

    @property
    def row(self) -> int:
        return self.code_total + (0 if self.kind == "f32" else 2 * self.shifts_at)

    @property
    def record(self) -> int:
        return record_bytes(self.kind, self.chunks)

    @property
    def scales_at(self) -> int:
        """From the start of a record."""
        return self.code_total + (8 * self.chunks if self.halves else 0)

    @property
    def sums_at(self) -> int:
        """From the scales of a record."""
        return self.chunks * (8 if self.halves else 4)


def record_bytes(kind: Kind, chunks: int) -> int:
    """A token's activations of `chunks` chunks (rounded up to a group, but for floats)."""
    return chunks * (CHUNK * _CODE_BYTES[kind] + (0 if kind == "f32" else 24))


def wasm_format(name: str, variant: Variant) -> WasmFormat:
    """How modules of a variant read the type `name`."""
    format = format_named(name)
    floats = name in _FLOATS
    signed = name in _SIGNED or format.grid is not None
    kind: Kind = "f32" if floats else "i7" if variant.relaxed and not signed else "i16"
    return WasmFormat(
        name,
        tuple(WasmPlane(p.name, p.bytes, format.block) for p in format.planes),
        format.grid is not None,
        kind,
        signed,
        name in _HALVES,
        not signed and not floats,
    )
