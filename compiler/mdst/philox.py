"""Philox4x32-10, the counter-based random generator of the sampler and of the known answers.

Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3" (SC 2011). Every host has
the same ten rounds, so one (key, counter) gives the same words in Python, JavaScript and WGSL.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (0x9E3779B9, 0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_HIGH = np.uint64(32)


def philox4x32(counter: npt.NDArray[np.uint32], key: tuple[int, int]) -> npt.NDArray[np.uint32]:
    """Random words uint32 [n, 4] for counters uint32 [n, 4] and a key of two 32-bit integers."""
    c = [counter[:, i].astype(np.uint64) for i in range(4)]
    k0, k1 = key
    for _ in range(10):
        p0, p1 = _MULTIPLIERS[0] * c[0], _MULTIPLIERS[1] * c[2]
        c = [
            (p1 >> _HIGH) ^ c[1] ^ np.uint64(k0),
            p1 & _LOW,
            (p0 >> _HIGH) ^ c[3] ^ np.uint64(k1),
            p0 & _LOW,
        ]
        k0, k1 = (k0 + _WEYL[0]) & 0xFFFFFFFF, (k1 + _WEYL[1]) & 0xFFFFFFFF
    return np.stack(c, axis=1).astype(np.uint32)


def random_words(seed: int, count: int) -> npt.NDArray[np.uint32]:
    """`count` words: block i of four comes from the counter (i, 0, 0, 0) and the key (seed, 0)."""
    blocks = -(-count // 4)
    counter = np.zeros((blocks, 4), np.uint32)
    counter[:, 0] = np.arange(blocks, dtype=np.uint32)
    return philox4x32(counter, (seed & 0xFFFFFFFF, 0)).reshape(-1)[:count]
