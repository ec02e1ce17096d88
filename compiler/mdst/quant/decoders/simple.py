"""Float types, and blocks with one scale: Q1_0 to Q8_0."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .fields import Blocks, Codes, Floats, bits, f32, signs, spread


def plain(b: Blocks) -> Floats:
    return f32(b["x"])


def bf16(b: Blocks) -> Floats:
    values: npt.NDArray[np.uint32] = b["x"].astype(np.uint32) << np.uint32(16)
    return values.view(np.float32)


def q1_0(b: Blocks) -> Floats:
    """A bit of 0 means −d."""
    return f32(b["d"]) * signs(1 - bits(b["qs"]))


def q4_0(b: Blocks) -> Floats:
    return f32(b["d"]) * f32(spread(b["qs"], 4, 16).view(np.int8) - np.int8(8))


def q4_1(b: Blocks) -> Floats:
    return f32(b["d"]) * f32(spread(b["qs"], 4, 16)) + f32(b["m"])


def _five_bits(b: Blocks) -> Codes:
    return spread(b["qs"], 4, 16) | (bits(b["qh"]) << np.uint8(4))


def q5_0(b: Blocks) -> Floats:
    return f32(b["d"]) * f32(_five_bits(b).view(np.int8) - np.int8(16))


def q5_1(b: Blocks) -> Floats:
    return f32(b["d"]) * f32(_five_bits(b)) + f32(b["m"])


def q8_0(b: Blocks) -> Floats:
    return f32(b["d"]) * f32(b["qs"])
