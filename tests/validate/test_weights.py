"""Filled rows mean what an independent decoder reads from the same bytes."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest
from gguf.quants import dequantize

from mdst.codegen.part import Part
from mdst.quant.layout import FORMATS, Format, slice_layout
from mdst.quant.repack import unpack_slice
from mdst.validate.cases.weights import fill_part, part_end

ROWS = 41


def _slice(part: Part, start: int, total: int, seed: int, rows: list[int]) -> np.ndarray:
    data = np.zeros(start + total, np.uint8)
    for fill in fill_part(part, rows, count(seed)).fills:
        assert start <= fill.offset
        data[fill.offset : fill.offset + 4 * fill.words] = fill.data().view(np.uint8)
    return data[start:]


@pytest.mark.parametrize("rows", [[0], [0, 1, 20, 39, 40], list(range(ROWS))])
@pytest.mark.parametrize("format", FORMATS.values(), ids=lambda f: f.type.name)
def test_filled_rows(rng: np.random.Generator, format: Format, rows: list[int]) -> None:
    cols = max(32, format.block)
    layout = slice_layout(format, ROWS, cols)
    part = Part(format.type.name, ROWS, cols, layout.vec4_offsets(48))
    seed = int(rng.integers(2**31))
    packed = _slice(part, 48, layout.total, seed, rows)
    raw = unpack_slice(format, packed, ROWS, cols)
    want = dequantize(
        raw.view(format.dtype["x"].base)
        if format.block == 1 and format.type.name != "BF16"
        else raw,
        format.type,
    )
    got = fill_part(part, rows, count(seed)).matrix.weights
    np.testing.assert_array_equal(got, want.reshape(ROWS, cols)[rows])
    assert np.abs(got).mean() > 0.01
    assert part_end(part) == 48 + layout.total
