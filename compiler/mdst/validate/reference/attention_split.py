"""One query row's softmax attention over a part of its keys, left unnormalised, in float64."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def partial_attention(
    q: Floats, keys: Floats, values: Floats, scale: float, blanks: int = 0
) -> Floats:
    """Σ e · v, the maximum m of the scores s = scale · q·k, and Σ e, with e = exp(s − m): [D + 2].

    q [D], keys and values [n, D]; `blanks` more keys and values are all zeros and not listed.
    """
    scores = np.einsum("nd,d->n", keys, q) * scale
    top = max([*scores.tolist(), *([0.0] if blanks else [])])
    exponentials = np.exp(scores - top)
    total = exponentials.sum() + blanks * np.exp(-top)
    return np.array([*np.einsum("n,nd->d", exponentials, values), top, total])


def attention_split(q: Floats, keys: Floats, values: Floats, scale: float, split: int) -> Floats:
    """[H, used splits, D + 2] for q [H, D] over all keys and values in sight [n, Hkv, D]."""
    group = q.shape[0] // keys.shape[1]
    return np.array(
        [
            [
                partial_attention(
                    row,
                    keys[at : at + split, h // group],
                    values[at : at + split, h // group],
                    scale,
                )
                for at in range(0, keys.shape[0], split)
            ]
            for h, row in enumerate(q)
        ]
    )
