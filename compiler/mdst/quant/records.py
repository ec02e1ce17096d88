"""Activations as block records: int8 codes of 32 values with what a consumer needs beside them.

A vector of W values is 3 · W / 8 words of 32 bits, seen as vec4<u32> in three runs of B = W / 32:

    b          codes of values 0 … 15 of block b, four to a word, the first in the low byte
    B + b      codes of values 16 … 31
    2 B + b    float32: s, s · Σ codes of the first half, s · Σ codes of the second, Σ x²

with s = max |x ⊙ γ| / 127 and code = round(x ⊙ γ / s): llama.cpp's block_q8_1 (ggml-common.h) with
a float32 scale and a sum per half. γ is the weight of the norm that follows, or 1. Σ x² is that of
the values before γ, so that the consumer can divide by their root mean square.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

BLOCK = 32
SMALLEST = np.float32(1e-30)
"""Blocks whose largest size is not above this are zeros: 127 divided by it stays finite."""

Floats = npt.NDArray[np.float32]
Words = npt.NDArray[np.uint32]


def record_words(width: int) -> int:
    """32-bit words of the records of a vector of `width` values, a multiple of 32."""
    return 3 * width // 8


def quantise(x: Floats, gamma: Floats | None = None) -> Words:
    """x [T, W], γ [W] → uint32 [T, 3 · W / 8]."""
    scaled = x if gamma is None else x * gamma
    blocks = scaled.reshape(x.shape[0], -1, BLOCK)
    top = np.abs(blocks).max(axis=2)
    zero = top <= SMALLEST
    inverse = np.where(zero, np.float32(0), np.float32(127) / np.where(zero, np.float32(1), top))
    codes = np.rint(blocks * inverse[:, :, None]).astype(np.int8)
    scale = np.where(zero, np.float32(0), top / np.float32(127)).astype(np.float32)
    sums = codes.reshape(x.shape[0], -1, 2, BLOCK // 2).sum(axis=3, dtype=np.int32)
    squares = np.square(x.reshape(blocks.shape)).sum(axis=2, dtype=np.float32)
    floats = np.stack([scale, scale * sums[:, :, 0], scale * sums[:, :, 1], squares], axis=2)
    halves = codes.view(np.uint32).reshape(x.shape[0], -1, 2, 4)
    runs = (halves[:, :, 0], halves[:, :, 1], floats.astype(np.float32).view(np.uint32))
    return np.concatenate([run.reshape(x.shape[0], -1) for run in runs], axis=1)


def values(records: Words) -> Floats:
    """uint32 [T, 3 · W / 8] → what the codes mean, float32 [T, W]."""
    tokens, blocks = records.shape[0], records.shape[1] // 12
    runs = records.reshape(tokens, 3, blocks, 4)
    halves = np.ascontiguousarray(np.stack([runs[:, 0], runs[:, 1]], axis=2))
    codes = halves.view(np.int8).reshape(tokens, blocks, BLOCK)
    out: Floats = codes * _floats(runs)[:, :, :1]
    return out.reshape(tokens, -1)


def mean_square(records: Words) -> Floats:
    """[T, 1]: the mean of the squares of the values before γ."""
    tokens, blocks = records.shape[0], records.shape[1] // 12
    squares = _floats(records.reshape(tokens, 3, blocks, 4))[:, :, 3]
    out: Floats = squares.sum(axis=1, keepdims=True) / np.float32(BLOCK * blocks)
    return out


def _floats(runs: Words) -> Floats:
    return np.ascontiguousarray(runs[:, 2]).view(np.float32)
