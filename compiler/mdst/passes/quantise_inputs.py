"""Projections of quantised weights take their input as int8 records."""

from __future__ import annotations

from dataclasses import replace

from ..graph.fused import Projection, Quantise
from ..graph.graph import Graph, Value
from ..quant.records import BLOCK

FLOATS = frozenset({"F32", "F16", "BF16"})
"""Weights without codes, which have no integer dot product."""


def quantise_inputs(graph: Graph) -> Graph:
    """
        x ─ projection(γ, W)        →        x ─ quantise(γ) ─ int8 projection(W)

    The root mean square still divides the finished sums. Projections with the same x and γ share
    the records. Left alone when one of the weights is of a float type or the rows are no whole
    blocks of 32, and for the last row of many.
    """
    result = graph.copy()
    made: dict[tuple[Value, ...], Value] = {}
    for node in graph:
        op = graph.op(node)
        if not isinstance(op, Projection) or op.int8 or op.last_row:
            continue
        inputs = result.inputs(node)
        types = [result.type(weight) for weight, _, _ in op.weights(inputs)]
        if any(type.dtype in FLOATS or type.width % BLOCK for type in types):
            continue
        gamma = op.norm_weight(inputs)
        source = (inputs[0],) if gamma is None else (inputs[0], gamma)
        if source not in made:
            label = f"{graph.label(node)}.quantise"
            made[source] = result.add(Quantise(), *source, label=label)
        rest = inputs[len(source) :]
        new = result.add(replace(op, int8=True), made[source], *rest, label=graph.label(node))
        result.replace(Value(node), new)
    result.remove_dead()
    return result
