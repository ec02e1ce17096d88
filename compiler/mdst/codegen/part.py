"""A weight tensor as a kernel sees it: rows of one block format inside one weight binding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """`rows` × `cols` weights of a format (its GGUF name, `'Q4_K'`).

    All offsets count 16 bytes (one `vec4<u32>`) from the start of the binding: `offsets` of each
    plane (an IQ type's code book counts as a plane `'grid'`), `bias` of float32 [rows], `scale` of
    the one float32 that multiplies the product before the bias is added.
    """

    type: str
    rows: int
    cols: int
    offsets: tuple[tuple[str, int], ...]
    bias: int | None = None
    scale: int | None = None

    @property
    def planes(self) -> Mapping[str, int]:
        return dict(self.offsets)
