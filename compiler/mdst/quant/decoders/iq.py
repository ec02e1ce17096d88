"""IQ1, IQ2 and IQ3: codes are indices of a grid, whose entries are 4 or 8 weights."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..grids import grid
from .fields import Blocks, Codes, Floats, bits, f32, signs, spread

Words = npt.NDArray[np.uint32]
_DELTA = np.float32(0.125)
"""What IQ1 adds to the entries of a grid, or subtracts."""


def _even_signs(seven: Codes) -> Floats:
    """[n, k] bytes with the signs of seven weights → [n, 8 · k] signs: that of the eighth weight
    makes the number of minus signs even."""
    minus = bits(seven).reshape(len(seven), -1, 8)
    minus[:, :, 7] = np.bitwise_xor.reduce(minus, axis=2)
    return signs(minus.reshape(len(seven), -1))


def _signs_of_words(words: Words) -> Floats:
    """[n, k] words, each with four times seven signs above each other → [n, 32 · k] signs."""
    seven = (words[:, :, None] >> np.arange(0, 28, 7, dtype=np.uint32)) & np.uint32(127)
    return _even_signs(seven.astype(np.uint8).reshape(len(words), -1))


def _signed(scales: Floats, values: npt.NDArray[np.int8], factors: Floats) -> Floats:
    """[n, s] scales of 256 / s weights each, times values and ±1 factors of 256 weights."""
    n, s = scales.shape
    return scales[:, :, None] * f32(values).reshape(n, s, -1) * factors.reshape(n, s, -1)


def _halves_and_more(b: Blocks, codes: npt.NDArray[np.generic], factor: float) -> Floats:
    """d · (code + 1/2) · factor."""
    return f32(b["d"]) * (f32(codes) + np.float32(0.5)) * np.float32(factor)


def iq2_xxs(b: Blocks) -> Floats:
    words = b["qs"].reshape(len(b), 8, 2)
    index = np.ascontiguousarray(words[:, :, 0]).view(np.uint8)
    scales = _halves_and_more(b, words[:, :, 1] >> np.uint32(28), 0.25)
    return _signed(scales, grid("IQ2_XXS")[index], _signs_of_words(words[:, :, 1]))


def iq2_xs(b: Blocks) -> Floats:
    index, seven = b["qs"] & np.uint16(511), b["qs"] >> np.uint16(9)
    scales = _halves_and_more(b, spread(b["scales"], 4, 1), 0.25)
    return _signed(scales, grid("IQ2_XS")[index], _even_signs(seven.astype(np.uint8)))


def _with_high(low: Codes, high: Codes) -> npt.NDArray[np.uint16]:
    return low.astype(np.uint16) | (high.astype(np.uint16) << np.uint16(8))


def iq2_s(b: Blocks) -> Floats:
    index = _with_high(b["qs"], spread(b["qh"], 2, 1))
    scales = _halves_and_more(b, spread(b["scales"], 4, 1), 0.25)
    return _signed(scales, grid("IQ2_S")[index], signs(bits(b["signs"])))


def iq3_xxs(b: Blocks) -> Floats:
    scales = _halves_and_more(b, b["signs"] >> np.uint32(28), 0.5)
    return _signed(scales, grid("IQ3_XXS")[b["qs"]], _signs_of_words(b["signs"]))


def iq3_s(b: Blocks) -> Floats:
    index = _with_high(b["qs"], bits(b["qh"]))
    scales = f32(b["d"]) * f32(1 + 2 * spread(b["scales"], 4, 1))
    return _signed(scales, grid("IQ3_S")[index], signs(bits(b["signs"])))


def _shifted(scales: Floats, index: npt.NDArray[np.uint16], minus: npt.NDArray[np.bool_]) -> Floats:
    """scales · (grid ± delta): [n, s] scales of 256 / s weights each, [n, 32] indices, and [n, m]
    whether delta is negative, for 256 / m weights each."""
    n, s = scales.shape
    entries = f32(grid("IQ1")[index]).reshape(n, minus.shape[1], -1)
    moved = entries + np.where(minus, -_DELTA, _DELTA)[:, :, None]
    return scales[:, :, None] * moved.reshape(n, s, -1)


def iq1_s(b: Blocks) -> Floats:
    """`qh` of 32 weights: high bits of four indices, a 3-bit scale, the sign of delta."""
    high = (b["qh"][:, :, None] >> np.arange(0, 12, 3, dtype=np.uint16)) & np.uint16(7)
    index = _with_high(b["qs"], high.astype(np.uint8).reshape(len(b), -1))
    scales = f32(b["d"]) * f32(2 * ((b["qh"] >> np.uint16(12)) & np.uint16(7)) + 1)
    return _shifted(scales, index, b["qh"] >= 0x8000)


def iq1_m(b: Blocks) -> Floats:
    """`qh` of 8 weights: a nibble with three high bits of the index and the sign of delta. The u16
    of `scales` hold four 3-bit scales of 16 weights, and above them a nibble of d."""
    parts = (b["scales"] >> np.uint16(12)) << np.arange(0, 16, 4, dtype=np.uint16)
    d = np.bitwise_or.reduce(parts, axis=1, keepdims=True).view(np.float16)
    codes = (b["scales"][:, :, None] >> np.arange(0, 12, 3, dtype=np.uint16)) & np.uint16(7)
    high = spread(b["qh"], 4, 1)
    index = _with_high(b["qs"], high & np.uint8(7))
    return _shifted(f32(d) * f32(2 * codes.reshape(len(b), -1) + 1), index, high >= 8)
