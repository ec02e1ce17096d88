"""Block records (quant/records.py) in known answers: some blocks as input, and records expected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ...quant.records import BLOCK, mean_square, quantise, values
from ..case import UNIT, Expected, Fill, Words, rounded
from .rows import Floats, runs

_SAMPLES = 12
"""Blocks of an input that are not zero, beside those at its ends."""
_SAFE = 0.01
"""Distance from a half, in units of a code, from which all devices round alike."""


def fill_records(
    start: int, width: int, seeds: Iterator[int]
) -> tuple[tuple[Words, ...], Floats, float]:
    """Words of the records of one vector at byte `start`, most of its blocks zeros; the values
    [width] that they mean; and the mean square that they tell."""
    n = width // BLOCK
    spread = {i * (n - 1) // (_SAMPLES - 1) for i in range(_SAMPLES)}
    blocks = sorted({b for b in (0, 1, 31, 32, n - 2, n - 1, *spread) if 0 <= b < n})
    x = np.zeros((n, BLOCK), np.float32)
    for b in blocks:
        x[b] = Fill(0, BLOCK, next(seeds), UNIT).data().view(np.float32)
    records = quantise(x.reshape(1, -1))
    planes = records.reshape(3, n, 4)
    # Their own sums of squares would differ in the last bit from CPU to CPU.
    planes[2, :, 3] = 0
    planes[2, blocks, 3] = Fill(0, len(blocks), next(seeds), UNIT).data() & np.uint32(0x7FFFFFFF)
    words = tuple(
        Words(start + 16 * (plane * n + first), tuple(planes[plane, first:end].ravel().tolist()))
        for plane in range(3)
        for first, end in runs(blocks)
    )
    meaning = values(records)[0].astype(np.float64)
    return words, meaning, float(mean_square(records)[0, 0])


def expect_record(
    n_blocks: int, block: int, scaled: Floats, plain: Floats | None, start: int = 0
) -> list[Expected]:
    """What the record of a block must be: `scaled` [32] are the values ⊙ γ; `plain`, before γ, give
    its sum of squares, which is 0 without γ. `start`: the vector's first byte in the binding."""
    top = float(np.abs(scaled).max())
    exact = scaled * (127 / top)
    codes = np.rint(exact)
    scale = top / 127
    safe = np.abs(np.abs(exact - np.floor(exact)) - 0.5) > _SAFE
    sums = [scale * codes[:16].sum(), scale * codes[16:].sum()] if safe.all() else []
    squares = 0.0 if plain is None else float((plain**2).sum())
    at = [start + 16 * (plane * n_blocks + block) for plane in range(3)]
    expected = [
        Expected("record", at[word // 4] + 4 * (word % 4), words=(_word(codes[4 * word :]),))
        for word in range(8)
        if safe[4 * word : 4 * word + 4].all()
    ]
    floats = rounded(np.array([scale, *sums]))
    expected.append(Expected("record", at[2], floats))
    if squares:
        expected.append(Expected("record", at[2] + 12, rounded(np.array([squares]))))
    else:
        expected.append(Expected("record", at[2] + 12, words=(0,)))
    return expected


def _word(codes: Sequence[float] | Floats) -> int:
    four = np.array(codes[:4]).astype(np.int8)
    return int(four.view(np.uint32)[0])
