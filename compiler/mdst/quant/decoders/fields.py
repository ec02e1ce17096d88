"""Fields of blocks → numbers: what several decoders share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint8]
Blocks = npt.NDArray[np.void]
"""Records of a format's dtype: [n]."""


def f32(values: npt.NDArray[np.generic]) -> Floats:
    return values.astype(np.float32)


def spread(codes: Codes, bits: int, group: int) -> Codes:
    """[n, bytes] → [n, bytes · 8 / bits]: per `group` bytes first the lowest `bits` of each byte,
    then the next of each, and so on."""
    groups = codes.reshape(len(codes), -1, 1, group)
    shifts = np.arange(0, 8, bits, dtype=np.uint8)[:, None]
    fields: Codes = (groups >> shifts) & np.uint8((1 << bits) - 1)
    return fields.reshape(len(codes), -1)


def bits(codes: Codes) -> Codes:
    """[n, bytes] → [n, 8 · bytes]: all bits in order, the lowest of a byte first."""
    return np.unpackbits(codes, axis=1, bitorder="little")


def signs(negative: Codes) -> Floats:
    """Bits that mean minus → factors ±1."""
    return np.where(negative, np.float32(-1), np.float32(1))
