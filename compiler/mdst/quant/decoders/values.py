"""Types whose 4-bit codes choose one of 16 values: IQ4, and the 4-bit floats MXFP4 and NVFP4."""

from __future__ import annotations

import numpy as np
from gguf.quants import IQ4_NL

from .fields import Blocks, Codes, Floats, f32, spread

_IQ4 = np.array(IQ4_NL.kvalues, np.float32)
_E2M1 = np.array([0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12], np.float32)
"""Twice what E2M1 floats mean (OCP Microscaling Formats 1.0), zero without a sign; scales have half
of their size instead, as in ggml."""


def iq4_nl(b: Blocks) -> Floats:
    return f32(b["d"]) * _IQ4[spread(b["qs"], 4, 16)]


def iq4_xs(b: Blocks) -> Floats:
    """Scales of 32 weights have 6 bits and an offset of 32: nibbles in order, and top pairs."""
    pairs = b["scales_h"] >> np.arange(0, 16, 2, dtype=np.uint16)
    high = (pairs & np.uint16(3)).astype(np.uint8) << np.uint8(4)
    scales = spread(b["scales_l"], 4, 1) | high
    d = f32(b["d"]) * f32(scales.view(np.int8) - np.int8(32))
    return d[:, :, None] * _IQ4[spread(b["qs"], 4, 16)].reshape(-1, 8, 32)


def mxfp4(b: Blocks) -> Floats:
    """Half of E8M0 e is 2^(e − 128), a subnormal float32 for e of 0 and 1."""
    e = b["e"].astype(np.uint32)
    bits = np.where(e < 2, np.uint32(1 << 21) << (e & np.uint32(1)), (e - 1) << np.uint32(23))
    return bits.astype(np.uint32).view(np.float32) * _E2M1[spread(b["qs"], 4, 16)]


def _half_ue4m3(x: Codes) -> Floats:
    """Exponent bias 7, subnormals, no infinities; 0x7F alone (NaN) counts as 0, as in ggml."""
    exponent, mantissa = (x >> np.uint8(3)) & np.uint8(15), x & np.uint8(7)
    normal = exponent > 0
    size = np.where(normal, mantissa + np.uint8(8), mantissa)
    power = np.where(normal, exponent, 1).astype(np.int32) - 11
    return np.where(x == 0x7F, np.float32(0), np.ldexp(f32(size), power))


def nvfp4(b: Blocks) -> Floats:
    """Scales of 16 weights; 8 bytes hold 8 weights in their low nibbles, then 8 in the high."""
    codes = _E2M1[spread(b["qs"], 4, 8)].reshape(-1, 4, 16)
    return _half_ue4m3(b["d"])[:, :, None] * codes
