"""Attention of one token joins the step that turns and stores its query, key and value."""

from __future__ import annotations

from ..graph.fused import QkvRope, RopeAttention
from ..graph.graph import Graph, Value
from ..graph.ops import Attention

MOST_KEYS = 1024
"""Keys up to which one workgroup per head is faster than several and a step that joins them."""


def short_reach(graph: Graph) -> int:
    """The position before which every attention of `graph` looks at few keys, none of which has
    left a window."""
    windows = []
    for node in graph:
        op = graph.op(node)
        if isinstance(op, Attention):
            windows.append(op.cache.window)
        elif isinstance(op, RopeAttention):
            windows.append(op.reach)
    return min([*windows, MOST_KEYS])


def fuse_rope_attention(graph: Graph) -> Graph:
    """
        qkv ─ qkv_rope ┬ q ───── attention        →        qkv ─ rope_attention
                       └ cache ─┘

    For graphs of one token (one_token) that run at positions before short_reach(graph). Left alone
    where the query has another user.
    """
    reach = short_reach(graph)
    result = graph.copy()
    for node in graph:
        op = graph.op(node)
        if not isinstance(op, Attention):
            continue
        q, cache = result.inputs(node)
        rope = result.op(q.node)
        if isinstance(rope, QkvRope) and cache.node == q.node and result.single_user(q) is not None:
            fused = result.add(
                RopeAttention(rope, op.scale, reach),
                *result.inputs(q.node),
                label=graph.label(node),
            )
            result.replace(Value(node), fused)
            result.replace(cache, Value(fused.node, 1))
    result.remove_dead()
    return result
