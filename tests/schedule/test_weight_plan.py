"""Every constant lies where kernels expect it: once, within bindings and buffers of any device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest

from mdst.errors import UnsupportedError
from mdst.graph.fused import Projection
from mdst.graph.graph import Graph, Value
from mdst.graph.ops import Constant
from mdst.quant.layout import format_named, slice_layout
from mdst.schedule.limits import ALIGNMENT, MAX_BUFFER
from mdst.schedule.plan import Plan
from mdst.schedule.weight_plan import ROW_STEP, Piece, Region

PlanOf = Callable[..., Plan]
KIB, MIB = 1 << 10, 1 << 20

MIXED = {
    "attn_output": "Q8_0",
    "attn_v": "Q6_K",
    "ffn_down": "Q6_K",
    "token_embd": "Q4_K",
    "output": "Q6_K",
    "": "Q4_K",
}
LLAMA_8B = (4, 4096, 14336, 32, 8, 128, 128256)
PLANS: dict[str, dict[str, Any]] = {
    "tiny": {},
    "mixed": {"sizes": (2, 256, 512, 4, 2, 64, 1000), "types": MIXED},
    "sliced": {
        "sizes": (2, 256, 512, 20, 4, 16, 1000),
        "types": MIXED,
        "extras": ("attn_q.bias", "attn_v.bias", "attn_k.scale", "ffn_up.bias", "ffn_gate.scale"),
        "max_binding": 64 * KIB,
    },
    "tied": {"architecture": "qwen2", "tied": True, "extras": ("output.bias",)},
    "tied and sliced": {
        "tied": True,
        "sizes": (1, 256, 512, 16, 8, 16, 3000),
        "max_binding": 64 * KIB,
    },
    "qwen3": {"architecture": "qwen3", "types": {"": "F16"}},
    "8B": {"sizes": LLAMA_8B, "types": MIXED},
}


@pytest.fixture(params=PLANS)
def plan(request: pytest.FixtureRequest, plan_of: PlanOf) -> Plan:
    return plan_of(**PLANS[request.param])


def pieces(plan: Plan) -> Iterator[tuple[Region, Piece]]:
    for region in plan.weights.regions:
        for piece in region.pieces:
            yield region, piece


def constants(graph: Graph) -> dict[str, Constant]:
    ops = (graph.op(node) for node in graph)
    return {op.name: op for op in ops if isinstance(op, Constant)}


def test_every_constant_of_every_program_has_all_its_rows(plan: Plan) -> None:
    by_name: dict[str, list[Piece]] = {}
    for _, piece in pieces(plan):
        by_name.setdefault(piece.tensor, []).append(piece)
    expected = {n: op for p in plan.programs for n, op in constants(p.graph).items()}
    assert by_name.keys() == expected.keys()
    for name, op in expected.items():
        found = by_name[name]
        matrix = len(op.type.shape) == 2
        rows = op.type.shape[0] if matrix else op.type.elements(0)
        assert all(p.type == op.type and (p.form == "packed") == matrix for p in found)
        ends = {p.first_row + p.rows for p in found}
        if matrix or name.endswith(".bias"):
            # Cut by rows: they follow each other and nothing is there twice.
            assert [p.first_row for p in found] == [0, *(p.first_row + p.rows for p in found[:-1])]
            assert max(ends) == rows
        else:
            # Whole in each region of its group.
            assert {(p.first_row, p.rows) for p in found} == {(0, rows)}


def test_pieces_have_the_size_of_their_planes_and_lie_apart(plan: Plan) -> None:
    for region in plan.weights.regions:
        end = 0
        for p in region.pieces:
            assert p.offset % 16 == 0
            assert p.offset >= end
            if p.form == "packed":
                layout = slice_layout(format_named(p.type.dtype), p.rows, p.type.width)
                assert p.size == layout.total
            else:
                assert p.size == 4 * p.rows
            end = p.offset + p.size
        assert end <= region.size < end + 16


def test_regions_lie_apart_and_within_the_limits(plan: Plan) -> None:
    regions = plan.weights.regions
    assert all(size <= MAX_BUFFER for size in plan.weights.buffers)
    assert {r.buffer for r in regions} == set(range(len(plan.weights.buffers)))
    for region in regions:
        assert region.offset % ALIGNMENT == 0
        assert region.size <= 128 * MIB
        assert region.offset + region.size <= plan.weights.buffers[region.buffer]
    for one, two in pairwise(regions):
        assert (one.buffer, one.offset + one.size) <= (two.buffer, two.offset + 0) or (
            two.buffer == one.buffer + 1 and two.offset == 0
        )


def test_regions_are_in_the_order_of_first_use(plan: Plan) -> None:
    graph = plan.program("decode").graph
    first: dict[str, int] = {}
    for i, node in enumerate(graph):
        for value in graph.inputs(node):
            if isinstance(op := graph.op(value.node), Constant):
                first.setdefault(op.name, i)
    order = [min(first[p.tensor] for p in region.pieces) for region in plan.weights.regions]
    assert order == sorted(order)


def test_a_projection_finds_its_norm_beside_its_weights(plan: Plan) -> None:
    graph = plan.program("decode").graph
    for node in graph:
        op = graph.op(node)
        if not isinstance(op, Projection):
            continue
        inputs = graph.inputs(node)
        norm = op.norm_weight(inputs)
        for weight, scale, bias in op.weights(inputs):
            for region in plan.weights.regions_of(name_of(graph, weight)):
                piece = region.piece(name_of(graph, weight))
                assert piece is not None
                for vector in (norm, scale):
                    assert vector is None or region.piece(name_of(graph, vector)) is not None
                if bias is not None:
                    beside = region.piece(name_of(graph, bias))
                    assert beside is not None
                    assert (beside.first_row, beside.rows) == (piece.first_row, piece.rows)


def name_of(graph: Graph, value: Value) -> str:
    op = graph.op(value.node)
    assert isinstance(op, Constant)
    return op.name


def test_a_group_is_cut_into_slices_of_whole_steps(plan_of: PlanOf) -> None:
    plan = plan_of(**PLANS["sliced"])
    names = [f"blk.0.attn_{n}.weight" for n in "qkv"]
    regions = [r for r in plan.weights.regions if any(r.piece(n) for n in names)]
    assert len(regions) > 1
    assert all(region.size <= 64 * KIB for region in regions)
    start = 0
    for region in regions:
        assert start % ROW_STEP == 0
        start += sum(p.rows for p in region.pieces if p.tensor in names)
        assert region.piece("blk.0.attn_norm.weight") is not None
    assert start == 320 + 64 + 64
    # Some slice holds the end of one matrix and the start of the next.
    assert any(len([p for p in r.pieces if p.tensor in names]) > 1 for r in regions)


def test_gate_and_up_are_cut_at_the_same_rows(plan_of: PlanOf) -> None:
    plan = plan_of(**PLANS["sliced"])
    regions = plan.weights.regions_of("blk.1.ffn_gate.weight")
    assert len(regions) > 2
    assert regions == plan.weights.regions_of("blk.1.ffn_up.weight")
    for region in regions:
        gate, up, bias = (
            region.piece(f"blk.1.{n}") for n in ("ffn_gate.weight", "ffn_up.weight", "ffn_up.bias")
        )
        assert gate is not None
        assert up is not None
        assert bias is not None
        assert (gate.first_row, gate.rows) == (up.first_row, up.rows) == (bias.first_row, bias.rows)
        assert gate.first_row % ROW_STEP == 0


@pytest.mark.parametrize("name", ["tied", "tied and sliced"])
def test_a_tied_table_is_there_once(plan_of: PlanOf, name: str) -> None:
    plan = plan_of(**PLANS[name])
    regions = plan.weights.regions_of("token_embd.weight")
    assert sum(p.rows for _, p in pieces(plan) if p.tensor == "token_embd.weight") in (300, 3000)
    assert all(r.piece("output_norm.weight") for r in regions)
    assert (len(regions) > 1) == ("sliced" in name)
    # It is needed first, so it comes first.
    assert regions[0].buffer == regions[0].offset == 0


def test_the_8b_output_matrix_has_four_slices(plan_of: PlanOf) -> None:
    plan = plan_of(**PLANS["8B"])
    assert len(plan.weights.regions_of("output.weight")) == 4
    assert len(plan.weights.buffers) > 2
    # Slices are of about equal size, not full ones and a rest.
    rows = [p.rows for _, p in pieces(plan) if p.tensor == "output.weight"]
    assert max(rows) - min(rows) <= 4 * ROW_STEP


def test_rows_that_do_not_fit_are_refused(plan_of: PlanOf) -> None:
    with pytest.raises(
        UnsupportedError, match=r"'blk\.0\.ffn_down\.weight': no part of it fits"
    ) as error:
        plan_of(sizes=(1, 64, 4096, 4, 2, 16, 300), types={"ffn_down": "F32"}, max_binding=64 * KIB)
    assert error.value.id == "PLAN001"


def test_rows_of_an_odd_length_are_refused(plan_of: PlanOf) -> None:
    with pytest.raises(UnsupportedError, match=r"tensor 'blk\.0\.ffn_down\.weight': ") as error:
        plan_of(sizes=(1, 64, 100, 2, 2, 32, 300), types={"ffn_down": "F16"})
    assert error.value.id == "QUANT002"
