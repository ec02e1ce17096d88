"""GGUF blocks → float32, bit for bit what ggml's reference dequantisation gives.

Only integer operations, conversions and single +, −, · in float32, so that the result is the same
on every CPU. In fact every product is exact: an f16 factor has 11 significant bits, a scale adds at
most 7, and a code 6 (8 where there is no such scale), so 24 bits hold it. At most the last addition
or subtraction rounds: fused and separate multiply-adds agree, and a GPU gives the same bits.

Formulas: llama.cpp, `ggml-quants.c` (`dequantize_row_*`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
from gguf.constants import GGMLQuantizationType

from .block import Format
from .decoders import iq, k, simple, ternary, values
from .decoders.fields import Blocks, Floats

_T = GGMLQuantizationType
_DECODERS: Mapping[GGMLQuantizationType, Callable[[Blocks], Floats]] = {
    _T.F32: simple.plain,
    _T.F16: simple.plain,
    _T.BF16: simple.bf16,
    _T.Q1_0: simple.q1_0,
    _T.Q4_0: simple.q4_0,
    _T.Q4_1: simple.q4_1,
    _T.Q5_0: simple.q5_0,
    _T.Q5_1: simple.q5_1,
    _T.Q8_0: simple.q8_0,
    _T.Q2_K: k.q2_k,
    _T.Q3_K: k.q3_k,
    _T.Q4_K: k.q4_k,
    _T.Q5_K: k.q5_k,
    _T.Q6_K: k.q6_k,
    _T.IQ1_S: iq.iq1_s,
    _T.IQ1_M: iq.iq1_m,
    _T.IQ2_XXS: iq.iq2_xxs,
    _T.IQ2_XS: iq.iq2_xs,
    _T.IQ2_S: iq.iq2_s,
    _T.IQ3_XXS: iq.iq3_xxs,
    _T.IQ3_S: iq.iq3_s,
    _T.IQ4_NL: values.iq4_nl,
    _T.IQ4_XS: values.iq4_xs,
    _T.MXFP4: values.mxfp4,
    _T.NVFP4: values.nvfp4,
    _T.TQ1_0: ternary.tq1_0,
    _T.TQ2_0: ternary.tq2_0,
}


def decode(format: Format, blocks: npt.NDArray[np.uint8]) -> Floats:
    """float32 [n, format.block] of GGUF blocks, uint8 [n, format.bytes] in C order."""
    records = blocks.reshape(-1).view(format.dtype)
    # A scale of infinity times 0 is NaN, and large ones overflow, as in ggml.
    with np.errstate(invalid="ignore", over="ignore"):
        return _DECODERS[format.type](records).reshape(-1, format.block)


def decode_rows(format: Format, raw: npt.NDArray[np.uint8], rows: int, cols: int) -> Floats:
    """float32 [rows, cols] of the GGUF bytes of a matrix."""
    return decode(format, raw).reshape(rows, cols)
