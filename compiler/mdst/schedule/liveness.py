"""The order of a graph's steps → when each value is alive."""

from __future__ import annotations

from collections.abc import Collection

from ..graph.graph import Graph, Value
from ..graph.ops import Carried, Constant, Tokens
from ..graph.types import KV
from .memory_plan import Interval

WORD = 4
"""Bytes of an activation's element."""

_ELSEWHERE = (Constant, Carried, Tokens)


def steps(graph: Graph) -> list[int]:
    """The nodes that do work, in execution order."""
    return [node for node in graph if not isinstance(graph.op(node), _ELSEWHERE)]


def intervals(graph: Graph, tokens: int, pinned: Collection[str]) -> list[Interval[Value]]:
    """The lifetime of every activation for runs of up to `tokens` tokens. Graph outputs named in
    `pinned` have places of their own and are left out; so are caches and the next token, which the
    sampler keeps in the state."""
    order = steps(graph)
    index = {node: i for i, node in enumerate(order)}
    elsewhere = {graph.outputs[name] for name in graph.outputs if name in pinned}
    found = []
    for node in order:
        for output, type in enumerate(graph.types(node)):
            value = Value(node, output)
            if type.dtype == KV or value in elsewhere or value == graph.outputs.get("token"):
                continue
            last = max([index[user] for user, _ in graph.users(value)], default=index[node])
            size = WORD * type.elements(tokens)
            found.append(Interval(value, size, index[node], last))
    return found
