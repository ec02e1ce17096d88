"""Regions hold the code books of the IQ types that their matrices have, each once."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from mdst.codegen.regions import part
from mdst.quant.grids import grid_bytes
from mdst.quant.layout import format_named
from mdst.schedule.plan import Plan

PlanOf = Callable[..., Plan]
SIZES = (2, 256, 512, 16, 4, 16, 1000)
TYPES = {
    "attn_q": "IQ1_S",
    "attn_k": "IQ3_S",
    "attn_v": "IQ1_M",
    "ffn_gate": "IQ2_XXS",
    "ffn_up": "IQ2_XXS",
    "token_embd": "IQ3_XXS",
    "output": "Q6_K",
    "": "IQ2_S",
}


@pytest.mark.parametrize("max_binding", [64 << 10, 80 << 10, 128 << 20])
def test_each_region_has_what_its_matrices_need(plan_of: PlanOf, max_binding: int) -> None:
    weights = plan_of(sizes=SIZES, types=TYPES, max_binding=max_binding).weights
    sliced = len(weights.regions_of("token_embd.weight")) > 1
    assert sliced == (max_binding < 98_000)
    for region in weights.regions:
        matrices = [piece for piece in region.pieces if piece.form == "packed"]
        formats = {piece.tensor: format_named(piece.type.dtype) for piece in matrices}
        needed = {format.grid for format in formats.values() if format.grid}
        assert {name for name, _ in region.grids} == needed
        assert len(region.grids) == len(needed)
        spans = [(p.offset, p.offset + p.size) for p in region.pieces]
        spans += [(start, start + grid_bytes(name)) for name, start in region.grids]
        spans.sort()
        assert all(end <= start for (_, end), (start, _) in pairwise(spans))
        assert spans[-1][1] <= region.size <= max_binding
        for tensor, format in formats.items():
            planes = part(region, tensor).planes
            assert ("grid" in planes) == (format.grid is not None)
            assert format.grid is None or planes["grid"] * 16 == region.grid(format.grid)
    assert len({region.grids for region in weights.regions}) > 3
