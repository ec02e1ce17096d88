"""K-quants: super-blocks of 256 weights with a scale (and minimum) per sub-block."""

from __future__ import annotations

import numpy as np

from .fields import Blocks, Floats, f32, spread


def q2_k(b: Blocks) -> Floats:
    """Low nibbles of `scales` are scales of 16 weights, high ones minima."""
    d = f32(b["d"]) * f32(b["scales"] & np.uint8(15))
    m = f32(b["dmin"]) * f32(b["scales"] >> np.uint8(4))
    codes = f32(spread(b["qs"], 2, 32)).reshape(-1, 16, 16)
    return d[:, :, None] * codes - m[:, :, None]


def q3_k(b: Blocks) -> Floats:
    """Scales of 16 weights have 6 bits and an offset of 32: eight bytes hold the low nibbles, four
    the top pairs. Codes have 3 bits and an offset of 4."""
    low, high = np.split(b["scales"], [8], axis=1)
    scales = spread(low, 4, 8) | (spread(high, 2, 4) << np.uint8(4))
    d = f32(b["d"]) * f32(scales.view(np.int8) - np.int8(32))
    codes = spread(b["qs"], 2, 32) | (spread(b["hmask"], 1, 32) << np.uint8(2))
    return d[:, :, None] * f32(codes.view(np.int8) - np.int8(4)).reshape(-1, 16, 16)


def _scales_and_mins(b: Blocks) -> tuple[Floats, Floats]:
    """d · scale and dmin · min of the eight sub-blocks, [n, 8, 1] each. The 6-bit numbers of
    sub-blocks 0..3 are whole in bytes 0..3 (scale) and 4..7 (min); those of 4..7 have low halves in
    the nibbles of bytes 8..11 and their top two bits above the former."""
    first, second, last = np.split(b["scales"], 3, axis=1)
    six, two, four = np.uint8(63), np.uint8(0x30), np.uint8(15)
    scales = [first & six, (last & four) | ((first >> np.uint8(2)) & two)]
    mins = [second & six, (last >> np.uint8(4)) | ((second >> np.uint8(2)) & two)]
    d = f32(b["d"]) * f32(np.concatenate(scales, axis=1))
    m = f32(b["dmin"]) * f32(np.concatenate(mins, axis=1))
    return d[:, :, None], m[:, :, None]


def q4_k(b: Blocks) -> Floats:
    d, m = _scales_and_mins(b)
    return d * f32(spread(b["qs"], 4, 32)).reshape(-1, 8, 32) - m


def q5_k(b: Blocks) -> Floats:
    d, m = _scales_and_mins(b)
    codes = spread(b["qs"], 4, 32) | (spread(b["qh"], 1, 32) << np.uint8(4))
    return d * f32(codes).reshape(-1, 8, 32) - m


def q6_k(b: Blocks) -> Floats:
    d = f32(b["d"]) * f32(b["scales"])
    codes = spread(b["ql"], 4, 64) | (spread(b["qh"], 2, 32) << np.uint8(4))
    return d[:, :, None] * f32(codes.view(np.int8) - np.int8(32)).reshape(-1, 16, 16)
