"""Linear layers in float64: out = x Wᵀ · scale + bias, gated or not, plus the residual stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Weights [rows, K] of one part, its bias [rows] and the factor of its products."""

    weights: Floats
    bias: Floats | None = None
    scale: float | None = None


def silu(a: Floats) -> Floats:
    """a / (1 + exp(−a)) (Hendrycks & Gimpel 2016), for any a without overflow."""
    sigmoid: Floats = np.exp(-np.logaddexp(0.0, -a))
    return a * sigmoid


def _linear(x: Floats, matrix: Matrix) -> Floats:
    # Not BLAS, whose sums depend on the CPU.
    out: Floats = np.einsum("tk,nk->tn", x, matrix.weights)
    if matrix.scale is not None:
        out *= matrix.scale
    return out if matrix.bias is None else out + matrix.bias


def matmul(
    x: Floats, parts: Sequence[Matrix], *, gated: bool = False, residual: Floats | None = None
) -> Floats:
    """[T, N] of x [T, K]: the parts' outputs side by side, or silu(gate) · up of two `gated` parts
    (Shazeer 2020); `residual` [T, N] is added last."""
    outputs = [_linear(x, part) for part in parts]
    out = silu(outputs[0]) * outputs[1] if gated else np.concatenate(outputs, axis=1)
    return out if residual is None else out + residual
