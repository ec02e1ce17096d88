"""A model whose memory passes what 32 bits address → parts, runs of its layers, that each fit one.

The layers are cut where a single value, the hidden states, is all that goes on. The first part has
the embedding, the last one the output matrix; each part but the first begins with a carried value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ...errors import UnsupportedError
from ...graph.fused import QkvRope
from ...graph.graph import Graph, Value
from ...graph.ops import Carried, Constant
from ...schedule.limits import align
from ...schedule.liveness import steps
from ...schedule.plan import Plan
from ...schedule.weight_plan import Region

Graphs = Mapping[str, Graph]


@dataclass(frozen=True, slots=True)
class Unit:
    """What is not cut further: the embedding, a layer or the output matrix, with the weights that
    it reads and its bytes of caches. `end`: the value that goes on."""

    layer: int | None
    end: Value | None
    regions: frozenset[Region]
    caches: int

    @property
    def name(self) -> str:
        if self.layer is not None:
            return f"layer {self.layer}"
        return "the embedding" if self.end else "the output matrix"


@dataclass(frozen=True, slots=True)
class Part:
    """The graphs of a run of units. `layers`: the first of them, and the first that is not;
    `weights`: (buffer, offset, size) of what they read, in order."""

    number: int
    layers: tuple[int, int]
    graphs: Graphs
    weights: tuple[tuple[int, int, int], ...]


def cut(graphs: Graphs, plan: Plan, beside: int, most: int) -> list[Part]:
    """The fewest parts of at most `most` bytes each, `beside` of which go to what is neither weight
    nor cache; about equal ones. Raises UnsupportedError when a unit alone is larger."""
    found = units(graphs, plan)
    for unit in found:
        if (size := beside + _bytes([unit])) > most:
            raise UnsupportedError(
                "WASM004",
                f"{unit.name} alone needs {size} bytes, and a WASM module with 32-bit addresses "
                f"has at most {most}",
                hint="choose a smaller --context",
            )
    low, high = max(_bytes([unit]) for unit in found), most - beside
    count = len(_packed(found, high))
    while low < high:  # the least size that gives as few
        middle = (low + high) // 2
        if len(_packed(found, middle)) == count:
            high = middle
        else:
            low = middle + 1
    parts: list[Part] = []
    entry, first = None, 0
    for run in _packed(found, high):
        end = max([unit.layer + 1 for unit in run if unit.layer is not None], default=first)
        pieces = _graphs(graphs, entry, run[-1])
        parts.append(Part(len(parts) + 1, (first, end), pieces, tuple(_ranges(run))))
        entry, first = run[-1].end, end
    return parts


def units(graphs: Graphs, plan: Plan) -> list[Unit]:
    """All units in the order of their work. What comes after a layer's first place to cut at, such
    as its feed-forward half, stays with the layer."""
    graph, head = graphs["wasm_layers"], graphs["wasm_head"]
    found: list[Unit] = []
    for nodes, end in _segments(graph):
        ops = [op for op in map(graph.op, nodes) if isinstance(op, QkvRope)]
        layer = ops[0].cache.layer if ops else None
        caches = sum(align(view.size) for op in ops for view in plan.caches[op.cache.layer])
        regions = _regions(graph, nodes, plan)
        if found and layer is None:
            last = found.pop()
            found.append(replace(last, end=end, regions=last.regions | regions))
        else:
            found.append(Unit(layer, end, regions, caches))
    return [*found, Unit(None, None, _regions(head, head, plan), 0)]


def _segments(graph: Graph) -> list[tuple[list[int], Value]]:
    """Runs of steps, as short as can be, after which a single value is still used: that value."""
    order = steps(graph)
    index = {node: i for i, node in enumerate(order)}
    last: dict[Value, int] = {}
    for node in order:
        for value in graph.inputs(node):
            if value.node in index:
                last[value] = index[node]
    last[graph.outputs["hidden"]] = len(order)
    segments: list[tuple[list[int], Value]] = []
    nodes: list[int] = []
    for i, node in enumerate(order):
        nodes.append(node)
        alive = [value for value, use in last.items() if index[value.node] <= i < use]
        if len(alive) == 1:
            segments.append((nodes, alive[0]))
            nodes = []
    return segments


def _regions(graph: Graph, nodes: Iterable[int], plan: Plan) -> frozenset[Region]:
    ops = [graph.op(value.node) for node in nodes for value in graph.inputs(node)]
    names = {op.name for op in ops if isinstance(op, Constant)}
    return frozenset(region for name in names for region in plan.weights.regions_of(name))


def _bytes(run: Sequence[Unit]) -> int:
    """Of the weights and caches of units that are together."""
    weights = {region for unit in run for region in unit.regions}
    return sum(align(region.size) for region in weights) + sum(unit.caches for unit in run)


def _packed(found: Sequence[Unit], most: int) -> list[list[Unit]]:
    """Runs of units of at most `most` bytes, each as long as can be."""
    runs: list[list[Unit]] = [[]]
    for unit in found:
        if runs[-1] and _bytes([*runs[-1], unit]) > most:
            runs.append([])
        runs[-1].append(unit)
    return runs


def _ranges(run: Sequence[Unit]) -> list[tuple[int, int, int]]:
    """Where the weights of units lie in their buffers; neighbours as one range."""
    regions = {(r.buffer, r.offset, r.size) for unit in run for r in unit.regions}
    found: list[tuple[int, int, int]] = []
    for buffer, offset, size in sorted(regions):
        if found and found[-1][0] == buffer and align(sum(found[-1][1:])) == offset:
            start = found.pop()[1]
            found.append((buffer, start, offset + size - start))
        else:
            found.append((buffer, offset, size))
    return found


def _graphs(graphs: Graphs, entry: Value | None, last: Unit) -> Graphs:
    """The programs from `entry` (None: the start) to the end of a unit."""
    layers = graphs["wasm_layers"].copy()
    end = last.end or layers.outputs["hidden"]
    if entry is not None:
        carried = layers.add(Carried("entry", layers.type(entry)), label="entry")
        layers.replace(entry, carried)
        end = carried if end == entry else end
    layers.outputs = {"hidden": end}
    layers.remove_dead()
    if last.end is not None:
        return {"wasm_layers": layers}
    return {"wasm_layers": layers, "wasm_head": graphs["wasm_head"]}
