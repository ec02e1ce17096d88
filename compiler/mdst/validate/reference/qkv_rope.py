"""QK-norm, RoPE and the split into query, key and value heads, in float64."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...rope import position_angles, rotate
from .rms_norm import rms_norm

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Heads:
    """Heads of T tokens: q [T, H, D] and k [T, Hkv, D] turned, `plain_k` before RoPE, v."""

    q: Floats
    k: Floats
    plain_k: Floats
    v: Floats


def qkv_rope(
    qkv: Floats,
    n_heads: int,
    angles: tuple[Floats, Floats],
    *,
    interleaved: bool,
    q_norm: Floats | None = None,
    k_norm: Floats | None = None,
    epsilon: float = 0.0,
) -> Heads:
    """qkv [T, H + 2 · Hkv, D]; `angles`: cos and sin [T, pairs]; norm weights [D]."""
    n_kv_heads = (qkv.shape[1] - n_heads) // 2
    q, k, v = np.split(qkv, [n_heads, n_heads + n_kv_heads], axis=1)
    q = q if q_norm is None else rms_norm(q, q_norm, epsilon)
    k = k if k_norm is None else rms_norm(k, k_norm, epsilon)
    return Heads(turn(q, angles, interleaved), turn(k, angles, interleaved), k, v)


def turn(heads: Floats, angles: tuple[Floats, Floats], interleaved: bool) -> Floats:
    """Heads [T, n, D], each token's by its own angle [T, pairs]."""
    cos, sin = angles
    turned = rotate(heads, cos[:, None, :], sin[:, None, :], interleaved=interleaved)
    return turned.astype(np.float64)


def angles_at(tables: npt.NDArray[np.float32], positions: npt.ArrayLike) -> tuple[Floats, Floats]:
    """cos and sin [n, pairs] at `positions` [n], joined in float64."""
    cos, sin = position_angles(tables.astype(np.float64), np.asarray(positions, np.int64))
    return cos.astype(np.float64), sin.astype(np.float64)
