"""The two projections of a gated MLP and their activation become one projection."""

from __future__ import annotations

from ..graph.graph import Graph, Value
from ..graph.ops import SiluMul
from .join import join_projections


def fuse_gate_up(graph: Graph) -> Graph:
    """
        x ─ projection(gate) ─┐
        x ─ projection(up) ───┴ silu · mul        →        x ─ gated projection(gate, up)

    Left alone when gate and up differ in their input, or one has another user.
    """
    result = graph.copy()
    for node in graph:
        if isinstance(graph.op(node), SiluMul):
            gate = result.inputs(node)[0]
            label = result.label(gate.node).replace("ffn_gate", "ffn_gate_up")
            merged = join_projections(result, result.inputs(node), gated=True, label=label)
            if merged is not None:
                result.replace(Value(node), merged)
    result.remove_dead()
    return result
