"""The memory of a module: the buffers that its programs read, and what the kernels need beside, at
addresses that are baked into the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...errors import InternalError
from ...graph.fused import QkvRope
from ...graph.graph import Graph, Value
from ...graph.ops import Carried
from ...schedule.limits import align
from ...schedule.liveness import WORD, intervals
from ...schedule.memory_plan import plan_memory
from ...schedule.plan import PINNED, Plan
from ..state import STATE_BYTES

PAGE = 1 << 16
MOST_THREADS = 16
_BINS = 8 << 11
"""Bytes of the sampler's histogram."""
_TEAM = 512
JOB = 128
"""Where the team's memory numbers its jobs (templates/wat/threads.wat.j2)."""
_SLACK = 1 << 12
"""Bytes past the last row that decoders may read: a group is taken whole."""


@dataclass(frozen=True, slots=True)
class Needs:
    """Bytes: of one thread's scratch memory, of all tokens' records of each kind, of the second
    half of a gated projection."""

    scratch: int
    records: Mapping[str, int]
    up: int


@dataclass(frozen=True, slots=True)
class Place:
    """`size` bytes at `offset` of weight buffer number `buffer` lie at `address`."""

    buffer: int
    offset: int
    size: int
    address: int


@dataclass(frozen=True, slots=True)
class MemoryMap:
    """Addresses. `entry`: of the hidden states that come from elsewhere, if they do; `places`: of
    weights; `caches`: of keys and values of layers; `values`: of activations of both programs,
    (program, value) → address. What only the sampler needs has no bytes where there is none."""

    team: int
    state: int
    tokens: int
    counts: int
    bias: int
    logits: int
    entry: int
    hidden: int
    adjusted: int
    masses: int
    bins: int
    scratch: int
    scratch_size: int
    records: Mapping[str, int]
    up: int
    values: Mapping[tuple[str, Value], int]
    caches: Mapping[int, tuple[int, int]]
    places: Sequence[Place]
    pages: int

    @property
    def weights(self) -> list[int]:
        return [place.address for place in self.places]

    def weight(self, buffer: int, offset: int) -> int:
        """Where the byte at `offset` of a weight buffer is."""
        for place in self.places:
            if place.buffer == buffer and 0 <= offset - place.offset < place.size:
                return place.address + offset - place.offset
        raise InternalError("WASM003", f"byte {offset} of weight buffer {buffer} has no place")


def layers_of(graph: Graph) -> list[int]:
    """The layers of which a graph has the caches."""
    ops = map(graph.op, graph)
    return [op.cache.layer for op in ops if isinstance(op, QkvRope)]


def plan_map(
    plan: Plan,
    graphs: Mapping[str, Graph],
    tokens: int,
    needs: Needs,
    threads: int,
    weights: Sequence[tuple[int, int, int]] | None = None,
) -> MemoryMap:
    """`graphs`: programs by name, of which wasm_head may be missing; they never run at once, so
    their activations share an arena. `weights`: (buffer, offset, size) of what they read, None:
    everything."""
    end = 1024  # address 0 stands for nothing

    def take(size: int) -> int:
        nonlocal end
        start, end = end, align(end + size)
        return start

    head = "wasm_head" in graphs
    logits_bytes = plan.buffers["bias"] if head else 0
    layers = graphs["wasm_layers"]
    hidden_bytes = WORD * layers.type(layers.outputs["hidden"]).elements(tokens)
    scratch_size = align(needs.scratch)
    fixed = {
        "team": take(_TEAM),
        "state": take(STATE_BYTES),
        "tokens": take(plan.buffers["tokens"]),
        "counts": take(logits_bytes),
        "bias": take(logits_bytes),
        "logits": take(logits_bytes),
        "hidden": take(hidden_bytes),
        "adjusted": take(logits_bytes),
        "masses": take(logits_bytes),
        "bins": take(_BINS if head else 0),
        "scratch": take(scratch_size * threads),
        "up": take(needs.up),
    }
    enters = any(isinstance(layers.op(node), Carried) for node in layers)
    passes = isinstance(layers.op(layers.outputs["hidden"].node), Carried)
    entry = fixed["hidden"] if passes else take(hidden_bytes if enters else 0)
    records = {kind: take(size) for kind, size in needs.records.items()}
    values: dict[tuple[str, Value], int] = {}
    peak = end
    for name, graph in graphs.items():
        placement = plan_memory(intervals(graph, tokens, PINNED), end)
        peak = max(peak, placement.peak)
        values |= {(name, value): offset for value, offset in placement.offsets.items()}
    end = align(peak)
    caches = {
        layer: (take(plan.caches[layer][0].size), take(plan.caches[layer][1].size))
        for layer in layers_of(layers)
    }
    if weights is None:
        weights = [(i, 0, size) for i, size in enumerate(plan.weights.buffers)]
    places = [Place(buffer, offset, size, take(size)) for buffer, offset, size in weights]
    pages = -(-(end + _SLACK) // PAGE)
    return MemoryMap(
        **fixed,
        entry=entry,
        scratch_size=scratch_size,
        records=records,
        values=values,
        caches=caches,
        places=places,
        pages=pages,
    )
