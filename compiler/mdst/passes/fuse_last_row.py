"""A projection reads the last token's row where it stands."""

from __future__ import annotations

from dataclasses import replace

from ..graph.fused import Projection
from ..graph.graph import Graph, Value
from ..graph.ops import LastRow


def fuse_last_row(graph: Graph) -> Graph:
    """
        x ─ last row ─ projection        →        x ─ projection of the last row

    Left alone when the row has another user.
    """
    result = graph.copy()
    for node in graph:
        op = graph.op(node)
        if not isinstance(op, Projection):
            continue
        row, *rest = result.inputs(node)
        if isinstance(result.op(row.node), LastRow) and result.single_user(row) is not None:
            (x,) = result.inputs(row.node)
            fused = result.add(replace(op, last_row=True), x, *rest, label=graph.label(node))
            result.replace(Value(node), fused)
    result.remove_dead()
    return result
