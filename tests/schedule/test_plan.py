"""Caches, activations and steps within the limits of any device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mdst.codegen.generate import CodeStep, generate_code
from mdst.codegen.lower import lower
from mdst.errors import UnsupportedError
from mdst.options import KvFormat
from mdst.schedule.limits import ALIGNMENT, MAX_BINDING, MAX_BINDINGS, MAX_BUFFER
from mdst.schedule.plan import Plan, View
from mdst.schedule.text import plan_text

PlanOf = Callable[..., Plan]
KIB, MIB = 1 << 10, 1 << 20

LLAMA_1B = (2, 2048, 8192, 32, 8, 64, 128256)
LLAMA_8B = (2, 4096, 14336, 32, 8, 128, 128256)
PLANS: dict[str, dict[str, Any]] = {
    "tiny": {},
    "biases": {"architecture": "qwen2", "extras": ("attn_q.bias", "ffn_up.scale"), "kv": "f32"},
    "sliced": {"sizes": (2, 256, 512, 16, 8, 16, 3000), "max_binding": 64 * KIB, "tied": True},
    "qwen3": {"architecture": "qwen3", "sizes": (3, 128, 224, 4, 4, 32, 1500), "chunk": 8},
    "1B": {"sizes": LLAMA_1B, "types": {"": "Q6_K"}, "tied": True, "window": 4096},
    "8B": {"sizes": LLAMA_8B, "types": {"output": "Q6_K", "": "Q4_K"}, "window": 8192},
}


@pytest.mark.parametrize("name", PLANS)
def test_all_steps_keep_the_limits(plan_of: PlanOf, name: str) -> None:
    plan = plan_of(**PLANS[name])
    assert all(0 < size <= MAX_BUFFER for size in plan.buffers.values())
    kv: KvFormat = PLANS[name].get("kv", "f16")
    for tier in generate_code(plan, kv):
        for program, steps in tier.programs.items():
            assert steps
            for step in steps:
                check_step(plan, step, f"{program}: {step.label}")


def check_step(plan: Plan, step: CodeStep, where: str) -> None:
    access = step.kernel.access
    assert len(step.views) == len(access) <= MAX_BINDINGS, where
    assert all(0 < n <= 65_535 for n in step.grid), where
    writable: list[View] = []
    for view, how in zip(step.views, access, strict=True):
        assert view.offset % ALIGNMENT == 0, where
        assert 0 < view.size <= MAX_BINDING, where
        assert view.offset + view.size <= plan.buffers[view.buffer], where
        assert view.size % 4 == 0, where
        if how == "read_write":
            assert all(apart(view, other) for other in writable), where
            writable.append(view)
    read = {v.buffer for v, how in zip(step.views, access, strict=True) if how == "read"}
    assert not read & {view.buffer for view in writable}, where


def apart(one: View, two: View) -> bool:
    return (
        one.buffer != two.buffer
        or one.offset + one.size <= two.offset
        or two.offset + two.size <= one.offset
    )


@pytest.mark.parametrize("name", PLANS)
def test_slices_write_every_column_once(plan_of: PlanOf, name: str) -> None:
    """The outputs of the dispatches of one projection lie side by side and fill its row."""
    plan = plan_of(**PLANS[name])
    for program in plan.programs:
        rows: dict[tuple[str, int], list[tuple[int, int]]] = {}
        for dispatch in lower(program, plan, "f16"):
            parts = getattr(dispatch.params, "parts", None)
            if parts is None:
                continue
            gated = dispatch.params.glu is not None  # type: ignore[attr-defined]
            count = parts[0].rows if gated else sum(part.rows for part in parts)
            names = [binding.name for binding in dispatch.params.bindings]
            if "out" in names:
                offset = dispatch.views[names.index("out")].offset
                rows.setdefault((dispatch.label, 0), []).append((offset, count))
        for (label, _), found in rows.items():
            start, total = found[0][0], 0
            for offset, count in found:
                assert offset == start + 4 * total, label
                total += count
            values = [v for v in program.places if program.graph.label(v.node) == label]
            assert total == program.graph.type(values[0]).width


def test_caches_of_layers_share_buffers_of_256_mib(plan_of: PlanOf) -> None:
    # 8 KV heads of 128 in f16: 2 KiB per position and layer for keys, as much for values.
    plan = plan_of(sizes=(8, 512, 64, 8, 8, 128, 300), window=32768, chunk=64)
    used: dict[str, int] = {}
    for layer in range(8):
        for view in plan.caches[layer]:
            assert view.offset == used.get(view.buffer, 0)
            used[view.buffer] = view.offset + view.size
    assert len(used) > 1
    assert all(plan.buffers[name] == size <= MAX_BUFFER for name, size in used.items())
    rows = 32768 + 64
    keys, values = plan.caches[0]
    assert (keys.size, values.size) == (2048 * (rows + 128), 2048 * (rows + 64))


def test_a_cache_that_does_not_fit_a_binding_is_refused(plan_of: PlanOf) -> None:
    with pytest.raises(UnsupportedError) as error:
        plan_of(sizes=(1, 512, 64, 8, 8, 128, 300), window=65536, chunk=64)
    assert error.value.id == "PLAN004"
    assert error.value.hint is not None
    plan_of(sizes=(1, 512, 64, 8, 8, 128, 300), window=65536 - 64 - 128, chunk=64)


def test_f32_caches_are_twice_as_large(plan_of: PlanOf) -> None:
    small, large = (plan_of(kv=kv).buffers["kv0"] for kv in ("f16", "f32"))
    assert large == 2 * small


def test_activations_that_do_not_fit_a_buffer_are_refused(plan_of: PlanOf) -> None:
    with pytest.raises(UnsupportedError) as error:
        plan_of(sizes=LLAMA_8B, window=8192, chunk=4096)
    assert error.value.id == "PLAN003"


def test_an_activation_that_does_not_fit_a_binding_is_refused(plan_of: PlanOf) -> None:
    # [4096, 10240] float32 are 160 MiB, and all of the arena is still below 256 MiB.
    with pytest.raises(UnsupportedError):
        plan_of(sizes=(1, 1024, 10240, 16, 8, 64, 300), window=8192, chunk=4096)


def test_the_chunk_is_halved_until_it_fits(plan_of: PlanOf) -> None:
    sizes = (1, 256, 262144, 4, 2, 64, 300)
    plan = plan_of(sizes=sizes, window=4096)
    assert plan.sizes.chunk < 512
    assert plan.buffers["arena"] <= MAX_BUFFER
    with pytest.raises(UnsupportedError, match="activations need"):
        plan_of(sizes=sizes, window=4096, chunk=2 * plan.sizes.chunk)


@pytest.mark.parametrize(
    ("chunk", "window", "expected"),
    [(None, 4096, [64, 512]), (None, 300, [64, 300]), (8, 100, [8]), (100, 64, [64])],
)
def test_prefill_sizes(
    plan_of: PlanOf, chunk: int | None, window: int, expected: list[int]
) -> None:
    plan = plan_of(window=window, chunk=chunk)
    sizes = [p.tokens for p in plan.programs if p.name == f"prefill_{p.tokens}"]
    assert sizes == expected
    assert plan.program("prefill_logits").tokens == plan.sizes.chunk == expected[-1]
    assert plan.sizes.ahead == max(64, expected[-1])


def test_text_of_a_plan_names_what_it_holds(plan_of: PlanOf) -> None:
    found = plan_text(plan_of())
    for word in ("weights0", "arena", "kv0", "blk.1.ffn_down.weight", "program prefill_64"):
        assert word in found
