"""Lifetimes and places on real programs, checked by running the steps over marked bytes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mdst.graph.graph import Graph, Value
from mdst.graph.ops import Carried, Constant, Tokens
from mdst.graph.types import KV
from mdst.schedule.limits import ALIGNMENT
from mdst.schedule.liveness import intervals, steps
from mdst.schedule.plan import PINNED, Plan, PlannedProgram, View

PlanOf = Callable[..., Plan]
ARCHITECTURES = {
    "llama": {},
    "qwen2": {"extras": ("attn_q.bias", "attn_k.bias", "attn_v.bias"), "tied": True},
    "qwen3": {"sizes": (3, 128, 224, 4, 4, 32, 1500)},
}


def last_use(graph: Graph, value: Value) -> int:
    """By asking every node for its inputs."""
    order = steps(graph)
    return max(
        [i for i, node in enumerate(order) if value in graph.inputs(node)],
        default=order.index(value.node),
    )


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_intervals_cover_making_and_every_use(plan_of: PlanOf, architecture: str) -> None:
    for program in plan_of(architecture, **ARCHITECTURES[architecture]).programs:  # type: ignore[arg-type]
        graph = program.graph
        order = steps(graph)
        found = {i.key: i for i in intervals(graph, program.tokens, PINNED)}
        pinned = {graph.outputs[name] for name in PINNED if name in graph.outputs}
        expected = {
            value
            for node in graph
            if not isinstance(graph.op(node), Constant | Carried | Tokens)
            for output, type in enumerate(graph.types(node))
            if type.dtype != KV and (value := Value(node, output)) not in pinned
        } - {graph.outputs.get("token")}
        assert found.keys() == expected
        for value, interval in found.items():
            assert interval.first == order.index(value.node)
            assert interval.last == last_use(graph, value)
            assert interval.size == 4 * graph.type(value).elements(program.tokens)


def place(plan: Plan, program: PlannedProgram, value: Value) -> View | None:
    """Where an activation lies, or None for what is no activation."""
    op = program.graph.op(value.node)
    if isinstance(op, Carried):
        return plan.pinned[op.name]
    return program.places.get(value)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_no_value_is_overwritten_before_its_last_use(plan_of: PlanOf, architecture: str) -> None:
    plan = plan_of(architecture, **ARCHITECTURES[architecture])  # type: ignore[arg-type]
    # One mark per 256 bytes; programs run one after another, as at the end of a prompt.
    arena = np.zeros(plan.buffers["arena"] // ALIGNMENT, np.int64)
    marks: dict[tuple[str, Value], int] = {}
    carried: dict[str, int] = {}
    for program in plan.programs:
        graph = program.graph
        for node in steps(graph):
            for value in graph.inputs(node):
                view = place(plan, program, value)
                if view is None:
                    continue
                op = graph.op(value.node)
                known = carried[op.name] if isinstance(op, Carried) else marks[program.name, value]
                assert (arena[slots(view)] == known).all(), (program.name, graph.label(node))
            for output in range(len(graph.types(node))):
                view = program.places.get(Value(node, output))
                if view is not None:
                    marks[program.name, Value(node, output)] = mark = len(marks) + 1
                    arena[slots(view)] = mark
        for name, value in graph.outputs.items():
            if name in PINNED:
                carried[name] = marks[program.name, value]
                assert (arena[slots(plan.pinned[name])][:1] == carried[name]).all()
    assert carried.keys() == set(PINNED)


def slots(view: View) -> slice:
    assert view.buffer == "arena"
    assert view.offset % ALIGNMENT == view.size % ALIGNMENT == 0
    return slice(view.offset // ALIGNMENT, (view.offset + view.size) // ALIGNMENT)


def test_every_value_that_a_step_reads_has_a_place(plan_of: PlanOf) -> None:
    for program in plan_of().programs:
        graph = program.graph
        for node in steps(graph):
            for value in graph.inputs(node):
                op = graph.op(value.node)
                if isinstance(op, Constant | Carried | Tokens) or graph.type(value).dtype == KV:
                    continue
                assert program.places[value].size >= 4 * graph.type(value).elements(program.tokens)
