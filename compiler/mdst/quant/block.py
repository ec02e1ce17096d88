"""Words of the table of block formats (`layout.py`): fields of a block, planes of a slice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from gguf.constants import GGMLQuantizationType

Number = Literal["f32", "f16", "bf16", "e8m0", "ue4m3", "split f16"]
"""How a field holds numbers of its own. e8m0: a power of two as in OCP Microscaling Formats 1.0.
ue4m3: 8-bit float without a sign (OCP FP8 E4M3). split f16: four u16, whose top four bits make one
f16, lowest first; their other bits are codes."""


@dataclass(frozen=True, slots=True)
class Field:
    """`count` values of numpy type `dtype`, packed, in a GGUF block; `number` None: they are codes,
    of which any bits are valid."""

    name: str
    dtype: str
    count: int = 1
    number: Number | None = None

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

    swaps: tuple[Swap, ...] = ()
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
    is in exactly one plane. `grid` names the code book that codes are indices of (`grids.py`)."""

    type: GGMLQuantizationType
    block: int
    fields: tuple[Field, ...]
    planes: tuple[Plane, ...]
    grid: str | None = None

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
