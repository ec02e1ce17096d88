"""What a GGUF header declares: metadata values and tensor records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
from gguf.constants import GGMLQuantizationType, GGUFValueType


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """One metadata value.

    `value` is an int, float, bool or bytes (strings stay undecoded: GGUF promises UTF-8, files do
    not always keep it). An array is a one-dimensional read-only numpy array of `element`'s dtype,
    or a list of bytes where `element` is STRING. `offset` is the byte where the record of the key
    begins.
    """

    type: GGUFValueType
    value: int | float | bool | bytes | npt.NDArray[Any] | list[bytes]
    element: GGUFValueType | None
    offset: int

    @property
    def type_name(self) -> str:
        """The type in words, such as `u32` or `array of string`."""
        if self.element is None:
            return type_name(self.type)
        return f"array of {type_name(self.element)}"


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """Where the data of one tensor lies.

    `shape` is row-major, fastest axis last (the file's `ne` reversed). `offset` is the first byte
    of the data in the file and `size` its length in bytes; both were checked against the file.
    `where` is the byte at which the tensor's record begins in the header.
    """

    name: str
    shape: tuple[int, ...]
    type: GGMLQuantizationType
    offset: int
    size: int
    where: int


def type_name(kind: GGUFValueType) -> str:
    """Short name of a metadata type: u8 … i64, f32, f64, bool, string, array."""
    name = kind.name.lower()
    for long, short in (("uint", "u"), ("int", "i"), ("float", "f")):
        if name.startswith(long):
            return short + name.removeprefix(long)
    return name
