"""Filled rows mean what an independent decoder reads from the same bytes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from gguf.constants import GGMLQuantizationType

from mdst.codegen.part import Part
from mdst.quant.block import Format
from mdst.quant.grids import grid_bytes, packed_grid
from mdst.quant.layout import FORMATS, slice_layout
from mdst.quant.repack import unpack_slice
from mdst.validate.cases.weights import fill_part, grid_words, part_end, region_bytes

ROWS = 41
Oracle = Callable[[npt.NDArray[Any], GGMLQuantizationType], npt.NDArray[np.float32]]


def _slice(part: Part, start: int, total: int, seed: int, rows: list[int]) -> np.ndarray:
    data = np.zeros(start + total, np.uint8)
    for fill in fill_part(part, rows, count(seed)).fills:
        assert start <= fill.offset
        data[fill.offset : fill.offset + 4 * fill.words] = fill.data().view(np.uint8)
    return data[start:]


@pytest.mark.parametrize("rows", [[0], [0, 1, 20, 39, 40], list(range(ROWS))])
@pytest.mark.parametrize("format", FORMATS.values(), ids=lambda f: f.type.name)
def test_filled_rows(
    rng: np.random.Generator, format: Format, rows: list[int], oracle: Oracle
) -> None:
    cols = max(32, format.block)
    layout = slice_layout(format, ROWS, cols)
    start = 48 + (grid_bytes(format.grid) if format.grid else 0)
    part = Part(format.type.name, ROWS, cols, (*layout.vec4_offsets(start), ("grid", 3)))
    seed = int(rng.integers(2**31))
    packed = _slice(part, start, layout.total, seed, rows)
    raw = unpack_slice(format, packed, ROWS, cols)
    want = oracle(raw, format.type)
    got = fill_part(part, rows, count(seed)).matrix.weights
    np.testing.assert_array_equal(got, want.reshape(ROWS, cols)[rows])
    assert np.abs(got).mean() > 0.01
    assert part_end(part) == start + layout.total


def test_code_books_are_there_once() -> None:
    planes = (("q", 600), ("h", 602), ("d", 603))
    shared = Part("IQ1_S", 1, 256, (*planes, ("grid", 8)))
    own = Part("IQ3_S", 1, 256, (*planes, ("signs", 604), ("scales", 606), ("grid", 700)))
    parts = (shared, shared, Part("Q8_0", 1, 256, (("q", 610), ("d", 626))), own)
    words = grid_words(parts)
    assert [book.offset for book in words] == [16 * 8, 16 * 700]
    for book, name in zip(words, ("IQ1", "IQ3_S"), strict=True):
        assert book.data().tobytes() == packed_grid(name).tobytes()
    assert region_bytes(parts) == 16 * 700 + grid_bytes("IQ3_S")
