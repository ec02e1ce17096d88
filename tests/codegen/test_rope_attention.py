"""The rope_attention kernel against numpy: its output, and every row of the cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

from mdst.codegen.kernels.kv_cache import KvCache
from mdst.codegen.kernels.rope_attention import RopeAttention
from mdst.codegen.templates import render
from mdst.codegen.tiers import Tier
from mdst.errors import InternalError
from mdst.graph.ops import MAX_SINKS
from mdst.hosts.wgpu_device import Device
from mdst.options import KvFormat
from mdst.quant.interleave import interleave
from mdst.quant.records import quantise, record_words, values
from mdst.rope import rope_tables
from mdst.validate.case import state_words
from mdst.validate.reference.attention_prefill import attention_prefill
from mdst.validate.reference.kv_cache import from_words, to_words
from mdst.validate.reference.qkv_rope import Heads, angles_at, qkv_rope

Floats = npt.NDArray[np.float64]
Words = npt.NDArray[np.uint32]

# Tiers whose kernels differ: the others have the text of these.
TIERS: tuple[Tier, ...] = ("base", "dp4a32")
on_all_tiers = pytest.mark.parametrize("device", TIERS, indirect=True)
UNTOUCHED = np.float32(7.5)


@dataclass(frozen=True)
class Setup:
    """One token on a cache full of random rows."""

    params: RopeAttention
    position: int
    tables: npt.NDArray[np.float32]
    w: npt.NDArray[np.float32]
    qkv: npt.NDArray[np.float32]
    k: Words
    v: Words

    def run(self, device: Device, **state: int) -> Mapping[str, npt.NDArray[np.uint8]]:
        p = self.params
        width = p.n_heads * p.cache.head_dim
        sizes = {"position": self.position, "n_tokens": 1, "sinks": 4, **state}
        data = {
            "state": state_words(**sizes).data(),
            "rope": self.tables,
            "w": self.w,
            "qkv": self.qkv,
            "k": self.k,
            "v": self.v,
            "out": np.full(width + 4, UNTOUCHED),
            "record": np.full(record_words(width) + 4, 0xABCD, np.uint32),
        }
        return device.run(render(p, device.tier), data, p.grid(device.tier, 1))

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
        k[at], v[at] = heads.k[0], heads.v[0]
        if at < cache.max_sinks:
            k[cache.capacity + MAX_SINKS + at] = heads.plain_k[0]
            v[cache.capacity + at] = heads.v[0]
        return k, v

    def out(self, k: Floats, v: Floats) -> Floats:
        """[H · D], with these rows in the cache."""
        seen = list(range(self.position + 1))
        return attention_prefill(self.heads().q, k, v, [seen], self.params.scale).reshape(-1)


@cache
def _tables(dimension: int) -> npt.NDArray[np.float32]:
    return rope_tables(dimension, 10000.0)


def _setup(rng: np.random.Generator, params: RopeAttention, position: int) -> Setup:
    cache = params.cache
    row = cache.n_kv_heads * cache.head_dim
    width = params.n_heads * cache.head_dim + 2 * row
    return Setup(
        params,
        position,
        _tables(params.rope_dim),
        rng.standard_normal(64 + 2 * cache.head_dim).astype(np.float32),
        rng.standard_normal(width).astype(np.float32),
        to_words(cache, rng.standard_normal((cache.k_rows, row))),
        to_words(cache, rng.standard_normal((cache.v_rows, row))),
    )


def _check(device: Device, setup: Setup) -> None:
    p, cache = setup.params, setup.params.cache
    found = setup.run(device)
    # Rows of f16 are off by at most a rounding; rows that nobody writes keep their bits.
    step = 2.0**-10 if cache.format == "f16" else 2e-6
    after = {}
    for name, rows, before in zip("kv", setup.rows(), (setup.k, setup.v), strict=True):
        words = found[name].view(np.uint32)[: before.size]
        after[name] = from_words(cache, words)
        assert np.all(np.abs(after[name] - rows) <= step * np.maximum(np.abs(rows), 1e-1)), name
        kept = rows == from_words(cache, before)
        np.testing.assert_array_equal(after[name][kept], rows[kept])
    want = setup.out(after["k"], after["v"])
    if p.record:
        _check_record(found["record"].view(np.uint32), want)
        return
    out = found["out"].view(np.float32)
    assert (out[want.size : want.size + 4] == UNTOUCHED).all()
    if p.out_interleaved:
        want = interleave(want)
    assert np.sum((out[: want.size] - want) ** 2) <= 1e-10 * np.sum(want**2)


def _check_record(record: Words, want: Floats) -> None:
    words = record_words(want.size)
    assert (record[words : words + 4] == 0xABCD).all()
    blocks = want.reshape(-1, 32)
    steps = np.abs(blocks).max(axis=1, keepdims=True) / 127
    meant = values(record[None, :words]).reshape(blocks.shape)
    assert (np.abs(meant - blocks) <= 0.51 * steps).all()
    numbers = record[:words].reshape(3, -1, 4)[2].copy().view(np.float32)
    expected = quantise(want.astype(np.float32)[None]).reshape(3, -1, 4)[2].copy().view(np.float32)
    np.testing.assert_allclose(numbers[:, 0], expected[:, 0], rtol=1e-4)
    halves = meant.reshape(-1, 2, 16).sum(axis=2)
    np.testing.assert_allclose(numbers[:, 1:3], halves, rtol=1e-4, atol=1e-6)
    assert (numbers[:, 3] == 0).all()


def _params(
    heads: int,
    kv_heads: int,
    head_dim: int,
    format: KvFormat = "f16",
    *,
    rope_dim: int | None = None,
    interleaved: bool = False,
    norms: tuple[int | None, int | None] = (None, None),
    reach: int = 600,
    record: bool = False,
    sinks: bool = True,
) -> RopeAttention:
    cache = KvCache(
        kv_heads, head_dim, capacity=reach + 8, window=reach, format=format, sinks=sinks
    )
    dim = rope_dim or head_dim
    scale = head_dim**-0.5
    return RopeAttention(heads, cache, dim, interleaved, *norms, 1e-5, scale, reach, record)


SHAPES = {
    "one head": _params(1, 1, 32),
    "group of 3": _params(6, 2, 64, interleaved=True),
    "group of 8, f32": _params(8, 1, 64, "f32", rope_dim=32, record=True),
    "80": _params(4, 2, 80, rope_dim=20, interleaved=True),
    "96, f32": _params(3, 3, 96, "f32", norms=(1, 30), record=True),
    "96": _params(2, 1, 96, norms=(3, None)),
    "128": _params(7, 1, 128, norms=(0, 40), record=True, reach=1024),
    "256": _params(4, 2, 256, norms=(None, 2), rope_dim=128),
    "256, f32": _params(1, 1, 256, "f32", interleaved=True, record=True, reach=300),
    "8": _params(5, 5, 8, "f32"),
    "no sinks": _params(2, 1, 64, sinks=False, record=True),
}


@on_all_tiers
@pytest.mark.parametrize("shape", SHAPES)
def test_positions(device: Device, rng: np.random.Generator, shape: str) -> None:
    """The first token, one of those that are kept as sinks, another, and the last within reach."""
    params = SHAPES[shape]
    middle = int(rng.integers(MAX_SINKS, params.reach - 1))
    for position in (0, 3, middle, params.reach - 1):
        _check(device, _setup(rng, params, position))


@on_all_tiers
@pytest.mark.parametrize("position", [1, 2, MAX_SINKS - 1, MAX_SINKS, MAX_SINKS + 1, 255, 256])
def test_edges(device: Device, rng: np.random.Generator, position: int) -> None:
    _check(device, _setup(rng, SHAPES["group of 3"], position))


@on_all_tiers
@pytest.mark.parametrize("heads", [1, 6])
def test_interleaved_output(device: Device, rng: np.random.Generator, heads: int) -> None:
    params = replace(_params(heads, 1, 64), out_interleaved=True)
    _check(device, _setup(rng, params, 90))


@on_all_tiers
def test_large_scores(device: Device, rng: np.random.Generator) -> None:
    """Without the maximum taken off, exp would overflow; here the new key weighs all."""
    setup = _setup(rng, _params(2, 1, 64, "f32"), 37)
    setup.qkv[:128] *= 100
    setup.qkv[128:192] = setup.qkv[:64]
    out = setup.run(device)["out"].view(np.float32)[:64]
    np.testing.assert_allclose(out, setup.qkv[192:256], rtol=1e-5)


@on_all_tiers
@pytest.mark.parametrize("state", [{"done": 1}, {"n_tokens": 0}, {"position": 600}])
@pytest.mark.parametrize("record", [False, True])
def test_does_nothing_when_done_or_out_of_reach(
    device: Device, rng: np.random.Generator, state: dict[str, int], record: bool
) -> None:
    setup = _setup(rng, _params(2, 1, 64, record=record), 30)
    found = setup.run(device, **state)
    if record:
        assert (found["record"].view(np.uint32) == 0xABCD).all()
    else:
        assert (found["out"].view(np.float32) == UNTOUCHED).all()
    np.testing.assert_array_equal(found["k"].view(np.uint32)[: setup.k.size], setup.k)
    np.testing.assert_array_equal(found["v"].view(np.uint32)[: setup.v.size], setup.v)


@pytest.mark.parametrize(
    "params",
    [
        _params(4, 3, 32),  # key heads that do not divide query heads
        _params(2, 1, 80, record=True),  # heads of no whole blocks
        replace(_params(2, 1, 32), reach=601),  # beyond the window
        replace(_params(2, 1, 32), rope_dim=34),  # more turns than there are values
    ],
)
def test_refuses_what_it_cannot_do(params: RopeAttention) -> None:
    with pytest.raises(InternalError):
        render(params, "base")
