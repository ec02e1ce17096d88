"""Rows of the embedding table in float64."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from .matmul import Floats


def embed(
    ids: npt.NDArray[np.uint32], table: Mapping[int, Floats], out: Floats, zero_from: int | None
) -> Floats:
    """[T, width] for token ids [T]: the rows of `table` (id → [width]), zeros for ids of
    `zero_from` or more, and what `out` [T, width] held before for all other ids."""
    result = out.copy()
    for t, token in enumerate(ids.tolist()):
        if token in table:
            result[t] = table[token]
        elif zero_from is not None and token >= zero_from:
            result[t] = 0.0
    return result
