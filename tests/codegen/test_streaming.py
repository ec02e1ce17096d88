"""The cache over a whole text: prefill, then decode far past the window, against attention over an
explicit list of all tokens so far (StreamingLLM, Xiao et al., arXiv 2309.17453)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pytest

from mdst.codegen.kernel import KernelParams
from mdst.codegen.kernels.attention_prefill import AttentionPrefill
from mdst.codegen.kernels.attention_reduce import AttentionReduce
from mdst.codegen.kernels.attention_split import AttentionSplit
from mdst.codegen.kernels.kv_cache import KvCache
from mdst.codegen.kernels.qkv_rope import QkvRope
from mdst.codegen.templates import render
from mdst.hosts.wgpu_device import Device
from mdst.rope import rope_tables, rotate
from mdst.validate.case import state_words

Floats = npt.NDArray[np.float64]
HEADS, KV_HEADS, D = 4, 2, 16
WINDOW, CAPACITY, PROMPT, LENGTH = 11, 16, 9, 31
SCALE = 0.25
SPLIT, N_SPLITS = 6, 13


@dataclass
class Layer:
    """One attention layer on a device."""

    device: Device
    sinks: int
    qkv: npt.NDArray[np.float32]
    buffers: dict[str, npt.NDArray[np.generic]] = field(default_factory=dict)

    def step(self, params: KernelParams, position: int, tokens: int) -> None:
        state = state_words(position=position, n_tokens=tokens, sinks=self.sinks).data()
        self.buffers |= {"state": state, "qkv": self.qkv[position : position + tokens]}
        grid = params.grid(self.device.tier, tokens)
        found = self.device.run(render(params, self.device.tier), self.buffers, grid)
        self.buffers |= found

    def out(self, rows: int) -> npt.NDArray[np.float32]:
        return self.buffers["out"].view(np.float32)[: rows * HEADS * D].reshape(rows, HEADS, D)


def _expected(qkv: npt.NDArray[np.float32], position: int, sinks: int) -> Floats:
    """[H, D] from the definition, with cosines and sines of the real angles."""
    oldest = max(0, position - WINDOW + 1)
    kept = min(oldest, sinks)
    tokens = np.array([*range(kept), *range(oldest, position + 1)])
    stands_at = np.array([*range(oldest - kept, oldest), *range(oldest, position + 1)])
    theta = 10000.0 ** (-np.arange(0, D, 2) / D)

    def turned(heads: Floats, positions: npt.NDArray[np.int64]) -> Floats:
        angle = (positions[:, None] * theta)[:, None, :]
        return np.asarray(
            rotate(heads, np.cos(angle), np.sin(angle), interleaved=False), np.float64
        )

    heads = qkv.reshape(len(qkv), -1, D).astype(np.float64)
    q = turned(heads[position : position + 1, :HEADS], np.array([position]))[0]
    k = turned(heads[tokens, HEADS : HEADS + KV_HEADS], stands_at)
    v = heads[tokens, HEADS + KV_HEADS :]
    out = []
    for h in range(HEADS):
        weights = np.exp(k[:, h // 2] @ q[h] * SCALE)
        out.append(weights @ v[:, h // 2] / weights.sum())
    return np.array(out)


@pytest.mark.parametrize("sinks", [0, 3])
def test_text_far_longer_than_the_window(
    device: Device, rng: np.random.Generator, sinks: int
) -> None:
    cache = KvCache(KV_HEADS, D, CAPACITY, WINDOW, "f32")
    write = QkvRope(HEADS, cache, D, False, None, None, 0.0)
    qkv = rng.standard_normal((LENGTH, (HEADS + 2 * KV_HEADS) * D)).astype(np.float32)
    row = np.zeros((PROMPT, HEADS, D), np.float32)
    layer = Layer(device, sinks, qkv)
    layer.buffers = {
        "rope": rope_tables(D, 10000.0),
        "q": row,
        "k": np.zeros(cache.k_bytes // 4, np.uint32),
        "v": np.zeros(cache.v_bytes // 4, np.uint32),
        "partial": np.zeros((HEADS, N_SPLITS, D + 2), np.float32),
        "out": row,
    }

    def check(first: int, tokens: int) -> None:
        expected = np.array([_expected(qkv, first + t, sinks) for t in range(tokens)])
        error = np.sum((layer.out(tokens) - expected) ** 2) / np.sum(expected**2)
        assert error <= 1e-10, f"position {first}"

    layer.step(write, 0, PROMPT)
    layer.step(AttentionPrefill(HEADS, cache, SCALE), 0, PROMPT)
    check(0, PROMPT)
    for position in range(PROMPT, LENGTH):
        layer.step(write, position, 1)
        layer.step(AttentionSplit(HEADS, cache, SCALE, SPLIT, N_SPLITS), position, 1)
        layer.step(AttentionReduce(HEADS, cache, SPLIT, N_SPLITS), position, 1)
        check(position, 1)
