"""Known answers: one for every distinct kernel, as data for the bundle and as a check here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..codegen import kernels as k
from ..codegen.generate import TierCode
from ..codegen.kernel import Kernel, KernelParams
from ..codegen.tiers import Tier
from ..errors import InternalError
from ..hosts.wgpu_device import Device
from .case import Case
from .cases import (
    attention_prefill,
    attention_reduce,
    attention_split,
    embed,
    matmul,
    matmul_int8,
    matvec,
    matvec_int8,
    qkv_rope,
    quantise,
    rms_norm,
    rope_attention,
    rope_attention_split,
    sample_prepare,
    sample_select,
)

CASES: Mapping[type[KernelParams], Callable[[Any, Tier, int], Case | tuple[Case, ...]]] = {
    k.AttentionPrefill: attention_prefill.case,
    k.AttentionReduce: attention_reduce.case,
    k.AttentionSplit: attention_split.case,
    k.Embed: embed.case,
    k.MatMul: matmul.case,
    k.MatMulInt8: matmul_int8.case,
    k.MatVec: matvec.case,
    k.MatVecInt8: matvec_int8.case,
    k.QkvRope: qkv_rope.case,
    k.Quantise: quantise.case,
    k.RmsNorm: rms_norm.case,
    k.RopeAttention: rope_attention.cases,
    k.RopeAttentionSplit: rope_attention_split.cases,
    k.SamplePrepare: sample_prepare.case,
    k.SampleSelect: sample_select.case,
}


@dataclass(frozen=True, slots=True)
class KnownAnswer:
    """A kernel, and a case that it must get right on every device."""

    kernel: Kernel
    case: Case


def known_answers(code: Iterable[TierCode]) -> list[KnownAnswer]:
    """One per distinct kernel, at the largest number of tokens that it is used for, and one more at
    a single token where it is used for both. Kernels whose text is the same in several tiers are
    there once."""
    kernels: dict[str, Kernel] = {}
    uses: dict[str, set[int]] = {}
    for tier in code:
        for steps in tier.programs.values():
            for step in steps:
                kernels.setdefault(step.kernel.name, step.kernel)
                uses.setdefault(step.kernel.name, set()).add(step.tokens)
    return [
        KnownAnswer(kernel, case)
        for name, kernel in kernels.items()
        for tokens in sorted({max(uses[name])} | uses[name] & {1})
        for case in _cases(kernel, tokens)
    ]


def _cases(kernel: Kernel, tokens: int) -> tuple[Case, ...]:
    found = CASES[type(kernel.params)](kernel.params, kernel.tier, tokens)
    return found if isinstance(found, tuple) else (found,)


def answers_json(answers: Sequence[KnownAnswer]) -> str:
    """answers.json: kernel name → its cases, for hosts that check a device before they use it."""
    data: dict[str, list[Any]] = {}
    for answer in answers:
        data.setdefault(answer.kernel.name, []).append(asdict(answer.case))
    return json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def check_answers(answers: Sequence[KnownAnswer], device: Device) -> Iterator[Kernel]:
    """Runs the answers on `device` and yields each kernel that was right.

    Raises InternalError for the first that is wrong or does not compile.
    """
    for answer in answers:
        check_answer(answer, device)
        yield answer.kernel


def check_answer(answer: KnownAnswer, device: Device) -> None:
    """Raises InternalError when the kernel's output differs from its case."""
    case, kernel = answer.case, answer.kernel
    buffers = {name: device.buffer(size) for name, size in case.sizes.items()}
    try:
        for name, parts in case.inputs.items():
            for part in parts:
                device.write(buffers[name], part.offset, part.data())
        pipeline = device.pipeline(kernel)
        views = [(buffers[b.name], 0, case.sizes[b.name]) for b in kernel.bindings]
        device.submit([device.bind(pipeline, views, case.grid)])
        _compare(answer, device, buffers)
    finally:
        for buffer in buffers.values():
            device.free(buffer)


def _compare(answer: KnownAnswer, device: Device, buffers: Mapping[str, Any]) -> None:
    error = total = 0.0
    for part in answer.case.expected:
        size = 4 * (len(part.floats) or len(part.words))
        raw = device.read(buffers[part.binding], part.offset, size)
        if part.words and raw.view(np.uint32).tolist() != list(part.words):
            raise _wrong(answer, f"{part.binding} at byte {part.offset} differs")
        if part.floats:
            wanted = np.array(part.floats)
            error += float(np.sum((raw.view(np.float32) - wanted) ** 2))
            total += float(np.sum(wanted**2))
    if not error <= answer.case.tolerance * total:
        raise _wrong(answer, f"squared error {error:.3g} of {total:.3g}")


def _wrong(answer: KnownAnswer, what: str) -> InternalError:
    kernel = answer.kernel
    return InternalError(
        "VALIDATE001",
        f"kernel {kernel.name} ({kernel.tier}) gives a wrong answer on this device: {what}",
        hint="this is a bug in mdst or in the GPU driver; --validate none skips the check",
    )
