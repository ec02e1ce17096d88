"""A projection normalises its input on the way: the root mean square divides the finished dot
products, so no pass over the input comes before them."""

from __future__ import annotations

from dataclasses import replace

from ..graph.fused import Projection
from ..graph.graph import Graph, Value
from ..graph.ops import RmsNorm


def fuse_norm(graph: Graph) -> Graph:
    """
        x ─ rms_norm(γ) ─ projection(W)        →        x ─ projection(γ, W)

    Left alone when the normalised value has another user. For one token only: with many tokens the
    norm would be computed again for every tile of rows.
    """
    result = graph.copy()
    for node in graph:
        op = graph.op(node)
        if not isinstance(op, Projection) or op.norm is not None:
            continue
        normed, *rest = result.inputs(node)
        norm = result.op(normed.node)
        if isinstance(norm, RmsNorm) and result.single_user(normed) is not None:
            x, weight = result.inputs(normed.node)
            fused = replace(op, norm=norm.epsilon)
            result.replace(
                Value(node), result.add(fused, x, weight, *rest, label=graph.label(node))
            )
    result.remove_dead()
    return result
