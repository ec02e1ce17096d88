"""Cuts the graph into programs: the last hidden state and the logits are the seams."""

from __future__ import annotations

from ..graph.graph import Graph, Value
from ..graph.ops import Carried, LastRow, Sample, require


def keep_layers(graph: Graph) -> Graph:
    """
    tokens ─ layers ─ x ─ last row ─ …        →        tokens ─ layers ─ hidden
    """
    result = graph.copy()
    result.outputs = {"hidden": graph.inputs(_only(graph, LastRow))[0]}
    return result


def keep_head(graph: Graph) -> Graph:
    """
    layers ─ x ─ last row ─ … ─ logits ─ sample        →        hidden ─ last row ─ … ─ logits
    """
    result = keep_logits(graph)
    node = _only(graph, LastRow)
    hidden = result.add(Carried("hidden", graph.type(graph.inputs(node)[0])), label="hidden")
    result.replace(Value(node), result.add(LastRow(), hidden, label="last token"))
    return result


def keep_logits(graph: Graph) -> Graph:
    """
    … ─ logits ─ sample        →        … ─ logits
    """
    result = graph.copy()
    result.outputs = {"logits": graph.outputs["logits"]}
    return result


def keep_sample(graph: Graph) -> Graph:
    """
    … ─ logits ─ sample ─ token        →        logits ─ sample ─ token
    """
    logits = graph.inputs(_only(graph, Sample))[0]
    result = Graph(graph.name)
    carried = result.add(Carried("logits", graph.type(logits)), label="logits")
    result.outputs = {"token": result.add(Sample(), carried, label="next token")}
    return result


def _only(graph: Graph, kind: type) -> int:
    nodes = [node for node in graph if isinstance(graph.op(node), kind)]
    require(len(nodes) == 1, f"a model has one {kind.__name__}")
    return nodes[0]
