"""Model graph → the programs of a bundle, planned together: passes per phase, then memory."""

from __future__ import annotations

from .codegen.state import STATE_BYTES
from .codegen.use import kv_cache
from .errors import UnsupportedError
from .graph.fused import Projection, QkvRope
from .graph.graph import Graph
from .options import DEFAULT_CHUNK, Options
from .passes import PIPELINES
from .passes.fuse_rope_attention import short_reach
from .passes.pipeline import Observer, run_passes
from .schedule.limits import align
from .schedule.plan import CacheSize, Plan, ProgramGraph, Sizes, make_plan
from .schedule.weight_plan import WeightPlan, plan_weights

SMALL_CHUNK = 64
"""A second size of prefill runs, for short prompts and the ends of long ones."""


def plan_programs(
    graph: Graph, options: Options, window: int, observe: Observer | None = None
) -> Plan:
    """The plan of all programs. Unless the user chose a chunk, it is halved until the activations
    fit a buffer. Raises UnsupportedError when a plan cannot keep WebGPU's default limits."""
    graphs = {phase: run_passes(graph, phase, observe) for phase in PIPELINES}
    weights = plan_weights(graphs["decode"], options.max_binding)
    chunk = min(options.chunk or DEFAULT_CHUNK, window)
    while True:
        try:
            return _plan(graphs, weights, options, Sizes(window, chunk))
        except UnsupportedError:
            if options.chunk or chunk <= SMALL_CHUNK:
                raise
            chunk //= 2


def _plan(graphs: dict[str, Graph], weights: WeightPlan, options: Options, sizes: Sizes) -> Plan:
    decode = graphs["decode"]
    chunks = sorted({sizes.chunk, min(SMALL_CHUNK, sizes.chunk)})
    programs = [ProgramGraph(f"prefill_{tokens}", graphs["prefill"], tokens) for tokens in chunks]
    programs.append(ProgramGraph("prefill_logits", graphs["prefill_logits"], sizes.chunk))
    reach = short_reach(graphs["decode_short"])
    programs += [
        ProgramGraph("decode_short", graphs["decode_short"], 1, reach=reach),
        *(ProgramGraph(name, graphs[name], 1) for name in ("decode", "decode_logits", "sample")),
    ]
    if _has_int8(graphs["decode_int8"]):
        programs += [
            *(ProgramGraph(f"prefill_{n}", graphs["prefill_int8"], n, "int8") for n in chunks),
            ProgramGraph("decode_short", graphs["decode_short_int8"], 1, "int8", reach),
            ProgramGraph("decode", graphs["decode_int8"], 1, "int8"),
            ProgramGraph("decode_logits", graphs["decode_logits_int8"], 1, "int8"),
        ]
    vocabulary = decode.type(decode.outputs["logits"]).width
    fixed = {
        "state": STATE_BYTES,
        "tokens": align(4 * sizes.window),
        "counts": align(4 * vocabulary),
        "bias": align(4 * vocabulary),
    }
    return make_plan(sizes, programs, weights, _caches(graphs["prefill"], sizes, options), fixed)


def _has_int8(graph: Graph) -> bool:
    return any(isinstance(op := graph.op(n), Projection) and op.int8 for n in graph)


def _caches(prefill: Graph, sizes: Sizes, options: Options) -> list[CacheSize]:
    found = []
    for node in prefill:
        op = prefill.op(node)
        if isinstance(op, QkvRope):
            cache = kv_cache(op.cache, sizes.ahead, options.kv)
            found.append(CacheSize(op.cache.layer, cache.k_bytes, cache.v_bytes))
    return found


def wasm_graphs(graph: Graph, observe: Observer | None = None) -> dict[str, Graph]:
    """The programs of the WASM modules: a chunk of tokens, and the logits of its last one."""
    return {phase: run_passes(graph, phase, observe) for phase in ("wasm_layers", "wasm_head")}
