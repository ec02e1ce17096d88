"""Code books of the IQ types: what an index means, as 4 or 8 small numbers.

llama.cpp chose the entries (`ggml-common.h`, `iq*_grid`); here they come from the `gguf` package,
in its packed form of one u16 per entry: 8 codes of 2 bits, or 4 codes of 4 bits, lowest first.
Kernels read the same u16.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import numpy.typing as npt
from gguf.quants import IQ1_S, IQ2_S, IQ2_XS, IQ2_XXS, IQ3_S, IQ3_XXS

_SOURCES: Mapping[str, tuple[bytes | None, tuple[int | float, ...], tuple[int, int]]] = {
    name: (source.grid_hex, source.grid_map, source.grid_shape)
    for name, source in (
        ("IQ1", IQ1_S),
        ("IQ2_XXS", IQ2_XXS),
        ("IQ2_XS", IQ2_XS),
        ("IQ2_S", IQ2_S),
        ("IQ3_XXS", IQ3_XXS),
        ("IQ3_S", IQ3_S),
    )
}
"""Name of a grid → hexadecimal u16 of its entries, what a code means, (entries, codes of each)."""


@cache
def packed_grid(name: str) -> npt.NDArray[np.uint16]:
    """One u16 per entry, read-only; the number of entries is a multiple of 8 (16 bytes)."""
    digits, _, _ = _SOURCES[name]
    assert digits is not None
    return np.frombuffer(bytes.fromhex(digits.decode("ascii")), "<u2")


@cache
def grid(name: str) -> npt.NDArray[np.int8]:
    """The numbers of all entries: [entries, 8] or [entries, 4]."""
    _, meaning, (_, width) = _SOURCES[name]
    bits = 16 // width
    shifts = np.arange(0, 16, bits, dtype=np.uint16)
    codes = (packed_grid(name)[:, None] >> shifts) & np.uint16((1 << bits) - 1)
    numbers: npt.NDArray[np.int8] = np.array(meaning, np.int8)[codes]
    return numbers


def grid_bytes(name: str) -> int:
    """Size of a packed grid: a multiple of 16."""
    return packed_grid(name).nbytes
