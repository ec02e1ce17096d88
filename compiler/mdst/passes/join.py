"""Joins plain projections of one input into one; shared by the passes that do so."""

from __future__ import annotations

from ..graph.fused import Projection, ProjectionPart
from ..graph.graph import Graph, Value


def join_projections(
    graph: Graph, operands: tuple[Value, ...], *, gated: bool, label: str
) -> Value | None:
    """A projection with the parts of all `operands` in order, or None when they cannot be joined:
    each must be a plain projection (no norm, residual, gate) of the same x and have one user."""
    parts: list[ProjectionPart] = []
    weights: list[Value] = []
    x = graph.inputs(operands[0].node)[0]
    for value in operands:
        op, inputs = graph.op(value.node), graph.inputs(value.node)
        if not isinstance(op, Projection) or op != Projection(op.parts):
            return None
        if inputs[0] != x or graph.single_user(value) is None:
            return None
        parts += op.parts
        weights += inputs[1:]
    return graph.add(Projection(tuple(parts), gated=gated), x, *weights, label=label)
