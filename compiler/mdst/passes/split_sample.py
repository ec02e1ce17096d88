"""Sampling in two steps: one over all logits, one that decides."""

from __future__ import annotations

from ..graph.fused import SamplePrepare, SampleSelect
from ..graph.graph import Graph, Value
from ..graph.ops import Sample

_IDS_PER_GROUP = 1024


def split_sample(graph: Graph) -> Graph:
    """
    logits ─ sample ─ token        →        logits ─ sample_prepare ═ sample_select ─ token
    """
    result = graph.copy()
    for node in graph:
        if isinstance(graph.op(node), Sample):
            (logits,) = result.inputs(node)
            groups = -(-graph.type(logits).width // _IDS_PER_GROUP)
            prepared = result.add(SamplePrepare(groups), logits, label="sample.prepare")
            best = Value(prepared.node, 1)
            token = result.add(SampleSelect(), prepared, best, label="sample.select")
            result.replace(Value(node), token)
    result.remove_dead()
    return result
