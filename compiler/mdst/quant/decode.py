"""GGUF blocks → float32, bit for bit what ggml's reference dequantisation gives.

Only integer operations, conversions and single +, −, · in float32, so that the result is the same
on every CPU. In fact every product below is exact: an f16 factor has 11 significant bits, a scale
adds at most 7, and a code 6 (8 where there is no such scale), so 24 bits hold it. At most the last
subtraction rounds: fused and separate multiply-adds agree, and a GPU gives the same bits.

Formulas: llama.cpp, `ggml-quants.c` (`dequantize_row_*`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
from gguf.constants import GGMLQuantizationType

from .layout import Format

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint8]
Blocks = npt.NDArray[np.void]
"""Records of a format's dtype: [n]."""


def _f32(values: npt.NDArray[np.generic]) -> Floats:
    return values.astype(np.float32)


def _float(b: Blocks) -> Floats:
    return _f32(b["x"])


def _bf16(b: Blocks) -> Floats:
    bits: npt.NDArray[np.uint32] = b["x"].astype(np.uint32) << np.uint32(16)
    return bits.view(np.float32)


def _nibbles(codes: Codes, group: int) -> Codes:
    """[n, bytes] → [n, 2 · bytes]: per `group` bytes first the low halves, then the high."""
    groups = codes.reshape(len(codes), -1, 1, group)
    both = np.concatenate([groups & np.uint8(15), groups >> np.uint8(4)], axis=2)
    return both.reshape(len(codes), -1)


def _q4_0(b: Blocks) -> Floats:
    return _f32(b["d"]) * _f32(_nibbles(b["qs"], 16).view(np.int8) - np.int8(8))


def _q8_0(b: Blocks) -> Floats:
    return _f32(b["d"]) * _f32(b["qs"])


def _scales_and_mins(b: Blocks) -> tuple[Floats, Floats]:
    """d · scale and dmin · min of the eight sub-blocks, [n, 8, 1] each. The 6-bit numbers of
    sub-blocks 0..3 are whole in bytes 0..3 (scale) and 4..7 (min); those of 4..7 have low halves in
    the nibbles of bytes 8..11 and their top two bits above the former."""
    first, second, last = np.split(b["scales"], 3, axis=1)
    six, two, four = np.uint8(63), np.uint8(0x30), np.uint8(15)
    scales = [first & six, (last & four) | ((first >> np.uint8(2)) & two)]
    mins = [second & six, (last >> np.uint8(4)) | ((second >> np.uint8(2)) & two)]
    d = _f32(b["d"]) * _f32(np.concatenate(scales, axis=1))
    m = _f32(b["dmin"]) * _f32(np.concatenate(mins, axis=1))
    return d[:, :, None], m[:, :, None]


def _q4_k(b: Blocks) -> Floats:
    d, m = _scales_and_mins(b)
    return d * _f32(_nibbles(b["qs"], 32)).reshape(-1, 8, 32) - m


def _q5_k(b: Blocks) -> Floats:
    d, m = _scales_and_mins(b)
    bit = np.arange(8, dtype=np.uint8)[:, None]
    high = (b["qh"][:, None, :] >> bit) & np.uint8(1)
    codes = _nibbles(b["qs"], 32).reshape(-1, 8, 32) | (high << np.uint8(4))
    return d * _f32(codes) - m


def _q6_k(b: Blocks) -> Floats:
    d = _f32(b["d"]) * _f32(b["scales"])
    pair = np.arange(0, 8, 2, dtype=np.uint8)[:, None]
    high = (b["qh"].reshape(-1, 2, 1, 32) >> pair) & np.uint8(3)
    codes = _nibbles(b["ql"], 64).reshape(-1, 2, 4, 32) | (high << np.uint8(4))
    return d[:, :, None] * _f32(codes.view(np.int8) - np.int8(32)).reshape(-1, 16, 16)


_T = GGMLQuantizationType
_DECODERS: Mapping[GGMLQuantizationType, Callable[[Blocks], Floats]] = {
    _T.F32: _float,
    _T.F16: _float,
    _T.BF16: _bf16,
    _T.Q4_0: _q4_0,
    _T.Q8_0: _q8_0,
    _T.Q4_K: _q4_k,
    _T.Q5_K: _q5_k,
    _T.Q6_K: _q6_k,
}


def decode(format: Format, blocks: npt.NDArray[np.uint8]) -> Floats:
    """float32 [n, format.block] of GGUF blocks, uint8 [n, format.bytes] in C order."""
    records = blocks.reshape(-1).view(format.dtype)
    with np.errstate(invalid="ignore"):  # a scale of infinity times 0 is NaN, as in ggml
        return _DECODERS[format.type](records).reshape(-1, format.block)


def decode_rows(format: Format, raw: npt.NDArray[np.uint8], rows: int, cols: int) -> Floats:
    """float32 [rows, cols] of the GGUF bytes of a matrix."""
    return decode(format, raw).reshape(rows, cols)
