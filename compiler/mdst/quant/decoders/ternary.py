"""Ternary types: a scale times −1, 0 or 1."""

from __future__ import annotations

import numpy as np

from .fields import Blocks, Codes, Floats, f32, spread


def _digits(codes: Codes, count: int) -> Codes:
    """The first `count` base-3 digits of bytes: [n, bytes] → [n, count · bytes], digit by digit. A
    byte is ⌈256/243 · (a number of five digits)⌉, so digit i is the integer part of 3 times the
    fraction of byte · 3^i / 256."""
    powers = np.array([1, 3, 9, 27, 81], np.uint8)[:count, None]
    fractions = (codes[:, None, :] * powers).astype(np.uint16)
    return ((fractions * np.uint16(3)) >> np.uint16(8)).astype(np.uint8).reshape(len(codes), -1)


def tq1_0(b: Blocks) -> Floats:
    first, second = np.split(b["qs"], [32], axis=1)
    digits = [_digits(first, 5), _digits(second, 5), _digits(b["qh"], 4)]
    return f32(b["d"]) * f32(np.concatenate(digits, axis=1).view(np.int8) - np.int8(1))


def tq2_0(b: Blocks) -> Floats:
    return f32(b["d"]) * f32(spread(b["qs"], 2, 32).view(np.int8) - np.int8(1))
