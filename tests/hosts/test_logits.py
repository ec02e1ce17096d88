"""All hosts compute the same logits, whatever the weights, the chunks and the slices."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mdst.bundle.reader import Bundle
from mdst.codegen.tiers import FLOAT_TIERS
from mdst.errors import UsageError
from mdst.hosts.host import Host, Request
from mdst.hosts.numpy_host import NumpyHost

Compiled = Callable[..., Bundle]
TinyModel = Callable[..., Path]
HostOf = Callable[[Bundle, str], Host]
OTHERS = [*FLOAT_TIERS, "wasm-base", "wasm-base-threads-2"]
EXACT = {tier: 1e-10 for tier in FLOAT_TIERS} | {"wasm-base": 1e-6, "wasm-base-threads-2": 1e-6}
"""Bounds for float32 caches: WASM keeps activations as 16-bit integers."""
Logits = npt.NDArray[np.float32]

K_QUANTS = {
    "type": "Q4_K",
    "types": {"attn_v": "Q6_K", "ffn_down": "Q5_K", "output": "Q6_K", "attn_q": "F16"},
    "embedding": 256,
    "ff": 256,
    "head_dim": 64,
}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", {"vocabulary": 1050}),
    "K-quants": ("llama", K_QUANTS),
    "scales": (
        "llama",
        {
            "types": {"ffn_gate": "Q4_0", "attn_v": "BF16"},
            "extras": (
                *("rope_freqs", "attn_q.scale", "attn_k.bias", "attn_output.scale"),
                *("attn_output.bias", "ffn_gate.bias", "ffn_up.scale", "ffn_down.bias"),
            ),
        },
    ),
    "qwen2": (
        "qwen2",
        {"tied": True, "extras": ("attn_q.bias", "attn_k.bias", "attn_v.bias", "output.bias")},
    ),
    "qwen3": ("qwen3", {"heads": (6, 2), "type": "F32"}),
}


def error(found: Logits, expected: Logits) -> float:
    difference = found.astype(np.float64) - expected
    return float(np.sum(difference**2) / np.sum(expected.astype(np.float64) ** 2))


def tokens(count: int, seed: int = 3) -> list[int]:
    return [int(id) for id in np.random.default_rng(seed).integers(0, 300, count)]


def after_prefill(host: Host, ids: list[int]) -> Logits:
    host.start(Request())
    host.prefill(ids)
    return host.logits().copy()


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("tier", OTHERS)
@pytest.mark.parametrize(("kv", "bound"), [("f32", 0), ("f16", 1e-5)])
def test_prefill_and_decode(
    compiled: Compiled,
    tiny_model: TinyModel,
    host_of: HostOf,
    name: str,
    tier: str,
    kv: str,
    bound: float,
) -> None:
    architecture, choices = MODELS[name]
    bound = bound or EXACT[tier]
    bundle = compiled(tiny_model(architecture, **choices), kv=kv)
    witness, host = host_of(bundle, "numpy"), host_of(bundle, tier)
    ids = tokens(20)
    expected = after_prefill(witness, ids)
    assert error(after_prefill(host, ids), expected) <= bound
    for id in tokens(3, seed=4):
        expected = witness.decode_logits(id)
        assert error(host.decode_logits(id), expected) <= bound
    # The same tokens by decoding alone: both programs agree.
    host.start(Request())
    rows = [host.decode_logits(id) for id in (*ids, *tokens(3, seed=4))]
    assert error(rows[-1], expected) <= bound


def test_f16_really_rounds(compiled: Compiled, tiny_model: TinyModel, host_of: HostOf) -> None:
    ids = tokens(20)
    f16, f32 = (
        after_prefill(host_of(compiled(tiny_model(vocabulary=1050), kv=kv), "numpy"), ids)
        for kv in ("f16", "f32")
    )
    assert 1e-12 < error(f16, f32) < 1e-5


@pytest.mark.parametrize("tier", OTHERS)
@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 16, 17, 30])
def test_prompts_of_any_number_of_chunks(
    compiled: Compiled, tiny_model: TinyModel, host_of: HostOf, tier: str, count: int
) -> None:
    bundle = compiled(tiny_model(), kv="f32", chunk=8)
    assert bundle.manifest.context.chunk == 8
    ids = tokens(count)
    expected = after_prefill(host_of(bundle, "numpy"), ids)
    assert error(after_prefill(host_of(bundle, tier), ids), expected) <= EXACT[tier]


@pytest.mark.parametrize("name", ["numpy", *OTHERS])
def test_a_prompt_in_two_parts(
    compiled: Compiled, tiny_model: TinyModel, host_of: HostOf, name: str
) -> None:
    host = host_of(compiled(tiny_model(), kv="f32", chunk=8), name)
    whole = after_prefill(host, tokens(21))
    host.start(Request())
    host.prefill(tokens(21)[:13])
    host.prefill(tokens(21)[13:])
    assert host.position == 21
    assert error(host.logits(), whole) <= 1e-12


@pytest.mark.parametrize("tier", OTHERS)
@pytest.mark.parametrize(
    "choices",
    [
        {"ff": 512, "head_dim": 16, "heads": (16, 4), "embedding": 256, "vocabulary": 1050},
        {"ff": 512, "head_dim": 16, "embedding": 128, "vocabulary": 1050, "tied": True}
        | {"extras": ("attn_q.bias", "attn_k.scale", "ffn_up.bias", "ffn_gate.scale")},
    ],
    ids=["large", "tied"],
)
def test_sliced_weights(
    compiled: Compiled, tiny_model: TinyModel, host_of: HostOf, tier: str, choices: dict[str, Any]
) -> None:
    path = tiny_model("llama", **choices)
    whole, sliced = compiled(path, kv="f32"), compiled(path, kv="f32", max_binding=1 << 16)
    steps = [
        len(next(p for p in b.tier("base").programs if p.name == "decode").steps)
        for b in (whole, sliced)
    ]
    assert steps[0] < steps[1]
    ids = tokens(20)
    expected = after_prefill(host_of(whole, "numpy"), ids)
    assert np.array_equal(after_prefill(host_of(sliced, "numpy"), ids), expected)
    assert error(after_prefill(host_of(sliced, tier), ids), expected) <= EXACT[tier]
    found = host_of(sliced, tier).decode_logits(7)
    assert error(found, host_of(sliced, "numpy").decode_logits(7)) <= EXACT[tier]


@pytest.mark.parametrize("name", ["numpy", *OTHERS])
def test_prompts_that_make_no_sense(
    compiled: Compiled, tiny_model: TinyModel, host_of: HostOf, name: str
) -> None:
    host = host_of(compiled(tiny_model(), context=32), name)
    host.start(Request())
    for ids, id in (
        (tokens(33), "RUN001"),
        ([], "RUN002"),
        ([5, 300], "RUN003"),
        ([-1], "RUN003"),
        ([2**32], "RUN003"),
    ):
        with pytest.raises(UsageError) as error:
            host.prefill(ids)
        assert error.value.id == id
    assert host.tokens == []
    assert host.position == 0
    host.prefill(tokens(30))
    with pytest.raises(UsageError, match="context_length_exceeded: 33 tokens"):
        host.prefill(tokens(3))
    with pytest.raises(UsageError, match="token id 300"):
        host.decode_logits(300)
    host.prefill(tokens(2))


def test_numpy_keeps_few_decoded_weights(
    compiled: Compiled,
    tiny_model: TinyModel,
    host_of: HostOf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bundle = compiled(tiny_model(), kv="f32")
    expected = after_prefill(host_of(bundle, "numpy"), tokens(9))
    monkeypatch.setattr("mdst.hosts.numpy_host._CACHE_BYTES", 100_000)
    host = NumpyHost(bundle)
    assert np.array_equal(after_prefill(host, tokens(9)), expected)
    assert sum(array.nbytes for array in host._decoded.values()) <= 100_000
