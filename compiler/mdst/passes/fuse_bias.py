"""A matrix product takes in the scale and the bias that follow it."""

from __future__ import annotations

from ..graph.fused import Projection, ProjectionPart
from ..graph.graph import Graph, Value
from ..graph.ops import Bias, MatMul, Op, Scale


def fuse_bias(graph: Graph) -> Graph:
    """
        x ─ matmul(W) [─ scale(s)] [─ bias(b)]        →        x ─ projection(W, s, b)

    Every product becomes a projection. A scale or bias stays outside when the value before it has
    another user.
    """
    result = graph.copy()
    for node in graph:
        if isinstance(graph.op(node), MatMul):
            _fuse(result, node)
    result.remove_dead()
    return result


def _fuse(graph: Graph, node: int) -> None:
    end, inputs = Value(node), list(graph.inputs(node))
    found: dict[type[Op], bool] = {}
    for kind in (Scale, Bias):
        user = graph.single_user(end)
        found[kind] = user is not None and isinstance(graph.op(user), kind)
        if user is not None and found[kind] and graph.inputs(user)[0] == end:
            inputs.append(graph.inputs(user)[1])
            end = Value(user)
    part = ProjectionPart(scale=found[Scale], bias=found[Bias])
    label = graph.label(node)
    graph.replace(end, graph.add(Projection((part,)), *inputs, label=label))
