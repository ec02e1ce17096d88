"""The linear layers of one token in float64, with the RMS norm before them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .matmul import Floats, Matrix, matmul


def rms_normed(x: Floats, gamma: Floats, epsilon: float) -> Floats:
    """x ⊙ γ / sqrt(mean(x²) + ε), all [K] (Zhang & Sennrich 2019)."""
    normed: Floats = x * gamma / np.sqrt(np.mean(x * x) + epsilon)
    return normed


def matvec(
    x: Floats,
    parts: Sequence[Matrix],
    *,
    norm: tuple[Floats, float] | None = None,
    gated: bool = False,
    residual: Floats | None = None,
) -> Floats:
    """[N] of x [K]; `norm` is (γ [K], ε), the rest as in `matmul` for one token."""
    row = rms_normed(x, *norm) if norm else x
    added = None if residual is None else residual[None]
    [out] = matmul(row[None], parts, gated=gated, residual=added)
    return np.asarray(out)
