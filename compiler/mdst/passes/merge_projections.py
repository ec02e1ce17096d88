"""Projections of one input whose results are laid side by side become one projection."""

from __future__ import annotations

from ..graph.graph import Graph, Value
from ..graph.ops import Concat
from .join import join_projections


def merge_projections(graph: Graph) -> Graph:
    """
        x ─ projection(a) ─┐
        x ─ projection(b) ─┴ concat        →        x ─ projection(a ‖ b)

    Left alone when an operand is no projection, has another input or another user.
    """
    result = graph.copy()
    for node in graph:
        if isinstance(graph.op(node), Concat):
            label = graph.label(node)
            merged = join_projections(result, result.inputs(node), gated=False, label=label)
            if merged is not None:
                result.replace(Value(node), merged)
    result.remove_dead()
    return result
