"""The plan of a bundle: every buffer, and where each value, constant and cache lies in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ..errors import UnsupportedError
from ..graph.graph import Graph, Value
from .limits import MAX_BINDING, MAX_BUFFER, align
from .liveness import WORD, intervals
from .memory_plan import plan_memory
from .weight_plan import WeightPlan

PINNED = ("hidden", "logits")
"""Values that programs leave for each other, each at one place for all of them."""


@dataclass(frozen=True, slots=True)
class View:
    """`size` bytes at `offset` of a named buffer: what a step binds."""

    buffer: str
    offset: int
    size: int


Arithmetic = Literal["float", "int8"]
"""How weights are multiplied: by float32, or by int8 records (quant/records.py)."""


@dataclass(frozen=True, slots=True)
class ProgramGraph:
    """A graph to be planned, for runs of up to `tokens` tokens. `phase` names what it does; there
    may be one of each arithmetic. `reach`: the position before which alone it may run."""

    phase: str
    graph: Graph
    tokens: int
    arithmetic: Arithmetic = "float"
    reach: int | None = None

    @property
    def name(self) -> str:
        return self.phase if self.arithmetic == "float" else f"{self.phase}_{self.arithmetic}"


@dataclass(frozen=True, slots=True)
class PlannedProgram(ProgramGraph):
    """A program's graph with the places of its activations."""

    places: Mapping[Value, View] = field(default_factory=dict)


MAX_STEPS_AHEAD = 64
"""Decode steps that may be in flight when a text is taken back to an earlier token."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """In tokens: `window` that attention sees, and most of a prefill run."""

    window: int
    chunk: int

    @property
    def ahead(self) -> int:
        """Ring slots beyond the window, which tokens in flight may overwrite."""
        return max(self.chunk, MAX_STEPS_AHEAD)


@dataclass(frozen=True, slots=True)
class Plan:
    """`buffers`: sizes in bytes. `caches`: the key and the value view of each layer. `pinned`: the
    places of the values named in PINNED."""

    sizes: Sizes
    weights: WeightPlan
    programs: tuple[PlannedProgram, ...]
    caches: Mapping[int, tuple[View, View]]
    pinned: Mapping[str, View]
    buffers: Mapping[str, int]

    def program(self, name: str) -> PlannedProgram:
        return next(program for program in self.programs if program.name == name)

    def fastest(self, phase: str) -> PlannedProgram:
        """The program of a phase; of int8 records, where there is one."""
        return [program for program in self.programs if program.phase == phase][-1]

    @property
    def weight_bytes(self) -> int:
        return sum(self.weights.buffers)


@dataclass(frozen=True, slots=True)
class CacheSize:
    """Bytes of a layer's keys and values."""

    layer: int
    keys: int
    values: int


def weight_buffer(number: int) -> str:
    return f"weights{number}"


def make_plan(
    sizes: Sizes,
    graphs: Sequence[ProgramGraph],
    weights: WeightPlan,
    caches: Sequence[CacheSize],
    fixed: Mapping[str, int],
) -> Plan:
    """Plans all programs together. `fixed` are buffers of a given size
    (state, tokens, …).

    Raises UnsupportedError when a layer's cache does not fit a binding, or the activations a
    buffer.
    """
    pinned, base = _pin(graphs)
    programs, peak = [], base
    for each in graphs:
        graph, tokens = each.graph, each.tokens
        placement = plan_memory(intervals(graph, tokens, PINNED), base)
        peak = max(peak, placement.peak)
        places = {
            value: View("arena", offset, align(WORD * graph.type(value).elements(tokens)))
            for value, offset in placement.offsets.items()
        }
        for output, value in graph.outputs.items():
            if output in pinned:
                places[value] = pinned[output]
        programs.append(
            PlannedProgram(each.phase, graph, tokens, each.arithmetic, each.reach, places)
        )
    _check_arena(programs, peak)
    cache_views, kv_buffers = _place_caches(caches)
    weight_buffers = {weight_buffer(i): size for i, size in enumerate(weights.buffers)}
    buffers = {**weight_buffers, **kv_buffers, "arena": max(peak, 256), **fixed}
    return Plan(sizes, weights, tuple(programs), cache_views, pinned, buffers)


def _check_arena(programs: Sequence[PlannedProgram], peak: int) -> None:
    largest = max((view.size for p in programs for view in p.places.values()), default=0)
    for size, limit, what in ((peak, MAX_BUFFER, "buffer"), (largest, MAX_BINDING, "binding")):
        if size > limit:
            raise UnsupportedError(
                "PLAN003",
                f"activations need a {what} of {size} bytes, more than the {limit} of any device",
                hint="choose a smaller --chunk",
            )


def _pin(graphs: Sequence[ProgramGraph]) -> tuple[dict[str, View], int]:
    """Places for the values named in PINNED at the start of the arena, and where they end."""
    sizes: dict[str, int] = {}
    for each in graphs:
        for name in PINNED:
            if name in each.graph.outputs:
                type = each.graph.type(each.graph.outputs[name])
                size = WORD * type.elements(each.tokens)
                sizes[name] = max(sizes.get(name, 0), align(size))
    views, end = {}, 0
    for name, size in sizes.items():
        views[name] = View("arena", end, size)
        end += size
    return views, end


def _place_caches(
    caches: Sequence[CacheSize],
) -> tuple[dict[int, tuple[View, View]], dict[str, int]]:
    """Layers one after another in as few buffers as their limit allows."""
    views: dict[int, tuple[View, View]] = {}
    buffers: dict[str, int] = {}
    for cache in caches:
        if max(cache.keys, cache.values) > MAX_BINDING:
            raise UnsupportedError(
                "PLAN004",
                f"the keys of one layer need {max(cache.keys, cache.values)} bytes, more than a "
                f"binding's {MAX_BINDING}",
                hint="choose a smaller --context, or --kv f16",
            )
        pair = []
        for size in (cache.keys, cache.values):
            name = f"kv{len(buffers) - 1}"
            if not buffers or buffers[name] + align(size) > MAX_BUFFER:
                name = f"kv{len(buffers)}"
                buffers[name] = 0
            pair.append(View(name, buffers[name], align(size)))
            buffers[name] += align(size)
        views[cache.layer] = (pair[0], pair[1])
    return views, buffers
