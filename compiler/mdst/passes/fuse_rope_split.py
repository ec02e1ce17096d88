"""Split attention joins the step that turns and stores its query, key and value."""

from __future__ import annotations

from ..graph.fused import AttentionSplit, QkvRope, RopeAttentionSplit
from ..graph.graph import Graph, Value

MOST_HEADS = 8
MOST_QUERY_VALUES = 1024
"""Query heads of a key head, and their values, that a workgroup has lanes and memory for."""


def fuse_rope_split(graph: Graph) -> Graph:
    """
        qkv ─ qkv_rope ┬ q ───── attention_split        →        qkv ─ rope_attention_split
                       └ cache ─┘

    Left alone where the query has another user, and where the query heads of a key head are more
    than one workgroup can have.
    """
    result = graph.copy()
    for node in graph:
        op = graph.op(node)
        if not isinstance(op, AttentionSplit):
            continue
        q, cache = result.inputs(node)
        rope = result.op(q.node)
        if (
            isinstance(rope, QkvRope)
            and cache.node == q.node
            and result.single_user(q) is not None
            and _fits(rope)
        ):
            fused = result.add(
                RopeAttentionSplit(rope, op.scale, op.split, op.n_splits),
                *result.inputs(q.node),
                label=graph.label(node),
            )
            result.replace(Value(node), fused)
            result.replace(cache, Value(fused.node, 1))
    result.remove_dead()
    return result


def _fits(rope: QkvRope) -> bool:
    group = rope.n_heads // rope.cache.n_kv_heads
    return group <= MOST_HEADS and group * rope.cache.head_dim <= MOST_QUERY_VALUES
