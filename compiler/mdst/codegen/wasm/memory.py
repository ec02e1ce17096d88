"""The memory of a module: every buffer of the bundle, and what the kernels need beside, at
addresses that are baked into the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...graph.graph import Graph, Value
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
class MemoryMap:
    """Addresses. `weights`: of the weight buffers in order; `caches`: keys and values of layers;
    `values`: activations of both programs, (program, value) → address."""

    team: int
    state: int
    tokens: int
    counts: int
    bias: int
    logits: int
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
    weights: Sequence[int]
    pages: int


def plan_map(
    plan: Plan, graphs: Mapping[str, Graph], tokens: int, needs: Needs, threads: int
) -> MemoryMap:
    """`graphs`: programs by name; they never run at once, so their activations share an arena."""
    end = 1024  # address 0 stands for nothing

    def take(size: int) -> int:
        nonlocal end
        start, end = end, align(end + size)
        return start

    logits_bytes = plan.buffers["bias"]
    hidden = graphs["wasm_layers"]
    hidden_bytes = WORD * hidden.type(hidden.outputs["hidden"]).elements(tokens)
    scratch_size = align(needs.scratch)
    fixed = {
        "team": take(_TEAM),
        "state": take(STATE_BYTES),
        "tokens": take(plan.buffers["tokens"]),
        "counts": take(plan.buffers["counts"]),
        "bias": take(plan.buffers["bias"]),
        "logits": take(logits_bytes),
        "hidden": take(hidden_bytes),
        "adjusted": take(logits_bytes),
        "masses": take(logits_bytes),
        "bins": take(_BINS),
        "scratch": take(scratch_size * threads),
        "up": take(needs.up),
    }
    records = {kind: take(size) for kind, size in needs.records.items()}
    values: dict[tuple[str, Value], int] = {}
    peak = end
    for name, graph in graphs.items():
        placement = plan_memory(intervals(graph, tokens, PINNED), end)
        peak = max(peak, placement.peak)
        values |= {(name, value): offset for value, offset in placement.offsets.items()}
    end = align(peak)
    caches = {layer: (take(k.size), take(v.size)) for layer, (k, v) in plan.caches.items()}
    weights = [take(size) for size in plan.weights.buffers]
    pages = -(-(end + _SLACK) // PAGE)
    return MemoryMap(
        **fixed,
        scratch_size=scratch_size,
        records=records,
        values=values,
        caches=caches,
        weights=weights,
        pages=pages,
    )
