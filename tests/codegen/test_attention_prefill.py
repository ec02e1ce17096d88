"""The attention_prefill kernel against numpy."""

from __future__ import annotations

import numpy as np
import pytest

from mdst.codegen.kernels.attention_prefill import AttentionPrefill
from mdst.codegen.kernels.kv_cache import KvCache
from mdst.codegen.templates import render
from mdst.hosts.wgpu_device import Device
from mdst.options import KvFormat
from mdst.validate.case import state_words
from mdst.validate.reference.attention_prefill import attention_prefill
from mdst.validate.reference.kv_cache import from_words, rows_in_sight, to_words


def _check(
    device: Device,
    rng: np.random.Generator,
    params: AttentionPrefill,
    position: int,
    tokens: int,
    size: float = 1.0,
    tolerance: float = 1e-10,
) -> None:
    cache = params.cache
    width = cache.n_kv_heads * cache.head_dim
    q = rng.standard_normal((tokens + 1, params.n_heads, cache.head_dim)).astype(np.float32)
    k = to_words(cache, rng.standard_normal((cache.k_rows, width)) * size)
    v = to_words(cache, rng.standard_normal((cache.v_rows, width)))
    data = {
        "state": state_words(position=position, n_tokens=tokens).data(),
        "q": q,
        "k": k,
        "v": v,
        "out": np.full(q.shape, 7.5, np.float32),
    }
    found = device.run(render(params, device.tier), data, params.grid(device.tier, tokens + 1))
    out = found["out"].view(np.float32)[: q.size].reshape(q.shape)
    seen = [rows_in_sight(cache, position + t, 0) for t in range(tokens)]
    expected = attention_prefill(
        q[:-1].astype(np.float64), from_words(cache, k), from_words(cache, v), seen, params.scale
    )
    assert np.sum((out[:-1] - expected) ** 2) <= tolerance * np.sum(expected**2)
    assert (out[-1] == 7.5).all()  # not one of this step's tokens


@pytest.mark.parametrize(
    ("position", "tokens"),
    [(0, 1), (0, 33), (37, 6), (40, 9), (55, 20), (4000, 20)],
)
@pytest.mark.parametrize("format", ["f16", "f32"])
def test_positions(
    device: Device, rng: np.random.Generator, position: int, tokens: int, format: KvFormat
) -> None:
    """A window of 40 in a ring of 60: chunks before, across and after both."""
    cache = KvCache(2, 32, capacity=60, window=40, format=format)
    _check(device, rng, AttentionPrefill(8, cache, 32**-0.5), position, tokens)


@pytest.mark.parametrize(
    ("heads", "kv_heads", "head_dim", "format"),
    [
        (1, 1, 64, "f16"),
        (7, 1, 128, "f16"),
        (16, 1, 256, "f16"),
        (13, 1, 96, "f32"),
        (6, 3, 80, "f16"),
        (2, 2, 256, "f32"),
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
    cache = KvCache(kv_heads, head_dim, capacity=64, window=50, format=format, sinks=False)
    _check(device, rng, AttentionPrefill(heads, cache, head_dim**-0.5), 57, 11)


def test_large_scores(device: Device, rng: np.random.Generator) -> None:
    """Without the maximum taken off, exp would overflow; most keys weigh nothing. The last bits of
    float32 scores of some hundreds move the weights by 1e-4."""
    cache = KvCache(1, 32, capacity=90, window=80, format="f32")
    _check(device, rng, AttentionPrefill(2, cache, 32**-0.5), 70, 10, size=100.0, tolerance=1e-6)


def test_does_nothing_when_done(device: Device) -> None:
    cache = KvCache(1, 8, capacity=8, window=8, format="f32", sinks=False)
    params = AttentionPrefill(1, cache, 1.0)
    data = {
        "state": state_words(n_tokens=2, done=1).data(),
        **{name: np.ones(64, np.float32) for name in ("q", "k", "v")},
        "out": np.full(16, 7.5, np.float32),
    }
    found = device.run(render(params, device.tier), data, params.grid(device.tier, 2))
    assert (found["out"].view(np.float32) == 7.5).all()
