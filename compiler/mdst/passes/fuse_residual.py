"""A projection adds the residual in its epilogue."""

from __future__ import annotations

from dataclasses import replace

from ..graph.fused import Projection
from ..graph.graph import Graph, Value
from ..graph.ops import Add


def fuse_residual(graph: Graph) -> Graph:
    """
        x ─ projection(W) ─┐
        r ─────────────────┴ add        →        x, r ─ projection(W) + r

    Left alone when neither operand is a projection that is used by the sum alone.
    """
    result = graph.copy()
    for node in graph:
        if isinstance(graph.op(node), Add):
            left, right = result.inputs(node)
            _ = _fuse(result, node, left, right) or _fuse(result, node, right, left)
    result.remove_dead()
    return result


def _fuse(graph: Graph, node: int, product: Value, residual: Value) -> bool:
    op = graph.op(product.node)
    if not isinstance(op, Projection) or op.residual or graph.single_user(product) is None:
        return False
    inputs = (*graph.inputs(product.node), residual)
    fused = graph.add(replace(op, residual=True), *inputs, label=graph.label(product.node))
    graph.replace(Value(node), fused)
    return True
