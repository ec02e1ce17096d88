"""Random GGUF blocks for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from mdst.quant.layout import Format

Bytes = npt.NDArray[np.uint8]
RandomBlocks = Callable[[Format, int], Bytes]

EXTREMES = np.array([0x0000, 0x8000, 0x0001, 0x8001, 0x03FF, 0x0400, 0x7BFF, 0xFBFF], "<u2")
"""f16: ±0, ± smallest subnormal, largest subnormal, smallest normal, ± largest finite."""


@pytest.fixture
def random_blocks(rng: np.random.Generator) -> RandomBlocks:
    """`make(format, n)` → uint8 [n, format.bytes]: random bits, all f16 and f32 fields finite, the
    first blocks with the extremes of f16."""

    def make(format: Format, n: int) -> Bytes:
        blocks = rng.integers(0, 256, (n, format.bytes), np.uint8)
        records = blocks.reshape(-1).view(format.dtype)
        for field in format.fields:
            if field.dtype == "<f2":
                bits = rng.integers(0, 0x7C00, records[field.name].shape, "<u2")
                bits |= rng.integers(0, 2, bits.shape, "<u2") << 15
                for column in bits.T:
                    column[: len(EXTREMES)] = rng.permutation(EXTREMES)[:n]
                records[field.name] = bits.view("<f2")
        if format.block == 1 and format.bytes == 4:  # an f32's top exponent bit off: finite
            blocks[:, 3] &= 0xBF
        if format.type.name == "BF16":
            blocks[:, 1] &= 0xBF
        return blocks

    return make
