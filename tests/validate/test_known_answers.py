"""Known answers: every kernel of a bundle has one; the right kernel passes, a wrong one not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mdst.codegen import kernels
from mdst.codegen.generate import TierCode, generate_code
from mdst.codegen.kernel import KernelParams
from mdst.codegen.tiers import TIERS
from mdst.errors import InternalError
from mdst.hosts.wgpu_device import Device
from mdst.models.decoder import Model
from mdst.options import Options
from mdst.programs import plan_programs
from mdst.validate.case import Fill, Kind
from mdst.validate.known_answers import (
    CASES,
    KnownAnswer,
    answers_json,
    check_answer,
    check_answers,
    known_answers,
)

ModelOf = Callable[..., Model]

MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", {"vocabulary": 1050}),
    "qwen3 with more": (
        "qwen3",
        {
            "layers": 1,
            "types": {"ffn_gate": "Q4_0", "attn_v": "F16", "output": "F32"},
            "extras": ("attn_q.bias", "attn_k.scale", "attn_output.bias", "ffn_up.scale"),
        },
    ),
    "K-quants": (
        "llama",
        {
            "layers": 1,
            "type": "Q4_K",
            "types": {"attn_v": "Q6_K", "ffn_down": "Q5_K", "ffn_up": "BF16"},
            "embedding": 256,
            "ff": 256,
            "head_dim": 64,
            "tied": True,
        },
    ),
    "many heads": ("llama", {"layers": 1, "heads": (10, 1), "head_dim": 16}),
}


@pytest.fixture
def code_of(model_of: ModelOf) -> Callable[..., list[TierCode]]:
    def make(name: str, **options: Any) -> list[TierCode]:
        architecture, choices = MODELS[name]
        plan = plan_programs(model_of(architecture, **choices).graph, Options(**options), 128)
        return generate_code(plan, options.get("kv", "f16"))

    return make


CodeOf = Callable[..., list[TierCode]]


def test_every_kind_of_kernel_has_a_case() -> None:
    found = {
        value
        for value in vars(kernels).values()
        if isinstance(value, type) and issubclass(value, KernelParams)
    }
    assert CASES.keys() == found


@pytest.mark.parametrize("name", MODELS)
def test_every_kernel_of_a_bundle_has_an_answer(code_of: CodeOf, name: str) -> None:
    code = code_of(name)
    answers = known_answers(code)
    assert {a.kernel.name for a in answers} == {k.name for tier in code for k in tier.kernels}
    for answer in answers:
        case = answer.case
        assert list(case.sizes) == [b.name for b in answer.kernel.bindings]
        assert case.expected
        # An answer of zeros would be given by a kernel that does nothing.
        assert any(any(e.floats) or any(e.words) for e in case.expected)
        assert all(size <= 128 << 20 for size in case.sizes.values())


def test_kernels_of_both_kinds_of_program_have_two(code_of: CodeOf) -> None:
    code = code_of("llama")
    uses: dict[str, set[int]] = {}
    for tier in code:
        for steps in tier.programs.values():
            for step in steps:
                uses.setdefault(step.kernel.name, set()).add(step.tokens)
    answers = [a.kernel.name for a in known_answers(code)]
    for kernel, tokens in uses.items():
        both = 1 in tokens and len(tokens) > 1
        sinks = kernel.startswith("rope_attention")  # one that keeps a sink, one that does not
        assert answers.count(kernel) == (2 if both or sinks else 1), kernel
    assert any(answers.count(kernel) == 2 for kernel in uses)


def test_answers_are_the_same_every_time_and_small(code_of: CodeOf) -> None:
    text, again = (answers_json(known_answers(code_of("llama"))) for _ in range(2))
    assert text == again
    data = json.loads(text)
    kernel_count = len({k.name for tier in code_of("llama") for k in tier.kernels})
    assert len(data) == kernel_count
    assert len(text) < 10_000 * kernel_count


def test_expected_floats_have_16_bits(code_of: CodeOf) -> None:
    for answer in known_answers(code_of("llama")):
        for expected in answer.case.expected:
            mantissas, _ = np.frexp(np.array(expected.floats))
            assert np.array_equal(mantissas * 65536, np.round(mantissas * 65536))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kv", ["f16", "f32"])
def test_right_kernels_pass(code_of: CodeOf, device: Device, name: str, kv: str) -> None:
    answers = of_device(known_answers(code_of(name, kv=kv)), device)
    assert answers
    assert list(check_answers(answers, device)) == [a.kernel for a in answers]


def of_device(answers: list[KnownAnswer], device: Device) -> list[KnownAnswer]:
    """Those of kernels that are first of the device's tier, or of one that needs no feature."""
    tiers = ("dp4a", "base") if device.tier == "base" else (device.tier,)
    return [answer for answer in answers if answer.kernel.tier in tiers]


