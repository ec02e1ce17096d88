"""A plan → the WASM modules of a bundle."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ...graph.graph import Graph
from ...options import KvFormat
from ...schedule.plan import Plan
from ..templates import render_wat
from .assemble import assemble
from .kernels import Functions
from .lower import functions, measure
from .memory import MOST_THREADS, PAGE, MemoryMap, plan_map
from .variants import FORMS, Variant

CHUNK_TOKENS = 64
"""Most tokens of a run: enough that decoding rows costs little, few enough that a run is short."""
NARROW_PAGES = 1 << 16
"""Pages that addresses of 32 bits reach."""
_SPINS = 20_000
"""Looks at a barrier before a thread sleeps: some tens of microseconds."""
_POINTER = re.compile(r"\bptr\b")
_BLANK = re.compile(r"\n(\s*\n)+")


@dataclass(frozen=True, slots=True)
class WasmCode:
    """A module: its text, its bytes and the memory it wants. `chunk`: most tokens of a run."""

    variant: Variant
    text: str
    data: bytes
    functions: Functions
    map: MemoryMap
    chunk: int
    vocabulary: int
    window: int


def generate_wasm(graphs: Mapping[str, Graph], plan: Plan, kv: KvFormat) -> list[WasmCode]:
    """`graphs`: the programs wasm_layers and wasm_head of the plan's model."""
    return [_module(graphs, plan, kv, form) for form in FORMS]


def _module(graphs: Mapping[str, Graph], plan: Plan, kv: KvFormat, variant: Variant) -> WasmCode:
    chunk = min(CHUNK_TOKENS, plan.sizes.chunk)
    tokens = -(-chunk // 4) * 4  # products take tokens by four
    needs = measure(graphs, plan, kv, variant, tokens)
    map = plan_map(plan, graphs, tokens, needs, MOST_THREADS if variant.threads else 1)
    if map.pages > NARROW_PAGES:
        variant = replace(variant, wide=True)
    code = functions(graphs, plan, kv, variant, map)
    vocabulary = graphs["wasm_head"].type(graphs["wasm_head"].outputs["logits"]).width
    text = _text(variant, code, map, vocabulary, plan.sizes.window)
    data = assemble(variant.name, text)
    return WasmCode(variant, text, data, code, map, chunk, vocabulary, plan.sizes.window)


def probe(code: WasmCode, size: int) -> tuple[bytes, MemoryMap]:
    """The same functions, matrix products exported by their names, over a memory that holds `size`
    bytes where caches and weights would begin; to be checked without any weights."""
    start = min([*(k for k, _ in code.map.caches.values()), *code.map.weights])
    map = replace(code.map, weights=[start], pages=-(-(start + size) // PAGE))
    text = _text(code.variant, code.functions, map, code.vocabulary, code.window, probe=True)
    return assemble(f"{code.variant.name} (probe)", text), map


def _text(
    variant: Variant,
    code: Functions,
    map: MemoryMap,
    vocabulary: int,
    window: int,
    *,
    probe: bool = False,
) -> str:
    text = render_wat(
        code=code,
        map=map,
        n_vocab=vocabulary,
        window=window,
        spins=_SPINS,
        relaxed=variant.relaxed,
        threads=variant.threads,
        wide=variant.wide,
        probe=probe,
    )
    return _BLANK.sub("\n", _POINTER.sub("i64" if variant.wide else "i32", text))
