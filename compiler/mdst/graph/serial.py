"""A graph as JSON data and back: how `graph.json` of a bundle keeps the model as it was built."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

from ..errors import InternalError, MalformedError
from . import fused, ops
from .graph import Graph, Value
from .verify import verify

_CLASSES = {
    cls.__name__: cls
    for cls in (*vars(ops).values(), *vars(fused).values())
    if isinstance(cls, type) and is_dataclass(cls)
}


def to_data(graph: Graph) -> dict[str, Any]:
    """`nodes` in order, each with its operator, `inputs` as [node, output] pairs, and label."""
    number = {node: i for i, node in enumerate(graph)}
    nodes = [
        {
            "op": _encode(graph.op(node)),
            "inputs": [[number[v.node], v.output] for v in graph.inputs(node)],
            "label": graph.label(node),
        }
        for node in graph
    ]
    outputs = {name: [number[v.node], v.output] for name, v in graph.outputs.items()}
    return {"name": graph.name, "nodes": nodes, "outputs": outputs}


def from_data(data: Any) -> Graph:
    """The graph of `to_data`. Raises MalformedError for anything else."""
    try:
        graph = Graph(data["name"])
        values: list[Value] = []
        for node in data["nodes"]:
            inputs = [_value(graph, values, place) for place in node["inputs"]]
            values.append(graph.add(_decode(node["op"]), *inputs, label=node["label"]))
        graph.outputs = {
            name: _value(graph, values, place) for name, place in data["outputs"].items()
        }
        verify(graph)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, InternalError) as error:
        raise MalformedError("GRAPH002", f"not a graph: {error!r}") from error
    return graph


def _value(graph: Graph, values: list[Value], place: tuple[int, int]) -> Value:
    number, output = place
    value = Value(values[number].node, output)
    if number < 0 or not 0 <= output < len(graph.types(value.node)):
        raise IndexError(f"no output {output} of node {number}")
    return value


def _encode(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        attributes = {f.name: _encode(getattr(value, f.name)) for f in fields(value)}
        return {"class": type(value).__name__, **attributes}
    return [_encode(item) for item in value] if isinstance(value, tuple) else value


def _decode(data: Any) -> Any:
    if isinstance(data, dict):
        attributes = {name: _decode(value) for name, value in data.items() if name != "class"}
        return _CLASSES[data["class"]](**attributes)
    return tuple(_decode(item) for item in data) if isinstance(data, list) else data
