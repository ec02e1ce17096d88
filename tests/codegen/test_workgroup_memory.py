"""Workgroup memory as browsers count it."""

from __future__ import annotations

import pytest

from mdst.codegen.kernels import AttentionPrefill, AttentionSplit, KvCache
from mdst.codegen.templates import render
from mdst.codegen.workgroup_memory import workgroup_bytes
from mdst.errors import InternalError


def test_counts_what_is_declared() -> None:
    wgsl = """
const LANES = 64u;
const HALF = 0.5f;
alias Sums = array<f32, 3>;
struct Pair {
  key: u32, // 4
  rest: vec2<u32>,
}
var<workgroup> a: array<vec4<f32>, LANES * 2u + 1u>; // 2064
var<workgroup> b: Sums; // 12, so 16
var<workgroup> c: array<array<atomic<u32>, 4>, LANES>; // 1024
var<workgroup> d: Pair; // 12, so 16
"""
    assert workgroup_bytes(wgsl) == 2064 + 16 + 1024 + 16


def test_unknown_types_are_not_passed_over() -> None:
    with pytest.raises(InternalError, match="unknown type"):
        workgroup_bytes("var<workgroup> a: mat9x9<f32>;")


@pytest.mark.parametrize("head_dim", [32, 64, 80, 96, 128, 256])
@pytest.mark.parametrize("group", [1, 4, 7, 8])
def test_attention_fits_every_device(head_dim: int, group: int) -> None:
    cache = KvCache(2, head_dim, 4608, 4096, "f16")
    for params in (
        AttentionPrefill(2 * group, cache, 0.1),
        AttentionSplit(2 * group, cache, 0.1, 64, 65),
    ):
        assert workgroup_bytes(render(params, "base").wgsl) <= 16_384
