"""Random GGUF blocks for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mdst.quant.block import Field, Format

Bytes = npt.NDArray[np.uint8]
RandomBlocks = Callable[[Format, int], Bytes]

EXTREMES = np.array([0x0000, 0x8000, 0x0001, 0x8001, 0x03FF, 0x0400, 0x7BFF, 0xFBFF], "<u2")
"""f16: ±0, ± smallest subnormal, largest subnormal, smallest normal, ± largest finite."""
TINY = np.array([0, 1, 2, 3], np.uint8)
"""E8M0: half of the first two is subnormal in float32."""


@pytest.fixture
def random_blocks(rng: np.random.Generator) -> RandomBlocks:
    """`make(format, n)` → uint8 [n, format.bytes]: random bits, all numbers in them finite, the
    first blocks with extremes."""

    def make(format: Format, n: int) -> Bytes:
        blocks = rng.integers(0, 256, (n, format.bytes), np.uint8)
        records = blocks.reshape(-1).view(format.dtype)
        for field in format.fields:
            records[field.name] = tame(field, records[field.name], rng)
        return blocks

    return make


def tame(field: Field, values: npt.NDArray[Any], rng: np.random.Generator) -> npt.NDArray[Any]:
    """Random `values` [n, count] of a field without infinities and NaN, and with extremes."""
    n = len(values)
    if field.number == "f32":
        return (values.view("<u4") & np.uint32(0xBFFFFFFF)).view("<f4")
    if field.number == "bf16":
        return values & np.uint16(0xBFFF)
    if field.number == "e8m0":  # up to 2^72: sums of products stay finite
        values %= np.uint8(200)
        values[: len(TINY), 0] = TINY[:n]
    if field.number == "f16":
        values = random_f16(rng, values.shape).view("<f2")
    if field.number == "split f16":
        tops = random_f16(rng, (n, 1)) >> np.arange(0, 16, 4, dtype=np.uint16) << np.uint16(12)
        values = values & np.uint16(0x0FFF) | tops
    return values


def random_f16(rng: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.uint16]:
    """Bits of finite f16 [n, count], every column with the extremes."""
    bits: npt.NDArray[np.uint16] = rng.integers(0, 0x7C00, shape, "<u2")
    bits |= rng.integers(0, 2, shape, "<u2") << 15
    for column in bits.T:
        column[: len(EXTREMES)] = rng.permutation(EXTREMES)[: len(column)]
    return bits
