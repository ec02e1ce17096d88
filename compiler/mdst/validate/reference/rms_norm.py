"""Root mean square norm in float64."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def rms_norm(x: Floats, weight: Floats, epsilon: float) -> Floats:
    """x / sqrt(mean(x²) + epsilon) · weight over the last axis; x [..., n], weight [n]."""
    out: Floats = x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + epsilon) * weight
    return out
