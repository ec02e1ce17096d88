"""The order in which matrix · vector kernels like to read their input.

A lane multiplies a chunk of 32 consecutive weights by 32 inputs. In plain order the inputs of
neighbouring lanes lie 128 bytes apart, so that one load of 16 bytes per lane touches as many cache
lines as there are lanes. Interleaved, the k-th four values of all chunks lie side by side.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from .layout import CHUNK

_S = TypeVar("_S", bound=np.generic)


def interleave(values: npt.NDArray[_S]) -> npt.NDArray[_S]:
    """[n] in plain order → [n] interleaved; 32 divides n."""
    return values.reshape(-1, CHUNK // 4, 4).swapaxes(0, 1).reshape(-1)


def deinterleave(values: npt.NDArray[_S]) -> npt.NDArray[_S]:
    """The inverse of `interleave`."""
    return values.reshape(CHUNK // 4, -1, 4).swapaxes(0, 1).reshape(-1)


def interleaved_index(index: int, length: int) -> int:
    """Where value `index` of `length` values stands once they are interleaved."""
    chunk, inside = divmod(index, CHUNK)
    return (inside // 4 * (length // CHUNK) + chunk) * 4 + inside % 4
