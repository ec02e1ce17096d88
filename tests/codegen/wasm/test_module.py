"""Modules as a whole: only what a model needs, at addresses that do not collide, and small."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from mdst.codegen.wasm.generate import WasmCode, generate_wasm
from mdst.gguf import read_gguf
from mdst.models.config import ModelConfig
from mdst.models.decoder import build_model
from mdst.options import MAX_MEMORY, Options
from mdst.programs import plan_programs, wasm_graphs
from mdst.schedule.plan import Plan

TinyModel = Callable[..., Path]
NAMES = ["base", "relaxed", "base-threads", "relaxed-threads"]


def modules(path: Path, max_memory: int = MAX_MEMORY) -> tuple[Plan, list[WasmCode]]:
    with read_gguf(path) as file:
        graph = build_model(file, ModelConfig.from_gguf(file), 128).graph
    plan = plan_programs(graph, Options(), 128)
    return plan, generate_wasm(wasm_graphs(graph), plan, "f16", max_memory)


def test_four_forms_and_what_they_need(tiny_model: TinyModel) -> None:
    _, found = modules(tiny_model())
    assert [code.variant.name for code in found] == NAMES
    assert [code.variant.features for code in found] == [
        ["simd"],
        ["simd", "relaxed-simd"],
        ["simd", "threads"],
        ["simd", "relaxed-simd", "threads"],
    ]
    for code in found:
        assert ("relaxed_" in code.text) == code.variant.relaxed
        assert ("atomic" in code.text) == code.variant.threads


def test_only_what_a_model_needs(tiny_model: TinyModel) -> None:
    _, (base, *_) = modules(tiny_model(type="Q8_0"))
    assert "$row_Q8_0" in base.text
    for absent in ("Q4_K", "$eight", "$even", "i7", "$barrier", "$norm_head"):
        assert absent not in base.text
    _, (base, *_) = modules(tiny_model(type="IQ2_XXS", embedding=256, ff=256, head_dim=64))
    assert "$eight" in base.text
    assert "$fours" not in base.text


def test_addresses_do_not_collide(tiny_model: TinyModel) -> None:
    """Everything that is alive at the same time has bytes of its own, within the memory."""
    plan, found = modules(tiny_model(type="Q4_K", embedding=256, ff=512, head_dim=64))
    for code in found:
        map = code.map
        vocabulary = plan.buffers["bias"]
        ranges = [
            (0, 1),
            (map.state, 256),
            (map.tokens, plan.buffers["tokens"]),
            *((at, vocabulary) for at in (map.counts, map.bias, map.logits, map.adjusted)),
            (map.masses, vocabulary),
            (map.bins, 8 << 11),
            (map.team, 512),
            (map.scratch, map.scratch_size * (16 if code.variant.threads else 1)),
            *zip(map.weights, plan.weights.buffers, strict=True),
        ]
        for layer, places in map.caches.items():
            ranges += [(at, v.size) for at, v in zip(places, plan.caches[layer], strict=True)]
        arena = list(map.values.values())
        ranges.append((min(arena), max(arena) - min(arena)))
        ranges.sort()
        for (start, size), (after, _) in pairwise(ranges):
            assert start + size <= after
        assert sum(ranges[-1]) <= map.pages << 16


def test_equal_models_give_equal_bytes(tiny_model: TinyModel) -> None:
    path = tiny_model(type="Q5_K", embedding=256, ff=256, head_dim=64)
    first, second = modules(path)[1], modules(path)[1]
    assert [code.data for code in first] == [code.data for code in second]


def test_a_module_is_small(tiny_model: TinyModel) -> None:
    """32 layers of the mix that Q4_K_M has."""
    types = {"attn_v": "Q6_K", "ffn_down": "Q6_K", "output": "Q6_K"}
    shape = {"embedding": 256, "ff": 512, "head_dim": 64, "layers": 32}
    for code in modules(tiny_model(type="Q4_K", types=types, **shape))[1]:
        assert len(gzip.compress(code.data, 9, mtime=0)) <= 12_000


def test_memories_past_4_gib_have_64_bit_addresses(
    tiny_model: TinyModel,
) -> None:
    size = modules(tiny_model())[1][0].map.pages << 16
    for limit, wide in ((size, False), (size - 1, True)):
        code = modules(tiny_model(), limit)[1][0]
        assert code.variant.wide == wide
        assert ("memory64" in code.variant.features) == wide
        assert ("i64.load32_u" in code.text, "(memory i64" in code.text) == (True, wide)
