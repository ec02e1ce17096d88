"""Norms, rotation and cache write of a layer's queries, keys and values become one step."""

from __future__ import annotations

from ..graph.fused import QkvRope
from ..graph.graph import Graph, Value
from ..graph.ops import Concat, HeadNorm, KvWrite, Rope


def fuse_qkv_rope(graph: Graph) -> Graph:
    """
        q ─ [norm] ─ rope ─────── q'               q ┐              ┌ q'
        k ─ [norm] ─ kv_write ─ cache      →       k ┼ concat ─ qkv_rope
        v ───────────┘                             v ┘              └ cache

    Left alone when only one of q and k is normalised, when the two norms differ in epsilon, when q
    and k turn by different tables, or when a value in between has another user.
    """
    result = graph.copy()
    for node in graph:
        if isinstance(graph.op(node), KvWrite):
            _fuse(result, node)
    result.remove_dead()
    return result


def _fuse(graph: Graph, write: int) -> None:
    op = graph.op(write)
    assert isinstance(op, KvWrite)
    attention = graph.single_user(Value(write))
    if attention is None:
        return
    rotated = graph.inputs(attention)[0]
    if graph.op(rotated.node) != Rope(op.rotary) or graph.single_user(rotated) is None:
        return
    q, table = graph.inputs(rotated.node)
    k, v, key_table = graph.inputs(write)
    if graph.op(table.node) != graph.op(key_table.node):
        return
    norm: float | None = None
    weights: tuple[Value, ...] = ()
    q_norm, k_norm = graph.op(q.node), graph.op(k.node)
    if isinstance(q_norm, HeadNorm) or isinstance(k_norm, HeadNorm):
        if q_norm != k_norm or None in (graph.single_user(q), graph.single_user(k)):
            return
        assert isinstance(q_norm, HeadNorm)
        norm = q_norm.epsilon
        (q, q_weight), (k, k_weight) = graph.inputs(q.node), graph.inputs(k.node)
        weights = (q_weight, k_weight)
    n_heads = graph.type(q).width // op.cache.head_dim
    label = graph.label(write).removesuffix(".kv")
    qkv = graph.add(Concat(), q, k, v, label=f"{label}.qkv")
    fused = graph.add(
        QkvRope(n_heads, op.cache, op.rotary, norm), qkv, table, *weights, label=f"{label}.rope"
    )
    graph.replace(rotated, fused)
    graph.replace(Value(write), Value(fused.node, 1))
