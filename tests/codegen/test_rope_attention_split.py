"""The rope_attention_split kernel, and attention_reduce after it, against numpy: what both leave,
and every row of the cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

from mdst.codegen.kernels.attention_reduce import AttentionReduce
from mdst.codegen.kernels.kv_cache import KvCache
from mdst.codegen.kernels.rope_attention_split import RopeAttentionSplit
from mdst.codegen.templates import render
from mdst.codegen.tiers import Tier
from mdst.errors import InternalError
from mdst.graph.ops import MAX_SINKS
from mdst.hosts.wgpu_device import Device
from mdst.options import KvFormat
from mdst.rope import rope_tables
from mdst.validate.case import state_words
from mdst.validate.reference.attention_prefill import attention_prefill
from mdst.validate.reference.attention_split import attention_split
from mdst.validate.reference.kv_cache import (
    from_words,
    oldest_key,
    rows_in_sight,
    sink_count,
    to_words,
)
from mdst.validate.reference.qkv_rope import Heads, angles_at, qkv_rope, turn

Floats = npt.NDArray[np.float64]
Words = npt.NDArray[np.uint32]

# Tiers whose kernels differ: the others have the text of these.
TIERS: tuple[Tier, ...] = ("base", "dp4a32")
on_all_tiers = pytest.mark.parametrize("device", TIERS, indirect=True)
UNTOUCHED = np.float32(1234.5)


@dataclass(frozen=True)
class Setup:
    """One token on a cache full of random rows."""

    params: RopeAttentionSplit
    position: int
    sinks: int
    tables: npt.NDArray[np.float32]
    w: npt.NDArray[np.float32]
    qkv: npt.NDArray[np.float32]
    k: Words
    v: Words

    @property
    def shape(self) -> tuple[int, int, int]:
        p = self.params
        return p.n_heads, p.n_splits, p.cache.head_dim + 2

    def run(self, device: Device, **state: int) -> Mapping[str, npt.NDArray[np.uint8]]:
        p = self.params
        data = {
            "state": self.state(**state),
            "rope": self.tables,
            "w": self.w,
            "qkv": self.qkv,
            "k": self.k,
            "v": self.v,
            "partial": np.full(self.shape, UNTOUCHED),
        }
        return device.run(render(p, device.tier), data, p.grid(device.tier, 1))

    def state(self, **state: int) -> Words:
        fields = {"position": self.position, "n_tokens": 1, "sinks": self.sinks, **state}
        return state_words(**fields).data()

    def heads(self) -> Heads:
        p, d = self.params, self.params.cache.head_dim
        norms = [
            None if at is None else self.w[4 * at :][:d].astype(np.float64)
            for at in (p.q_norm, p.k_norm)
        ]
        return qkv_rope(
            self.qkv.astype(np.float64).reshape(1, -1, d),
            p.n_heads,
            angles_at(self.tables, [self.position]),
            interleaved=p.interleaved,
            q_norm=norms[0],
            k_norm=norms[1],
            epsilon=p.norm_epsilon,
        )

    def rows(self) -> tuple[Floats, Floats]:
        """The K and V rows that must be found afterwards, but for their rounding."""
        cache, heads, at = self.params.cache, self.heads(), self.position
        k, v = from_words(cache, self.k), from_words(cache, self.v)
        k[at % cache.capacity], v[at % cache.capacity] = heads.k[0], heads.v[0]
        if at < cache.max_sinks:
            k[cache.capacity + MAX_SINKS + at] = heads.plain_k[0]
            v[cache.capacity + at] = heads.v[0]
        count, oldest = sink_count(cache, at, self.sinks), oldest_key(cache, at)
        plain = k[cache.capacity + cache.max_sinks :][:count]
        angles = angles_at(self.tables, range(oldest - count, oldest))
        k[cache.capacity : cache.capacity + count] = turn(plain, angles, self.params.interleaved)
        return k, v


@cache
def _tables(dimension: int) -> npt.NDArray[np.float32]:
    return rope_tables(dimension, 10000.0)


def _setup(
    rng: np.random.Generator, params: RopeAttentionSplit, position: int, sinks: int
) -> Setup:
    cache = params.cache
    row = cache.n_kv_heads * cache.head_dim
    return Setup(
        params,
        position,
        sinks,
        _tables(params.rope_dim),
        rng.standard_normal(64 + 2 * cache.head_dim).astype(np.float32),
        rng.standard_normal(params.n_heads * cache.head_dim + 2 * row).astype(np.float32),
        to_words(cache, rng.standard_normal((cache.k_rows, row))),
        to_words(cache, rng.standard_normal((cache.v_rows, row))),
    )


def _nmse(found: npt.NDArray[np.floating], expected: Floats) -> float:
    return float(np.sum((found - expected) ** 2) / np.sum(expected**2))


def _check(device: Device, setup: Setup) -> None:
    p, cache = setup.params, setup.params.cache
    found = setup.run(device)
    # Rows of f16 are off by at most a rounding; rows that nobody writes keep their bits.
    step = 2.0**-10 if cache.format == "f16" else 1e-5
    after = {}
    for name, rows, before in zip("kv", setup.rows(), (setup.k, setup.v), strict=True):
        words = found[name].view(np.uint32)[: before.size]
        after[name] = from_words(cache, words)
        assert np.all(np.abs(after[name] - rows) <= step * np.maximum(np.abs(rows), 1e-1)), name
        kept = rows == from_words(cache, before)
        np.testing.assert_array_equal(after[name][kept], rows[kept])

    partial = found["partial"].view(np.float32)[: np.prod(setup.shape)].reshape(setup.shape)
    seen = rows_in_sight(cache, setup.position, setup.sinks)
    used = -(-len(seen) // p.split)
    q, keys, values = setup.heads().q, after["k"][seen], after["v"][seen]
    expected = attention_split(q[0], keys, values, p.scale, p.split)
    # The scale of a split is free: only sums relative to its maximum mean anything.
    factors = np.exp(expected[..., -2:-1] - partial[:, :used, -2:-1])
    assert _nmse(partial[:, :used, :-2], expected[..., :-2] * factors) <= 1e-10
    assert _nmse(partial[:, :used, -1:], expected[..., -1:] * factors) <= 1e-10
    np.testing.assert_allclose(partial[:, :used, -2], expected[..., -2], atol=1e-4)
    assert (partial[:, used:] == UNTOUCHED).all()

    reduce = AttentionReduce(p.n_heads, cache, p.split, p.n_splits)
    data = {"state": setup.state(), "partial": partial, "out": np.zeros(q.size, np.float32)}
    out = device.run(render(reduce, device.tier), data, reduce.grid(device.tier, 1))["out"]
    want = attention_prefill(q, after["k"], after["v"], [seen], p.scale).reshape(-1)
    assert _nmse(out.view(np.float32)[: q.size], want) <= 1e-10


def _params(
    heads: int,
    kv_heads: int,
    head_dim: int,
    format: KvFormat = "f16",
    *,
    rope_dim: int | None = None,
    interleaved: bool = False,
    norms: tuple[int | None, int | None] = (None, None),
    window: int = 300,
    split: int = 64,
    sinks: bool = True,
) -> RopeAttentionSplit:
    cache = KvCache(kv_heads, head_dim, window + 8, window, format=format, sinks=sinks)
    n_splits = -(-cache.most_in_sight // split)
    dim, scale = rope_dim or head_dim, head_dim**-0.5
    return RopeAttentionSplit(heads, cache, dim, interleaved, *norms, 1e-5, scale, split, n_splits)


SHAPES = {
    "one head": _params(1, 1, 32),
    "group of 2": _params(4, 2, 64, split=128),
    "group of 3": _params(6, 2, 64, interleaved=True, split=100),
    "group of 8, f32": _params(8, 1, 64, "f32", rope_dim=32, norms=(0, 20)),
    "80": _params(4, 2, 80, rope_dim=20, interleaved=True),
    "96, f32": _params(3, 3, 96, "f32", norms=(1, 30), split=150),
    "96": _params(2, 1, 96, norms=(3, None)),
    "128": _params(7, 1, 128, norms=(0, 40)),
    "128, group of 4": _params(8, 2, 128, interleaved=True),
    "256": _params(4, 1, 256, norms=(None, 2), rope_dim=128),
    "256, f32": _params(2, 2, 256, "f32", interleaved=True, split=37),
    "8": _params(5, 5, 8, "f32", norms=(0, 8)),
    "no sinks": _params(2, 1, 64, sinks=False),
}


@on_all_tiers
@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(device: Device, rng: np.random.Generator, shape: str) -> None:
    """The first token, another one before the window slides, and one far behind."""
    params = SHAPES[shape]
    for position in (0, int(rng.integers(MAX_SINKS, 299)), int(rng.integers(1000, 70_000))):
        _check(device, _setup(rng, params, position, 5))


@on_all_tiers
@pytest.mark.parametrize(
    ("position", "sinks"),
    [(1, 4), (63, 4), (64, 4), (65, 0), (299, 64), (300, 4), (301, 64), (364, 4), (615, 200)],
)
def test_edges(device: Device, rng: np.random.Generator, position: int, sinks: int) -> None:
    _check(device, _setup(rng, SHAPES["group of 3"], position, sinks))
    _check(device, _setup(rng, _params(2, 1, 32, split=30), position, sinks))


@on_all_tiers
def test_large_scores(device: Device, rng: np.random.Generator) -> None:
    """Without the maximum taken off, exp would overflow; here the new key weighs all."""
    setup = _setup(rng, _params(2, 1, 64, "f32", split=100), 90, 0)
    setup.qkv[:128] *= 100
    setup.qkv[128:192] = setup.qkv[:64]
    partial = setup.run(device)["partial"].view(np.float32)[: np.prod(setup.shape)]
    first = partial.reshape(setup.shape)[0, 0]
    np.testing.assert_allclose(first[:64] / first[65], setup.qkv[192:256], rtol=1e-5)


@on_all_tiers
@pytest.mark.parametrize("state", [{"done": 1}, {"n_tokens": 0}])
def test_does_nothing_when_done(
    device: Device, rng: np.random.Generator, state: dict[str, int]
) -> None:
    setup = _setup(rng, _params(2, 1, 64), 400, 4)
    found = setup.run(device, **state)
    assert (found["partial"].view(np.float32)[: np.prod(setup.shape)] == UNTOUCHED).all()
    np.testing.assert_array_equal(found["k"].view(np.uint32)[: setup.k.size], setup.k)
    np.testing.assert_array_equal(found["v"].view(np.uint32)[: setup.v.size], setup.v)


@pytest.mark.parametrize(
    "params",
    [
        _params(4, 3, 32),  # key heads that do not divide query heads
        _params(9, 1, 32),  # more query heads than a workgroup has lanes for
        replace(_params(2, 1, 32), n_splits=3),  # no room for all keys
        replace(_params(2, 1, 32), rope_dim=34),  # more turns than there are values
    ],
)
def test_refuses_what_it_cannot_do(params: RopeAttentionSplit) -> None:
    with pytest.raises(InternalError):
        render(params, "base")
