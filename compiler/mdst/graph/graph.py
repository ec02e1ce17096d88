"""The graph of a model's nodes; the one door to networkx."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import networkx as nx

from .ops import Op
from .types import TensorType


@dataclass(frozen=True, slots=True, order=True)
class Value:
    """One output of a node."""

    node: int
    output: int = 0


class Graph:
    """Nodes in a MultiDiGraph; an edge carries which output feeds which input slot (one value may
    feed several slots). `outputs` are the values that a run is for; `name` is the phase."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.outputs: dict[str, Value] = {}
        self._nodes = nx.MultiDiGraph()
        self._next = 0

    def add(self, op: Op, *inputs: Value, label: str = "") -> Value:
        """A new node; `label` is for people. Its first output is returned; others are
        `Value(result.node, i)`. Raises InternalError when the inputs' types do not fit."""
        node, self._next = self._next, self._next + 1
        types = op.infer(*(self.type(value) for value in inputs))
        self._nodes.add_node(node, op=op, types=types, label=label)
        self._connect(node, inputs)
        return Value(node)

    def _connect(self, node: int, inputs: tuple[Value, ...]) -> None:
        for slot, value in enumerate(inputs):
            self._nodes.add_edge(value.node, node, output=value.output, slot=slot)

    def op(self, node: int) -> Op:
        op: Op = self._nodes.nodes[node]["op"]
        return op

    def label(self, node: int) -> str:
        label: str = self._nodes.nodes[node]["label"]
        return label

    def types(self, node: int) -> tuple[TensorType, ...]:
        types: tuple[TensorType, ...] = self._nodes.nodes[node]["types"]
        return types

    def type(self, value: Value) -> TensorType:
        return self.types(value.node)[value.output]

    def inputs(self, node: int) -> tuple[Value, ...]:
        """What feeds the node, by slot."""
        edges = sorted(self._nodes.in_edges(node, data=True), key=lambda e: e[2]["slot"])
        return tuple(Value(source, data["output"]) for source, _, data in edges)

    def users(self, value: Value) -> list[tuple[int, int]]:
        """(node, slot) of every use, in order; uses as a graph output are not among them."""
        edges = self._nodes.out_edges(value.node, data=True)
        return sorted((n, d["slot"]) for _, n, d in edges if d["output"] == value.output)

    def single_user(self, value: Value) -> int | None:
        """The node that alone uses `value`, once; None when there are more uses or an output."""
        users = self.users(value)
        if len(users) != 1 or value in self.outputs.values():
            return None
        return users[0][0]

    def replace(self, old: Value, new: Value) -> None:
        """Makes every use of `old` a use of `new`."""
        for node, slot in self.users(old):
            inputs = list(self.inputs(node))
            inputs[slot] = new
            self._nodes.remove_edges_from(list(self._nodes.in_edges(node, keys=True)))
            self._connect(node, tuple(inputs))
        for name, value in self.outputs.items():
            if value == old:
                self.outputs[name] = new

    def remove_dead(self) -> None:
        """Drops the nodes that no output needs."""
        needed = {value.node for value in self.outputs.values()}
        for node in tuple(needed):
            needed |= nx.ancestors(self._nodes, node)
        self._nodes.remove_nodes_from([n for n in self._nodes if n not in needed])

    def order(self) -> list[int]:
        """All nodes, inputs first; among those that are ready, the oldest first."""
        return list(nx.lexicographical_topological_sort(self._nodes))

    def copy(self, name: str | None = None) -> Graph:
        """An independent graph with the same nodes and node numbers."""
        twin = Graph(name or self.name)
        twin.outputs = dict(self.outputs)
        twin._nodes = self._nodes.copy()
        twin._next = self._next
        return twin

    def is_acyclic(self) -> bool:
        return bool(nx.is_directed_acyclic_graph(self._nodes))

    def __iter__(self) -> Iterator[int]:
        return iter(self.order())

    def __contains__(self, node: int) -> bool:
        return node in self._nodes

    def __len__(self) -> int:
        return len(self._nodes)