def sabotaged(answer: KnownAnswer, wgsl: str) -> KnownAnswer:
    assert wgsl != answer.kernel.wgsl
    return replace(answer, kernel=replace(answer.kernel, wgsl=wgsl))


def doing_nothing(wgsl: str) -> str:
    """Returns at once, as a driver does that drops a dispatch."""
    return re.sub(r"(fn main\([^{]*\{)", r"\1 if (true) { return; }", wgsl, count=1)


@pytest.mark.parametrize("name", MODELS)
def test_kernels_that_do_nothing_are_found(code_of: CodeOf, device: Device, name: str) -> None:
    answers = of_device(known_answers(code_of(name)), device)
    for answer in answers:
        with pytest.raises(InternalError, match=answer.kernel.name) as error:
            check_answer(sabotaged(answer, doing_nothing(answer.kernel.wgsl)), device)
        assert error.value.id == "VALIDATE001"
        assert error.value.hint is not None


SIZES = (
    "BLOCKS",
    "CHUNKS",
    "COLUMNS",
    "KV_HEADS",
    "CAPACITY",
    "HEAD_DIM",
    "SPLITS",
    "PADDED",
    "CONTEXT",
)
"""Constants of kernels that say how far or where something is."""


def test_kernels_with_a_size_that_is_one_off_are_found(code_of: CodeOf, device: Device) -> None:
    answers: dict[str, list[KnownAnswer]] = {}
    for name in ("many heads", "llama"):
        for answer in of_device(known_answers(code_of(name)), device):
            answers.setdefault(answer.kernel.name, []).append(answer)
    # One kernel of each kind.
    kinds = {type(found[0].kernel.params).__name__: found for found in answers.values()}
    for kind, found in kinds.items():
        wgsl = found[0].kernel.wgsl
        sizes = list(re.finditer(rf"const ({'|'.join(SIZES)})[^=]*= (\d+)u;", wgsl))
        assert sizes, kind
        for match in sizes:
            text = f"{wgsl[: match.start(2)]}{int(match[2]) - 1 or 2}{wgsl[match.end(2) :]}"
            assert any(is_wrong(sabotaged(answer, text), device) for answer in found), match[0]
    # A higher tier has kernels of its own for some kinds only.
    assert kinds.keys() == {kind.__name__ for kind in CASES} or device.tier != "base"
    assert kinds


def is_wrong(answer: KnownAnswer, device: Device) -> bool:
    try:
        check_answer(answer, device)
    except InternalError as error:
        return error.id == "VALIDATE001"
    return False


def test_results_that_are_no_numbers_are_found(code_of: CodeOf, device: Device) -> None:
    answer = next(
        a
        for a in known_answers(code_of("llama"))
        if a.kernel.tier == device.tier and type(a.kernel.params).__name__ == "MatVec"
    )
    case = answer.case
    nan = Kind(keep=(0,) * 4, add=(0x7FC00000,) * 4)
    x = tuple(replace(f, kind=nan) for f in case.inputs["x"] if isinstance(f, Fill))
    assert x
    case = replace(case, inputs={**case.inputs, "x": x})
    with pytest.raises(InternalError, match="squared error nan"):
        check_answer(replace(answer, case=case), device)


def test_a_kernel_that_does_not_compile_is_named(code_of: CodeOf, device: Device) -> None:
    answer = next(a for a in known_answers(code_of("llama")) if a.kernel.tier == device.tier)
    with pytest.raises(InternalError, match=answer.kernel.name) as error:
        check_answer(sabotaged(answer, answer.kernel.wgsl + "\nfn broken( {"), device)
    assert error.value.id == "KERNEL002"


def test_tiers_are_both_there(code_of: CodeOf) -> None:
    assert {a.kernel.tier for a in known_answers(code_of("llama"))} == set(TIERS)
