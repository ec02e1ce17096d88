"""Joins parts of softmax attention in float64."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def attention_reduce(partial: Floats) -> Floats:
    """[H, D] of the used splits' parts [H, splits, D + 2] = sum, maximum, sum of exponentials."""
    sums, maxima, totals = partial[..., :-2], partial[..., -2:-1], partial[..., -1:]
    weights = np.exp(maxima - maxima.max(axis=1, keepdims=True))
    out: Floats = (weights * sums).sum(axis=1) / (weights * totals).sum(axis=1)
    return out
