"""A graph as text, one node a line, stable from run to run: for dumps and goldens."""

from __future__ import annotations

from dataclasses import fields, is_dataclass

from .graph import Graph, Value
from .ops import Constant, Op


def text(graph: Graph) -> str:
    """`%n = Op(attributes) %inputs : types  # label`, in execution order. Nodes are renumbered, and
    constants stand by name where they are used."""
    names: dict[Value, str] = {}
    lines = []
    number = 0
    for node in graph:
        op = graph.op(node)
        if isinstance(op, Constant):
            names[Value(node)] = f"@{op.name}"
            continue
        outputs = [Value(node, i) for i in range(len(graph.types(node)))]
        for value in outputs:
            names[value] = f"%{number}" if len(outputs) == 1 else f"%{number}.{value.output}"
        number += 1
        left = ", ".join(names[value] for value in outputs)
        inputs = " ".join(names[value] for value in graph.inputs(node))
        types = ", ".join(map(str, graph.types(node)))
        label = f"  # {graph.label(node)}" if graph.label(node) else ""
        lines.append(f"{left} = {_operator(op)} {inputs} : {types}{label}".replace("  :", " :"))
    results = ", ".join(f"{name} = {names[value]}" for name, value in graph.outputs.items())
    return "\n".join([f"graph {graph.name}", *lines, f"return {results}", ""])


def operators(graph: Graph) -> dict[str, int]:
    """How many nodes of each operator there are, constants left out; in order of first use."""
    found: dict[str, int] = {}
    for node in graph:
        op = graph.op(node)
        if not isinstance(op, Constant):
            found[type(op).__name__] = found.get(type(op).__name__, 0) + 1
    return found


def _operator(op: Op) -> str:
    assert is_dataclass(op)
    attributes = ", ".join(f"{f.name}={_attribute(getattr(op, f.name))}" for f in fields(op))
    return f"{type(op).__name__}({attributes})"


def _attribute(value: object) -> str:
    if is_dataclass(value) and not isinstance(value, type):
        inner = ", ".join(f"{f.name}={_attribute(getattr(value, f.name))}" for f in fields(value))
        return f"{type(value).__name__}({inner})"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_attribute, value)) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)
