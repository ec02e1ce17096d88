"""Attention nodes → dispatches: the part of lower.py that knows caches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..graph.fused import (
    AttentionReduce,
    AttentionSplit,
    QkvRope,
    RopeAttention,
    RopeAttentionSplit,
)
from ..graph.graph import Value
from ..graph.ops import Attention, Op
from ..schedule.plan import View
from . import kernels
from .dispatch import Dispatch
from .regions import region_view, vector_offset, whole_region
from .use import Use, kv_cache


def _qkv_rope(use: Use, op: QkvRope) -> Iterator[Dispatch]:
    qkv, table, *norms = use.inputs
    cache, keys, values = use.cache(op.cache)
    (q_norm, k_norm), weights = _head_norms(use, norms)
    params = kernels.QkvRope(
        n_heads=op.n_heads,
        cache=cache,
        rope_dim=op.rotary.dimension,
        interleaved=op.rotary.interleaved,
        q_norm=q_norm,
        k_norm=k_norm,
        norm_epsilon=op.norm or 0.0,
    )
    rope = region_view(whole_region(use.plan.weights, use.constant(table)))
    yield use.dispatch(params, rope, *weights, use.view(qkv), use.out(), keys, values)


def _rope_attention(use: Use, op: RopeAttention) -> Iterator[Dispatch]:
    qkv, table, *norms = use.inputs
    rope = op.rope
    cache, keys, values = use.cache(rope.cache)
    offsets, weights = _head_norms(use, norms)
    params = kernels.RopeAttention(
        n_heads=rope.n_heads,
        cache=cache,
        rope_dim=rope.rotary.dimension,
        interleaved=rope.rotary.interleaved,
        q_norm=offsets[0],
        k_norm=offsets[1],
        norm_epsilon=rope.norm or 0.0,
        scale=op.scale,
        reach=op.reach,
        record=op.record,
        out_interleaved=not op.record and use.interleaved(Value(use.node)),
    )
    turns = region_view(whole_region(use.plan.weights, use.constant(table)))
    out = use.out(2 if op.record else 0)
    yield use.dispatch(params, turns, *weights, use.view(qkv), keys, values, out)


def _rope_attention_split(use: Use, op: RopeAttentionSplit) -> Iterator[Dispatch]:
    qkv, table, *norms = use.inputs
    rope = op.rope
    cache, keys, values = use.cache(rope.cache)
    offsets, weights = _head_norms(use, norms)
    params = kernels.RopeAttentionSplit(
        n_heads=rope.n_heads,
        cache=cache,
        rope_dim=rope.rotary.dimension,
        interleaved=rope.rotary.interleaved,
        q_norm=offsets[0],
        k_norm=offsets[1],
        norm_epsilon=rope.norm or 0.0,
        scale=op.scale,
        split=op.split,
        n_splits=op.n_splits,
    )
    turns = region_view(whole_region(use.plan.weights, use.constant(table)))
    yield use.dispatch(params, turns, *weights, use.view(qkv), keys, values, use.out())


def _attention(use: Use, op: Attention) -> Iterator[Dispatch]:
    q = use.inputs[0]
    cache, keys, values = use.cache(op.cache)
    params = kernels.AttentionPrefill(use.width(q) // cache.head_dim, cache, op.scale)
    yield use.dispatch(params, use.view(q), keys, values, use.out())


def _attention_split(use: Use, op: AttentionSplit) -> Iterator[Dispatch]:
    q = use.inputs[0]
    cache, keys, values = use.cache(op.cache)
    heads = use.width(q) // cache.head_dim
    params = kernels.AttentionSplit(heads, cache, op.scale, op.split, op.n_splits)
    yield use.dispatch(params, use.view(q), keys, values, use.out())


def _attention_reduce(use: Use, op: AttentionReduce) -> Iterator[Dispatch]:
    (partial,) = use.inputs
    heads, n_splits, _ = use.sizes(partial)
    cache = kv_cache(op.cache, use.plan.sizes.ahead, use.kv)
    order = not op.record and use.interleaved(Value(use.node))
    params = kernels.AttentionReduce(heads, cache, op.split, n_splits, order, op.record)
    yield use.dispatch(params, use.view(partial), use.out(int(op.record)))


def _head_norms(
    use: Use, norms: Sequence[Value]
) -> tuple[tuple[int | None, int | None], list[View]]:
    """Where γ of query and key heads begin (in 16 bytes) in the one view of both."""
    if not norms:
        return (None, None), []
    names = [use.constant(value) for value in norms]
    region = whole_region(use.plan.weights, names[0])
    q_norm, k_norm = (vector_offset(region, name) for name in names)
    return (q_norm, k_norm), [region_view(region)]


ATTENTION_RULES: Mapping[type[Op], Callable[[Use, Any], Iterator[Dispatch]]] = {
    Attention: _attention,
    AttentionReduce: _attention_reduce,
    AttentionSplit: _attention_split,
    QkvRope: _qkv_rope,
    RopeAttention: _rope_attention,
    RopeAttentionSplit: _rope_attention_split,
}
