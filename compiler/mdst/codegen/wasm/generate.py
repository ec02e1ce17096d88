"""A plan → the WASM modules of a bundle."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ...errors import UnsupportedError
from ...graph.graph import Graph
from ...options import MAX_MEMORY, KvFormat
from ...schedule.liveness import WORD
from ...schedule.plan import Plan
from ..templates import render_wat
from .assemble import assemble
from .cut import Part, cut
from .kernels import Functions
from .lower import functions, measure
from .memory import MOST_THREADS, PAGE, MemoryMap, Place, plan_map
from .variants import FORMS, Variant

CHUNK_TOKENS = 64
"""Most tokens of a run: enough that decoding rows costs little, few enough that a run is short."""
_SPINS = 20_000
"""Looks at a barrier before a thread sleeps: some tens of microseconds."""
_POINTER = re.compile(r"\bptr\b")
_BLANK = re.compile(r"\n(\s*\n)+")


@dataclass(frozen=True, slots=True)
class WasmCode:
    """A module: its text, its bytes and the memory it wants. `chunk`: most tokens of a run;
    `width`: floats of a hidden state; `part`: which one of a model that is cut, None: all of it."""

    variant: Variant
    text: str
    data: bytes
    functions: Functions
    map: MemoryMap
    chunk: int
    width: int
    vocabulary: int
    window: int
    part: Part | None

    @property
    def name(self) -> str:
        return self.variant.name + (f"-{self.part.number}" if self.part else "")


def generate_wasm(
    graphs: Mapping[str, Graph], plan: Plan, kv: KvFormat, max_memory: int = MAX_MEMORY
) -> list[WasmCode]:
    """`graphs`: the programs wasm_layers and wasm_head of the plan's model. Memories of more than
    `max_memory` bytes get 64-bit addresses."""
    return [_whole(graphs, plan, kv, form, max_memory) for form in FORMS]


def generate_cuts(
    graphs: Mapping[str, Graph],
    plan: Plan,
    kv: KvFormat,
    modules: Sequence[WasmCode],
    max_memory: int,
    warn: Callable[[str], None],
) -> list[list[WasmCode]]:
    """For each module with 64-bit addresses the same model as several modules with 32-bit ones, of
    at most `max_memory` bytes each, but where one layer is too large for that: then `warn` is
    told."""
    found: list[list[WasmCode]] = []
    refused: dict[str, str] = {}
    for code in (code for code in modules if code.variant.wide):
        variant = replace(code.variant, wide=False)
        entry = WORD * _tokens(plan) * code.width
        weights_and_caches = sum(place.size for place in code.map.places) + sum(
            view.size for pair in plan.caches.values() for view in pair
        )
        beside = code.map.pages * PAGE - weights_and_caches + entry + PAGE
        try:
            parts = cut(graphs, plan, beside, max_memory)
        except UnsupportedError as error:
            refused[variant.name] = error.message
            continue
        found.append([_part(part, code, plan, kv, variant) for part in parts])
    if refused:
        why = next(iter(refused.values()))
        warn(f"engines without 64-bit memory cannot run {', '.join(refused)}: {why}")
    return found


def _tokens(plan: Plan) -> int:
    """Of a run, rounded up: products take tokens by four."""
    return -(-min(CHUNK_TOKENS, plan.sizes.chunk) // 4) * 4


def _whole(
    graphs: Mapping[str, Graph], plan: Plan, kv: KvFormat, variant: Variant, max_memory: int
) -> WasmCode:
    needs = measure(graphs, plan, kv, variant, _tokens(plan))
    map = plan_map(plan, graphs, _tokens(plan), needs, _threads(variant))
    if map.pages * PAGE > max_memory:
        variant = replace(variant, wide=True)
    layers, head = graphs["wasm_layers"], graphs["wasm_head"]
    code = WasmCode(
        variant,
        "",
        b"",
        functions(graphs, plan, kv, variant, map),
        map,
        min(CHUNK_TOKENS, plan.sizes.chunk),
        layers.type(layers.outputs["hidden"]).width,
        head.type(head.outputs["logits"]).width,
        plan.sizes.window,
        None,
    )
    return _assembled(code)


def _part(part: Part, whole: WasmCode, plan: Plan, kv: KvFormat, variant: Variant) -> WasmCode:
    graphs, tokens = part.graphs, _tokens(plan)
    needs = measure(graphs, plan, kv, variant, tokens)
    map = plan_map(plan, graphs, tokens, needs, _threads(variant), part.weights)
    called = functions(graphs, plan, kv, variant, map)
    return _assembled(replace(whole, variant=variant, functions=called, map=map, part=part))


def _threads(variant: Variant) -> int:
    return MOST_THREADS if variant.threads else 1


def probe(code: WasmCode, size: int) -> tuple[bytes, MemoryMap]:
    """The same functions, matrix products exported by their names, over a memory that holds `size`
    bytes where caches and weights would begin; to be checked without any weights."""
    start = min([*(k for k, _ in code.map.caches.values()), *code.map.weights])
    places = [Place(0, 0, size, start)]
    map = replace(code.map, places=places, pages=-(-(start + size) // PAGE))
    return assemble(f"{code.name} (probe)", _text(replace(code, map=map), probe=True)), map


def _assembled(code: WasmCode) -> WasmCode:
    text = _text(code)
    return replace(code, text=text, data=assemble(code.name, text))


def _text(code: WasmCode, *, probe: bool = False) -> str:
    variant = code.variant
    text = render_wat(
        code=code.functions,
        map=code.map,
        part=code.part,
        n_vocab=code.vocabulary,
        window=code.window,
        spins=_SPINS,
        relaxed=variant.relaxed,
        threads=variant.threads,
        wide=variant.wide,
        probe=probe,
    )
    return _BLANK.sub("\n", _POINTER.sub("i64" if variant.wide else "i32", text))
