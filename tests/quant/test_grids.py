"""Code books are those that `gguf` unpacks, and what kernels read of them is whole words."""

from __future__ import annotations

import numpy as np
import pytest
from gguf.quants import IQ1_M, IQ1_S, IQ2_S, IQ2_XS, IQ2_XXS, IQ3_S, IQ3_XXS

from mdst.quant.grids import grid, grid_bytes, packed_grid
from mdst.quant.layout import FORMATS

TYPES = (IQ1_M, IQ1_S, IQ2_S, IQ2_XS, IQ2_XXS, IQ3_S, IQ3_XXS)


@pytest.mark.parametrize("type", TYPES, ids=lambda type: type.qtype.name)
def test_entries(type: type[IQ1_M]) -> None:
    name = FORMATS[type.qtype].grid
    assert name is not None
    type.init_grid()  # type: ignore[no-untyped-call]
    assert type.grid is not None
    np.testing.assert_array_equal(grid(name), type.grid[0, 0])
    assert grid_bytes(name) == 2 * len(grid(name)) == packed_grid(name).nbytes
    assert grid_bytes(name) % 16 == 0


def test_no_other_type_has_a_code_book() -> None:
    assert {type.name for type, f in FORMATS.items() if f.grid} == {t.qtype.name for t in TYPES}
