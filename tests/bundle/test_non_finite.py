"""Numbers in blocks that are NaN or infinite are counted, in whatever form they are stored."""

from __future__ import annotations

import numpy as np
import pytest
from gguf.constants import GGMLQuantizationType

from mdst.bundle.shards import non_finite
from mdst.quant.layout import FORMATS


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize(
    ("type", "at"), [("F32", [0]), ("F16", [0]), ("Q4_0", [0]), ("Q2_K", [80, 82]), ("Q6_K", [208])]
)
def test_floats(type: str, at: list[int], value: float) -> None:
    format = FORMATS[GGMLQuantizationType[type]]
    blocks = np.zeros((5, format.bytes), np.uint8)
    number = np.array([value], "<f4" if type == "F32" else "<f2").view(np.uint8)
    for start in at:
        blocks[1::2, start : start + number.size] = number
    assert non_finite(format, blocks.reshape(-1)) == 2 * len(at)


@pytest.mark.parametrize(("bits", "count"), [(0x7F80, 1), (0xFFC0, 1), (0x7F7F, 0)])
def test_bf16(bits: int, count: int) -> None:
    raw = np.array([0, bits, 0x3F80], "<u2").view(np.uint8)
    assert non_finite(FORMATS[GGMLQuantizationType.BF16], raw) == count


@pytest.mark.parametrize("bits", [0x7C00, 0xFC00, 0x7E01, 0x7BFF, 0xFBFF, 0x3C00, 0x0FFF])
def test_split_f16(bits: int, rng: np.random.Generator) -> None:
    format = FORMATS[GGMLQuantizationType.IQ1_M]
    blocks = rng.integers(0, 256, (1, format.bytes), np.uint8)
    words = blocks[0, 48:].view("<u2")
    words[:] = words & 0x0FFF | [(bits >> shift & 15) << 12 for shift in (0, 4, 8, 12)]
    assert non_finite(format, blocks.reshape(-1)) == (not np.isfinite(np.uint16(bits).view("<f2")))


def test_e8m0_has_one_nan_and_ue4m3_counts_as_finite() -> None:
    every = np.zeros((256, 17), np.uint8)
    every[:, 0] = np.arange(256)
    assert non_finite(FORMATS[GGMLQuantizationType.MXFP4], every.reshape(-1)) == 1
    assert non_finite(FORMATS[GGMLQuantizationType.NVFP4], np.full(36, 0x7F, np.uint8)) == 0
