"""The known answers of norm, RoPE and attention kernels: right ones pass, altered ones do not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mdst.codegen.kernel import KernelParams
from mdst.codegen.kernels.attention_prefill import AttentionPrefill
from mdst.codegen.kernels.attention_reduce import AttentionReduce
from mdst.codegen.kernels.attention_split import AttentionSplit
from mdst.codegen.kernels.kv_cache import KvCache
from mdst.codegen.kernels.qkv_rope import QkvRope
from mdst.codegen.kernels.rms_norm import RmsNorm
from mdst.codegen.kernels.rope_attention_split import RopeAttentionSplit
from mdst.codegen.templates import render
from mdst.codegen.tiers import Tier
from mdst.hosts.wgpu_device import Device
from mdst.validate.case import Case, Expected
from mdst.validate.cases import (
    attention_prefill,
    attention_reduce,
    attention_split,
    qkv_rope,
    rms_norm,
    rope_attention_split,
)

BuildCase = Callable[[Any, Tier, int], Case]

CONTEXT = KvCache(8, 128, capacity=4096 + 512, window=4096, format="f16")
LONG = KvCache(2, 64, capacity=32768 + 64, window=32768, format="f16")
SLIDING = KvCache(4, 256, capacity=512 + 128, window=512, format="f32", sinks=False)
SMALL = KvCache(1, 24, capacity=70, window=64, format="f32")

ROPE_SPLITS = [
    RopeAttentionSplit(32, CONTEXT, 128, True, None, None, 0.0, 128**-0.5, 64, 66),
    RopeAttentionSplit(16, CONTEXT, 128, False, 5, 40, 1e-6, 128**-0.5, 128, 33),
    RopeAttentionSplit(14, LONG, 64, False, None, None, 0.0, 0.125, 1024, 33),
    RopeAttentionSplit(8, SLIDING, 64, False, 0, None, 1e-6, 0.0625, 32, 16),
    RopeAttentionSplit(3, SMALL, 18, True, None, 0, 1e-6, 0.2, 40, 4),
]


def _nth_rope_split(n: int) -> BuildCase:
    return lambda params, tier, tokens: rope_attention_split.cases(params, tier, tokens)[n]


CASES: list[tuple[BuildCase, KernelParams, int]] = [
    (rms_norm.case, RmsNorm(4096, 1e-5, weight=1000), 1),
    (rms_norm.case, RmsNorm(4, 1e-5, weight=0), 512),
    (qkv_rope.case, QkvRope(32, CONTEXT, 128, True, None, None, 0.0), 1),
    (qkv_rope.case, QkvRope(32, CONTEXT, 128, False, 5, 40, 1e-6), 128),
    (qkv_rope.case, QkvRope(14, LONG, 64, False, None, None, 0.0), 1),
    (qkv_rope.case, QkvRope(8, SLIDING, 64, False, 0, None, 1e-6), 128),
    (qkv_rope.case, QkvRope(8, SLIDING, 64, False, 0, None, 1e-6), 1),
    (qkv_rope.case, QkvRope(3, SMALL, 18, True, None, 0, 1e-6), 5),
    (qkv_rope.case, QkvRope(3, SMALL, 18, True, None, 0, 1e-6), 1),
    (attention_split.case, AttentionSplit(32, CONTEXT, 128**-0.5, 64, 66), 1),
    (attention_split.case, AttentionSplit(14, LONG, 0.125, 1024, 33), 1),
    (attention_split.case, AttentionSplit(8, SLIDING, 0.0625, 32, 16), 1),
    (attention_split.case, AttentionSplit(3, SMALL, 0.2, 40, 4), 1),
    (attention_reduce.case, AttentionReduce(32, CONTEXT, 64, 66), 1),
    (attention_reduce.case, AttentionReduce(14, LONG, 1024, 33), 1),
    (attention_reduce.case, AttentionReduce(3, SMALL, 40, 4), 1),
    (attention_prefill.case, AttentionPrefill(32, CONTEXT, 128**-0.5), 512),
    (attention_prefill.case, AttentionPrefill(14, LONG, 0.125), 64),
    (attention_prefill.case, AttentionPrefill(8, SLIDING, 0.0625), 128),
    (attention_prefill.case, AttentionPrefill(3, SMALL, 0.2), 1),
    *((_nth_rope_split(n), params, 1) for params in ROPE_SPLITS for n in (0, 1)),
]
ON_SUBGROUPS_OF_32 = ("rope_attention_split", "attention_reduce", "attention_prefill")


def _passes(case: Case, found: dict[str, Any]) -> bool:
    error = size = 0.0
    for e in case.expected:
        after = found[e.binding][e.offset :]
        if after[: 4 * len(e.words)].view(np.uint32).tolist() != list(e.words):
            return False
        floats = after[: 4 * len(e.floats)].view(np.float32).astype(np.float64)
        error += float(np.sum((floats - np.array(e.floats)) ** 2))
        size += float(np.sum(np.array(e.floats) ** 2))
    return error <= case.tolerance * size


def _altered(expected: Expected, change: float) -> Expected:
    """One value of an answer changed: a bit, or `change`."""
    if expected.words:
        return replace(expected, words=(expected.words[0] ^ 1, *expected.words[1:]))
    return replace(expected, floats=(expected.floats[0] + change, *expected.floats[1:]))


@pytest.mark.parametrize(
    ("build", "params", "tokens"), CASES, ids=lambda value: getattr(value, "template", None)
)
def test_case(device: Device, build: BuildCase, params: KernelParams, tokens: int) -> None:
    _check(device, build, params, tokens)


@pytest.mark.parametrize("device", ["dp4a32"], indirect=True)
@pytest.mark.parametrize(
    ("build", "params", "tokens"),
    [each for each in CASES if each[1].template in ON_SUBGROUPS_OF_32],
    ids=lambda value: getattr(value, "template", None),
)
def test_case_on_subgroups_of_32(
    device: Device, build: BuildCase, params: KernelParams, tokens: int
) -> None:
    _check(device, build, params, tokens)


def _check(device: Device, build: BuildCase, params: KernelParams, tokens: int) -> None:
    case = build(params, device.tier, tokens)
    assert list(case.sizes) == [b.name for b in params.bindings]
    found = device.run(render(params, device.tier), case.contents(), case.grid)
    assert _passes(case, found)
    floats = [value for e in case.expected for value in e.floats]
    change = 0.01 * float(np.sqrt(np.mean(np.square(floats)))) if floats else 0.0
    for i, expected in enumerate(case.expected):
        changed = (*case.expected[:i], _altered(expected, change), *case.expected[i + 1 :])
        assert not _passes(replace(case, expected=changed), found)
    values = sum(len(e.floats) + len(e.words) for e in case.expected)
    assert 0 < values <= 400
