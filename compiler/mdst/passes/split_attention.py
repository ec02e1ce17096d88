"""Attention of one token is cut along the keys, so that a long context fills the whole GPU."""

from __future__ import annotations

from ..graph.fused import AttentionReduce, AttentionSplit
from ..graph.graph import Graph, Value
from ..graph.ops import MAX_SINKS, Attention, Cache

_SPLIT = 64
_MAX_SPLITS = 128


def split_attention(graph: Graph) -> Graph:
    """
        q, cache ─ attention        →        q, cache ─ attention_split ─ attention_reduce

    For graphs of one token (one_token).
    """
    result = graph.copy()
    for node in graph:
        op = graph.op(node)
        if isinstance(op, Attention):
            split, n_splits = _splits(op.cache)
            label = graph.label(node)
            partial = result.add(
                AttentionSplit(op.cache, op.scale, split, n_splits),
                *result.inputs(node),
                label=label,
            )
            joined = result.add(AttentionReduce(op.cache, split), partial, label=f"{label}.join")
            result.replace(Value(node), joined)
    result.remove_dead()
    return result


def _splits(cache: Cache) -> tuple[int, int]:
    """(keys per part, parts) for all keys that one query can see: at most _MAX_SPLITS parts of a
    multiple of _SPLIT keys."""
    keys = cache.window + (MAX_SINKS if cache.sinks else 0)
    split = _SPLIT * -(-keys // (_SPLIT * _MAX_SPLITS))
    return split, -(-keys // split)
