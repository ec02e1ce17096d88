"""Whoever makes a value also leaves its records."""

from __future__ import annotations

from dataclasses import replace

from ..graph.fused import (
    AttentionReduce,
    Projection,
    Quantise,
    Record,
    RecordedNorm,
    RopeAttention,
)
from ..graph.graph import Graph, Value
from ..graph.ops import Op, RmsNorm
from ..quant.records import BLOCK


def fuse_records(graph: Graph) -> Graph:
    """
        x ─ rms_norm ─ quantise ─ r                          →        x ─ recorded norm ─ r

    where the norm has no other user. For graphs of one token (one_token) also

        … ─ projection ─ x ─ quantise(γ) ─ r        →        … ─ projection(γ) ┬ x
                                                                              └ r

    and the same for attention, whose records have no γ. Left alone when the
    maker already leaves records (with another γ), and when a head of attention is no whole number
    of blocks.
    """
    result = graph.copy()
    for node in graph:
        if not isinstance(graph.op(node), Quantise):
            continue
        x, *gamma = result.inputs(node)
        norm = result.op(x.node)
        if isinstance(norm, RmsNorm) and not gamma and result.single_user(x) is not None:
            made = result.add(
                RecordedNorm(norm.epsilon), *result.inputs(x.node), label=result.label(x.node)
            )
            result.replace(Value(node), made)
            continue
        if result.type(x).shape[0] != 1:
            continue
        op, output = _recording(result.op(x.node), "normed" if gamma else "plain")
        if op is None:
            continue
        label = result.label(x.node)
        new = result.add(op, *result.inputs(x.node), *gamma, label=label)
        for i in range(len(result.types(x.node))):
            result.replace(Value(x.node, i), Value(new.node, i))
        result.replace(Value(node), Value(new.node, output))
    result.remove_dead()
    return result


def _recording(op: Op, record: Record) -> tuple[Op | None, int]:
    """`op` with records as a further output, and the number of that output."""
    match op:
        case Projection(record=None, last_row=False):
            return replace(op, record=record), 1
        case RopeAttention(record=False) if record == "plain" and not _head_dim(op) % BLOCK:
            return replace(op, record=True), 2
        case AttentionReduce(record=False) if record == "plain" and not _head_dim(op) % BLOCK:
            return replace(op, record=True), 1
    return None, 0


def _head_dim(op: RopeAttention | AttentionReduce) -> int:
    cache = op.rope.cache if isinstance(op, RopeAttention) else op.cache
    return cache.head_dim
