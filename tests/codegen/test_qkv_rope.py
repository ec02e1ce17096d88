"""The qkv_rope kernel against numpy: every row of the cache, written or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

from mdst.codegen.kernels.kv_cache import KvCache
from mdst.codegen.kernels.qkv_rope import QkvRope
from mdst.codegen.templates import render
from mdst.graph.ops import MAX_SINKS
from mdst.hosts.wgpu_device import Device
from mdst.rope import rope_tables
from mdst.validate.case import state_words
from mdst.validate.reference.kv_cache import from_words, sink_count, to_words
from mdst.validate.reference.qkv_rope import Heads, angles_at, qkv_rope, turn

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Setup:
    """A step of `tokens` tokens on a cache full of random rows."""

    params: QkvRope
    position: int
    tokens: int
    sinks: int
    tables: npt.NDArray[np.float32]
    w: npt.NDArray[np.float32]
    qkv: npt.NDArray[np.float32]
    k: npt.NDArray[np.uint32]
    v: npt.NDArray[np.uint32]

    def run(self, device: Device, **state: int) -> Mapping[str, npt.NDArray[np.uint8]]:
        p = self.params
        rows = self.tokens + 1
        data = {
            "state": state_words(
                position=self.position, n_tokens=self.tokens, sinks=self.sinks, **state
            ).data(),
            "rope": self.tables,
            "w": self.w,
            "qkv": self.qkv,
            "q": np.full((rows, p.n_heads * p.cache.head_dim), 7.5, np.float32),
            "k": self.k,
            "v": self.v,
        }
        grid = p.grid(device.tier, self.tokens if self.tokens == 1 else rows)
        return device.run(render(p, device.tier), data, grid)

    def heads(self) -> Heads:
        p, d = self.params, self.params.cache.head_dim
        positions = self.position + np.arange(self.tokens)

        def gamma(offset: int | None) -> Floats | None:
            if offset is None:
                return None
            return self.w[4 * offset : 4 * offset + d].astype(np.float64)

        return qkv_rope(
            self.qkv[: self.tokens].astype(np.float64).reshape(self.tokens, -1, d),
            p.n_heads,
            angles_at(self.tables, positions),
            interleaved=p.interleaved,
            q_norm=gamma(p.q_norm),
            k_norm=gamma(p.k_norm),
            epsilon=p.norm_epsilon,
        )

    def rows(self) -> tuple[Floats, Floats]:
        """The K and V rows that must be found afterwards."""
        cache = self.params.cache
        k, v = from_words(cache, self.k), from_words(cache, self.v)
        heads = self.heads()
        for t in range(self.tokens):
            position = self.position + t
            k[position % cache.capacity] = heads.k[t]
            v[position % cache.capacity] = heads.v[t]
            if position < cache.max_sinks:
                k[cache.capacity + MAX_SINKS + position] = heads.plain_k[t]
                v[cache.capacity + position] = heads.v[t]
        if self.tokens == 1:
            self._turn_sinks(k)
        return k, v

    def _turn_sinks(self, k: Floats) -> None:
        cache = self.params.cache
        count = sink_count(cache, self.position, self.sinks)
        oldest = max(0, self.position - cache.window + 1)
        for t in range(count):
            plain = k[None, cache.capacity + MAX_SINKS + t]
            angles = angles_at(self.tables, [oldest - count + t])
            k[cache.capacity + t] = turn(plain, angles, self.params.interleaved)[0]


def _setup(
    rng: np.random.Generator, params: QkvRope, position: int, tokens: int, sinks: int
) -> Setup:
    cache = params.cache
    width = params.all_heads * cache.head_dim

    def random_rows(rows: int) -> npt.NDArray[np.uint32]:
        return to_words(cache, rng.standard_normal((rows, cache.n_kv_heads * cache.head_dim)))

    return Setup(
        params,
        position,
        tokens,
        sinks,
        rope_tables(params.rope_dim, 10000.0),
        rng.standard_normal(64 + 2 * cache.head_dim).astype(np.float32),
        rng.standard_normal((tokens + 1, width)).astype(np.float32),
        random_rows(cache.k_rows),
        random_rows(cache.v_rows),
    )


def _check(device: Device, setup: Setup) -> None:
    cache = setup.params.cache
    found = setup.run(device)
    q = found["q"].view(np.float32).reshape(setup.tokens + 1, -1)
    expected = setup.heads().q.reshape(setup.tokens, -1)
    assert np.sum((q[:-1] - expected) ** 2) <= 1e-12 * np.sum(expected**2)
    assert (q[-1] == 7.5).all()  # not one of this step's tokens
    # Rows of f16 are off by at most a rounding; rows that nobody writes keep their bits.
    step = 2.0**-10 if cache.format == "f16" else 2e-6
    for name, rows, before in zip("kv", setup.rows(), (setup.k, setup.v), strict=True):
        after = from_words(cache, found[name].view(np.uint32)[: before.size])
        assert np.all(np.abs(after - rows) <= step * np.maximum(np.abs(rows), 1e-1)), name
        kept = rows == from_words(cache, before)
        np.testing.assert_array_equal(after[kept], rows[kept])


CACHES = {
    "f16": KvCache(2, 32, capacity=24, window=20, format="f16"),
    "f32": KvCache(1, 24, capacity=9, window=9, format="f32"),
    "plain": KvCache(3, 40, capacity=24, window=10, format="f16", sinks=False),
    "wide": KvCache(1, 256, capacity=8, window=6, format="f16"),
}


@pytest.mark.parametrize(
    ("cache", "heads", "rope_dim", "interleaved", "norms"),
    [
        ("f16", 2, 32, False, (None, None)),
        ("f16", 8, 32, True, (1, 9)),
        ("f32", 7, 24, False, (1, 7)),
        ("f32", 1, 10, True, (None, 2)),
        ("plain", 3, 18, False, (3, None)),
        ("wide", 2, 128, False, (0, 64)),
    ],
)
@pytest.mark.parametrize(
    ("position", "tokens", "sinks"),
    [
        (0, 1, 4),
        (0, 5, 4),
        (20, 6, 4),  # crosses the end of a ring of 24
        (70_000, 1, 0),
        (70_001, 1, 4),
        (200, 1, 64),
        (20, 1, 4),  # the window of 20 has moved by one
        (61, 5, 0),  # the last sinks
    ],
)
def test_matches_reference(
    device: Device,
    rng: np.random.Generator,
    cache: str,
    heads: int,
    rope_dim: int,
    interleaved: bool,
    norms: tuple[int | None, int | None],
    position: int,
    tokens: int,
    sinks: int,
) -> None:
    kv = CACHES[cache]
    params = QkvRope(kv.n_kv_heads * heads, kv, rope_dim, interleaved, *norms, norm_epsilon=1e-5)
    _check(device, _setup(rng, params, position, tokens, sinks))


def test_large_values_stay_finite(device: Device, rng: np.random.Generator) -> None:
    params = QkvRope(2, CACHES["f16"], 32, False, None, None, 1e-5)
    setup = _setup(rng, params, 0, 1, 0)
    setup.qkv[:] = 1e6
    found = setup.run(device)
    for name in "kv":
        assert np.isfinite(from_words(params.cache, found[name].view(np.uint32))).all()


def test_does_nothing_when_done(device: Device, rng: np.random.Generator) -> None:
    params = QkvRope(2, CACHES["f16"], 32, False, None, None, 1e-5)
    setup = _setup(rng, params, 30, 1, 4)
    found = setup.run(device, done=2)
    assert (found["q"].view(np.float32) == 7.5).all()
    np.testing.assert_array_equal(found["k"].view(np.uint32), setup.k)
    np.testing.assert_array_equal(found["v"].view(np.uint32), setup.v)
