"""Specialises the graph for one token per run."""

from __future__ import annotations

from ..graph.graph import Graph, Value
from ..graph.ops import LastRow, Tokens


def one_token(graph: Graph) -> Graph:
    """
    tokens [T] ─ … ─ last row ─ …        →        tokens [1] ─ … ─ …
    """
    result = Graph(graph.name)
    moved: dict[Value, Value] = {}
    for node in graph:
        op = graph.op(node)
        inputs = [moved[value] for value in graph.inputs(node)]
        if isinstance(op, LastRow):
            moved[Value(node)] = inputs[0]
            continue
        new = result.add(
            Tokens(1) if isinstance(op, Tokens) else op, *inputs, label=graph.label(node)
        )
        for i in range(len(graph.types(node))):
            moved[Value(node, i)] = Value(new.node, i)
    result.outputs = {name: moved[value] for name, value in graph.outputs.items()}
    return result
