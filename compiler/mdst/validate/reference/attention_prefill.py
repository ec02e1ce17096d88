"""Attention from its definition in float64: an explicit list of keys and a plain softmax."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .attention_split import partial_attention

Floats = npt.NDArray[np.float64]


def attention(q: Floats, keys: Floats, values: Floats, scale: float, blanks: int = 0) -> Floats:
    """softmax(scale · q kᵀ) v of one query head [D] over its keys and values [n, D]; `blanks` more
    keys and values are all zeros and not listed."""
    parts = partial_attention(q, keys, values, scale, blanks)
    out: Floats = parts[:-2] / parts[-1]
    return out


def attention_prefill(
    q: Floats, k_rows: Floats, v_rows: Floats, rows: Sequence[Sequence[int]], scale: float
) -> Floats:
    """[T, H, D] for q [T, H, D]; `rows[t]` are the cache rows that token t sees, of k_rows and
    v_rows [rows, Hkv, D]. Query head h uses key head h · Hkv / H."""
    group = q.shape[1] // k_rows.shape[1]
    return np.array(
        [
            [
                attention(head, k_rows[seen, h // group], v_rows[seen, h // group], scale)
                for h, head in enumerate(token)
            ]
            for token, seen in zip(q, rows, strict=True)
        ]
    )
