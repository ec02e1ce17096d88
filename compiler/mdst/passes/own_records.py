"""Narrow projections make the records of their input for themselves."""

from __future__ import annotations

from dataclasses import replace

from ..graph.fused import Projection, Quantise
from ..graph.graph import Graph, Value

MOST_ROWS = 49_152
"""Of weights. Every workgroup makes all records again: with more rows than this a step that makes
them once is faster."""


def own_records(graph: Graph) -> Graph:
    """
        x ─ quantise(γ) ─ int8 projection(W)        →        x ─ int8 projection(γ, W)

    for graphs of one token (one_token), so that whoever makes x need not own whole blocks of it and
    can spread over more workgroups. Left alone without γ, where x already is in pieces that fit
    (gated values, heads), and for projections of many rows, like the output matrix.
    """
    result = graph.copy()
    for node in graph:
        op = graph.op(node)
        if not isinstance(op, Projection) or not op.takes_records:
            continue
        records, *rest = result.inputs(node)
        made = result.op(records.node)
        if not isinstance(made, Quantise) or result.type(records).shape[0] != 1:
            continue
        x, *gamma = result.inputs(records.node)
        weights = [result.type(weight).shape[0] for weight, _, _ in op.weights(result.inputs(node))]
        if not gamma or sum(n for n in weights if isinstance(n, int)) > MOST_ROWS:
            continue
        new = result.add(replace(op, own_records=True), x, *gamma, *rest, label=graph.label(node))
        result.replace(Value(node), new)
    result.remove_dead()
    return result
