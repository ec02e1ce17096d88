"""What every graph must be, before and after each pass."""

from __future__ import annotations

from .fused import QkvRope, RopeAttention, RopeAttentionSplit
from .graph import Graph
from .ops import Constant, KvWrite, require


def verify(graph: Graph) -> None:
    """Raises InternalError unless the graph is sound: outputs exist, no cycles, all types follow
    from the inputs, constants of one name agree, each layer's cache is written once."""
    require(bool(graph.outputs), f"{graph.name}: a graph has outputs")
    for name, value in graph.outputs.items():
        require(value.node in graph, f"{graph.name}: output {name} is gone")
    require(graph.is_acyclic(), f"{graph.name}: the graph has a cycle")
    constants: dict[str, Constant] = {}
    layers: set[int] = set()
    for node in graph:
        op = graph.op(node)
        types = op.infer(*(graph.type(value) for value in graph.inputs(node)))
        require(types == graph.types(node), f"{graph.name}: node {node} has stale types")
        match op:
            case Constant(name=name):
                require(constants.setdefault(name, op) == op, f"two types of constant {name}")
            case (
                KvWrite(cache=cache)
                | QkvRope(cache=cache)
                | RopeAttention(rope=QkvRope(cache=cache))
                | RopeAttentionSplit(rope=QkvRope(cache=cache))
            ):
                require(cache.layer not in layers, f"layer {cache.layer}'s cache is written twice")
                layers.add(cache.layer)
            case _:
                pass
