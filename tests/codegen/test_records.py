"""Kernels that leave records beside what they make, or instead of it, against numpy's records.

The device's values are off by some last bits, so that a code may come out one step off where the
value is half way; it must not do so often.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from mdst.codegen.kernels.attention_reduce import AttentionReduce
from mdst.codegen.kernels.kv_cache import KvCache
from mdst.codegen.kernels.quantise import Quantise
from mdst.codegen.templates import render
from mdst.errors import InternalError
from mdst.hosts.wgpu_device import Device
from mdst.quant.interleave import interleave
from mdst.quant.records import quantise, record_words, values
from mdst.validate.case import state_words
from mdst.validate.reference.attention_reduce import attention_reduce

UNTOUCHED = 0xABCD

Floats = npt.NDArray[np.float32]
Words = npt.NDArray[np.uint32]


def check_records(found: Words, x: Floats, gamma: Floats | None, *, squares: bool = True) -> None:
    """found [T, 3 · W / 8] are the records of x [T, W] (⊙ γ); `squares`: with x's, else 0."""
    expected = quantise(x, gamma)
    blocks = (len(x), x.shape[1] // 32)
    mine, theirs = (
        np.ascontiguousarray(each.reshape(blocks[0], 3, blocks[1], 4)) for each in (found, expected)
    )
    codes, right = (each[:, :2].view(np.int8).astype(int) for each in (mine, theirs))
    assert np.abs(codes - right).max() <= 1
    assert np.mean(codes != right) <= 1e-2
    numbers, wanted = (each[:, 2].view(np.float32) for each in (mine, theirs))
    np.testing.assert_allclose(numbers[..., 0], wanted[..., 0], rtol=1e-5)
    sums = codes.reshape(blocks[0], 2, blocks[1], 16).sum(axis=3).swapaxes(1, 2)
    np.testing.assert_allclose(numbers[..., 1:3], numbers[..., :1] * sums, rtol=1e-6)
    want = wanted[..., 3] if squares else np.zeros(blocks)
    np.testing.assert_allclose(numbers[..., 3], want, rtol=1e-5)


def uneven(rng: np.random.Generator, tokens: int, width: int) -> Floats:
    """Blocks of different sizes."""
    sizes = 10.0 ** rng.uniform(-3, 3, (tokens, width // 32, 1))
    x = rng.standard_normal((tokens, width // 32, 32)) * sizes
    return x.astype(np.float32).reshape(tokens, width)


@pytest.mark.parametrize("width", [32, 96, 2080, 4096])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("tokens", [1, 5])
def test_quantise(
    device: Device, rng: np.random.Generator, width: int, weighted: bool, tokens: int
) -> None:
    x, gamma = uneven(rng, tokens + 2, width), rng.standard_normal(width, np.float32)
    x[0, :32] = 0
    words = record_words(width)
    params = Quantise(width, 3 if weighted else None)
    data = {
        "state": state_words(n_tokens=tokens).data(),
        "w": np.concatenate([np.full(12, 777, np.float32), gamma]),
        "x": x,
        "record": np.full((tokens + 2) * words, UNTOUCHED, np.uint32),
    }
    grid = params.grid(device.tier, tokens + 2)
    found = device.run(render(params, device.tier), data, grid)["record"].view(np.uint32)
    found = found.reshape(tokens + 2, words)
    check_records(found[:tokens], x[:tokens], gamma if weighted else None)
    assert (found[tokens:] == UNTOUCHED).all()


@pytest.mark.parametrize("interleaved", [{"x"}, {"gamma"}, {"x", "gamma"}], ids=sorted)
def test_quantise_in_other_orders(
    device: Device, rng: np.random.Generator, interleaved: set[str]
) -> None:
    """Whatever the order of values, records are in plain order."""
    x, gamma = uneven(rng, 1, 1056), rng.standard_normal(1056, np.float32)
    params = Quantise(1056, 0, frozenset(interleaved))
    data = {
        "state": state_words(n_tokens=1).data(),
        "w": interleave(gamma) if "gamma" in interleaved else gamma,
        "x": interleave(x[0]) if "x" in interleaved else x,
        "record": np.zeros(record_words(1056), np.uint32),
    }
    found = device.run(render(params, device.tier), data, params.grid(device.tier, 1))["record"]
    check_records(found.view(np.uint32)[None], x, gamma)


def test_quantise_takes_zeros_and_sizes_at_the_ends(device: Device) -> None:
    """Blocks of 0, of next to nothing, and of sizes whose squares nearly overflow."""
    x = np.zeros((1, 160), np.float32)
    x[0, 33], x[0, 64:96], x[0, 96:128], x[0, 130] = 1e-38, 1e-12, 1e17, -3e-5
    params = Quantise(160, None)
    data = {
        "state": state_words(n_tokens=1).data(),
        "x": x,
        "record": np.full(record_words(160), UNTOUCHED, np.uint32),
    }
    found = device.run(render(params, device.tier), data, params.grid(device.tier, 1))["record"]
    records = found.view(np.uint32)[None, : record_words(160)]
    np.testing.assert_allclose(values(records), np.where(x == np.float32(1e-38), 0, x), rtol=1e-6)


def test_quantise_wants_whole_blocks() -> None:
    with pytest.raises(InternalError, match="whole blocks"):
        render(Quantise(48, None), "base")


@pytest.mark.parametrize("device", ["base", "dp4a", "dp4a32"], indirect=True)
@pytest.mark.parametrize(("heads", "head_dim"), [(3, 32), (5, 96), (2, 256)])
def test_attention_reduce(
    device: Device, rng: np.random.Generator, heads: int, head_dim: int
) -> None:
    cache = KvCache(1, head_dim, capacity=300, window=300, format="f16")
    params = AttentionReduce(heads, cache, split=10, n_splits=40, record=True)
    partial = rng.standard_normal((heads, 40, head_dim + 2)).astype(np.float32)
    partial[..., -1] = rng.uniform(1, 10, (heads, 40))
    words = record_words(heads * head_dim)
    data = {
        "state": state_words(position=295, n_tokens=1).data(),
        "partial": partial,
        "record": np.full(words + 4, UNTOUCHED, np.uint32),
    }
    found = device.run(render(params, device.tier), data, params.grid(device.tier, 1))["record"]
    record = found.view(np.uint32)
    want = attention_reduce(partial[:, :30].astype(np.float64)).astype(np.float32)
    check_records(record[None, :words], want.reshape(1, -1), None, squares=False)
    assert (record[words : words + 4] == UNTOUCHED).all()


def test_nothing_is_written_when_done(device: Device) -> None:
    cache = KvCache(1, 32, capacity=300, window=300, format="f16")
    reduce = AttentionReduce(1, cache, split=10, n_splits=40, record=True)
    data = {
        "state": state_words(position=3, n_tokens=1, done=1).data(),
        "x": np.ones(32, np.float32),
        "partial": np.ones((40, 34), np.float32),
        "record": np.full(12, UNTOUCHED, np.uint32),
    }
    for params in (reduce, Quantise(32, None)):
        found = device.run(render(params, device.tier), data, params.grid(device.tier, 1))
        assert (found["record"].view(np.uint32) == UNTOUCHED).all()
