"""attention_split and attention_reduce against numpy, each alone and one after the other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from mdst.codegen.kernels.attention_reduce import AttentionReduce
from mdst.codegen.kernels.attention_split import AttentionSplit
from mdst.codegen.kernels.kv_cache import KvCache
from mdst.codegen.templates import render
from mdst.errors import InternalError
from mdst.hosts.wgpu_device import Device
from mdst.options import KvFormat
from mdst.validate.case import state_words
from mdst.validate.reference.attention_prefill import attention_prefill
from mdst.validate.reference.attention_reduce import attention_reduce
from mdst.validate.reference.attention_split import attention_split
from mdst.validate.reference.kv_cache import from_words, rows_in_sight, to_words

Words = npt.NDArray[np.uint32]
Floats = npt.NDArray[np.float64]
_UNTOUCHED = 1234.5


def _random_cache(rng: np.random.Generator, cache: KvCache, size: float) -> tuple[Words, Words]:
    width = cache.n_kv_heads * cache.head_dim
    k = to_words(cache, rng.standard_normal((cache.k_rows, width)) * size)
    v = to_words(cache, rng.standard_normal((cache.v_rows, width)))
    return k, v


def _nmse(found: npt.NDArray[np.floating], expected: Floats) -> float:
    return float(np.sum((found - expected) ** 2) / np.sum(expected**2))


def _check(
    device: Device,
    rng: np.random.Generator,
    split: AttentionSplit,
    position: int,
    sinks: int,
    size: float = 1.0,
    tolerance: float = 1e-10,
) -> None:
    cache, heads = split.cache, split.n_heads
    q = rng.standard_normal((heads, cache.head_dim)).astype(np.float32)
    k, v = _random_cache(rng, cache, size)
    seen = rows_in_sight(cache, position, sinks)
    used = -(-len(seen) // split.split)
    keys, values = from_words(cache, k), from_words(cache, v)
    shape = (heads, split.n_splits, cache.head_dim + 2)
    state = state_words(position=position, n_tokens=1, sinks=sinks).data()
    data = {"state": state, "q": q, "k": k, "v": v, "partial": np.full(shape, _UNTOUCHED, "f4")}

    found = device.run(render(split, device.tier), data, split.grid(device.tier, 1))
    partial = found["partial"].view(np.float32)[: np.prod(shape)].reshape(shape)
    wide_q = q.astype(np.float64)
    expected = attention_split(wide_q, keys[seen], values[seen], split.scale, split.split)
    # The scale of a split is free: only sums relative to its maximum mean anything.
    factors = np.exp(expected[..., -2:-1] - partial[:, :used, -2:-1])
    assert _nmse(partial[:, :used, :-2], expected[..., :-2] * factors) <= tolerance
    assert _nmse(partial[:, :used, -1:], expected[..., -1:] * factors) <= tolerance
    np.testing.assert_allclose(partial[:, :used, -2], expected[..., -2], atol=1e-4 * size)
    assert (partial[:, used:] == _UNTOUCHED).all()

    reduce = AttentionReduce(heads, cache, split.split, split.n_splits)
    data = {
        "state": state,
        "partial": partial,
        "out": np.full((heads + 1, cache.head_dim), 7.5, "f4"),
    }
    found = device.run(render(reduce, device.tier), data, reduce.grid(device.tier, 1))
    out = found["out"].view(np.float32)[: (heads + 1) * cache.head_dim].reshape(heads + 1, -1)
    exact = attention_prefill(wide_q[None], keys, values, [seen], split.scale)[0]
    assert _nmse(out[:-1], exact) <= tolerance
    assert (out[-1] == 7.5).all()


def _splits(cache: KvCache, heads: int, split: int) -> AttentionSplit:
    n_splits = -(-cache.most_in_sight // split)
    return AttentionSplit(heads, cache, cache.head_dim**-0.5, split, n_splits)


@pytest.mark.parametrize(
    ("position", "sinks"),
    [(0, 4), (99, 4), (100, 4), (101, 64), (163, 4), (5000, 0), (5001, 4), (5002, 64), (5003, 200)],
)
@pytest.mark.parametrize(("format", "split"), [("f16", 32), ("f32", 45)])
def test_positions(
    device: Device,
    rng: np.random.Generator,
    position: int,
    sinks: int,
    format: KvFormat,
    split: int,
) -> None:
    cache = KvCache(2, 32, capacity=110, window=100, format=format)
    _check(device, rng, _splits(cache, 8, split), position, sinks)


@pytest.mark.parametrize(
    ("heads", "kv_heads", "head_dim", "format"),
    [
        (1, 1, 64, "f16"),
        (7, 1, 128, "f16"),
        (16, 1, 128, "f16"),
        (16, 1, 256, "f32"),
        (13, 1, 96, "f32"),
        (6, 3, 80, "f16"),
        (12, 1, 8, "f16"),
        (4, 2, 40, "f32"),
    ],
)
def test_shapes(
    device: Device,
    rng: np.random.Generator,
    heads: int,
    kv_heads: int,
    head_dim: int,
    format: KvFormat,
) -> None:
    cache = KvCache(kv_heads, head_dim, capacity=50, window=47, format=format)
    _check(device, rng, _splits(cache, heads, 37), 1111, 9)


def test_window_without_sinks(device: Device, rng: np.random.Generator) -> None:
    cache = KvCache(1, 32, capacity=40, window=33, format="f16", sinks=False)
    _check(device, rng, _splits(cache, 2, 16), 777, 8)


def test_many_splits(device: Device, rng: np.random.Generator) -> None:
    """More splits than attention_reduce has lanes."""
    cache = KvCache(1, 8, capacity=600, window=600, format="f32")
    _check(device, rng, _splits(cache, 2, 2), 599, 0)


def test_large_scores(device: Device, rng: np.random.Generator) -> None:
    """Without the maximum taken off, exp would overflow; most keys weigh nothing. The last bits of
    float32 scores of some hundreds move the weights by 1e-4."""
    cache = KvCache(1, 32, capacity=80, window=80, format="f32")
    _check(device, rng, _splits(cache, 2, 40), 79, 0, size=100.0, tolerance=1e-6)


@pytest.mark.parametrize("device", ["base", "dp4a32"], indirect=True)
@pytest.mark.parametrize("position", [0, 295, 1999])
def test_reduce_alone(device: Device, rng: np.random.Generator, position: int) -> None:
    cache = KvCache(1, 80, capacity=2000, window=2000, format="f16")
    params = AttentionReduce(3, cache, split=10, n_splits=210)
    partial = rng.standard_normal((3, 210, 82)).astype(np.float32)
    partial[..., -2] *= 500
    partial[..., -1] = rng.uniform(1, 10, (3, 210))
    data = {
        "state": state_words(position=position, n_tokens=1).data(),
        "partial": partial,
        "out": np.zeros((3, 80), np.float32),
    }
    found = device.run(render(params, device.tier), data, params.grid(device.tier, 1))
    out = found["out"].view(np.float32).reshape(3, 80)
    assert (
        _nmse(out, attention_reduce(partial[:, : position // 10 + 1].astype(np.float64))) <= 1e-10
    )


def test_do_nothing_when_done(device: Device, rng: np.random.Generator) -> None:
    cache = KvCache(1, 8, capacity=8, window=8, format="f16")
    k, v = _random_cache(rng, cache, 1.0)
    split = _splits(cache, 1, 8)
    size = split.n_splits * 10
    data = {
        "state": state_words(position=3, n_tokens=1, done=1).data(),
        "q": np.ones(8, np.float32),
        "k": k,
        "v": v,
        "partial": np.full(size, _UNTOUCHED, np.float32),
        "out": np.full(8, _UNTOUCHED, np.float32),
    }
    found = device.run(render(split, device.tier), data, split.grid(device.tier, 1))
    assert (found["partial"].view(np.float32)[:size] == _UNTOUCHED).all()
    reduce = AttentionReduce(1, cache, split.split, split.n_splits)
    found = device.run(render(reduce, device.tier), data, reduce.grid(device.tier, 1))
    assert (found["out"].view(np.float32) == _UNTOUCHED).all()


@pytest.mark.parametrize(
    ("cache", "n_splits"),
    [
        (KvCache(1, 8, capacity=7, window=8, format="f16"), 9),  # the ring is too small
        (KvCache(1, 12, capacity=8, window=8, format="f16"), 9),  # rows are not whole eights
        (KvCache(1, 264, capacity=8, window=8, format="f16"), 9),  # rows are too long
        (KvCache(1, 8, capacity=8, window=8, format="f16"), 8),  # no room for the sinks
    ],
)
def test_refuses_what_it_cannot_do(cache: KvCache, n_splits: int) -> None:
    with pytest.raises(InternalError):
        render(AttentionSplit(1, cache, 1.0, split=8, n_splits=n_splits), "base")
