"""The graph's own operations: uses, replacement, removal, order."""

from __future__ import annotations

import pytest

from mdst.errors import InternalError
from mdst.graph.graph import Graph, Value
from mdst.graph.ops import Add, Carried, RmsNorm, Sample
from mdst.graph.types import TensorType

X = TensorType((1, 64))


@pytest.fixture
def graph() -> Graph:
    """a, b → sum = a + b → twice = sum + sum."""
    graph = Graph("sums")
    a, b = (graph.add(Carried(name, X), label=name) for name in "ab")
    total = graph.add(Add(), a, b, label="sum")
    graph.outputs = {"twice": graph.add(Add(), total, total, label="twice")}
    return graph


def test_types_and_uses(graph: Graph) -> None:
    a, b, total, twice = graph.order()
    assert [graph.label(node) for node in graph] == ["a", "b", "sum", "twice"]
    assert graph.inputs(total) == (Value(a), Value(b))
    assert graph.inputs(twice) == (Value(total), Value(total))
    assert graph.users(Value(total)) == [(twice, 0), (twice, 1)]
    assert graph.single_user(Value(a)) == total
    assert graph.single_user(Value(total)) is None  # two uses by one node
    assert graph.type(Value(twice)) == X


def test_an_output_is_a_use(graph: Graph) -> None:
    a = graph.order()[0]
    graph.outputs["a"] = Value(a)
    assert graph.single_user(Value(a)) is None


def test_replace_keeps_slots_and_outputs(graph: Graph) -> None:
    a, b, total, twice = graph.order()
    graph.replace(Value(total), Value(b))
    assert graph.inputs(twice) == (Value(b), Value(b))
    assert graph.inputs(total) == (Value(a), Value(b))
    graph.replace(Value(twice), Value(a))
    assert graph.outputs == {"twice": Value(a)}
    graph.remove_dead()
    assert graph.order() == [a]
    assert len(graph) == 1
    assert b not in graph


def test_a_copy_is_independent(graph: Graph) -> None:
    twin = graph.copy("twin")
    twin.outputs = {"a": Value(0)}
    twin.remove_dead()
    new = twin.add(Carried("c", X))
    assert twin.name == "twin"
    assert new.node == len(graph)  # node numbers go on, so both can be compared
    assert (len(graph), graph.name) == (4, "sums")
    assert graph.outputs == {"twice": Value(3)}


def test_order_is_inputs_first_then_oldest(graph: Graph) -> None:
    late = graph.add(Carried("late", X))
    graph.replace(Value(0), late)
    order = graph.order()
    assert order.index(late.node) < order.index(2)
    assert order == [0, 1, 4, 2, 3]


def test_types_are_checked_where_a_node_is_added(graph: Graph) -> None:
    with pytest.raises(InternalError, match="spans the last axis"):
        graph.add(RmsNorm(1e-5), Value(0), Value(1))
    with pytest.raises(InternalError, match="one row"):
        graph.add(Sample(), graph.add(Carried("rows", TensorType((2, 64)))))
