"""What a graph means in numpy, against a decoder written out in float64 here: every token at once,
no cache, cosines and sines by numpy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest

from mdst.graph.graph import Graph
from mdst.graph.interpret import History, Run, interpret
from mdst.graph.ops import Attention, Cache, Constant, KvWrite, Rotary, SiluMul
from mdst.graph.types import TensorType
from mdst.models.decoder import Model
from mdst.rope import rope_tables

Floats = npt.NDArray[np.float64]
Weights = dict[str, npt.NDArray[Any]]
EPSILON = 1e-5


def norm(x: Floats, weight: npt.NDArray[Any]) -> Floats:
    out: Floats = x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + EPSILON) * weight
    return out


def linear(x: Floats, weights: Weights, name: str) -> Floats:
    y: Floats = x @ weights[f"{name}.weight"].T.astype(np.float64)
    y = y * weights.get(f"{name}.scale", np.ones(1))
    return y + weights.get(f"{name}.bias", np.zeros(1))


def turn(head: Floats, position: int, interleaved: bool, factors: npt.NDArray[Any]) -> Floats:
    """One head [D] turned to `position`, pair by pair."""
    out = head.copy()
    half = head.size // 2
    for d in range(half):
        angle = position * 10000.0 ** (-2 * d / head.size) / float(factors[d])
        i, j = (2 * d, 2 * d + 1) if interleaved else (d, d + half)
        out[i] = head[i] * np.cos(angle) - head[j] * np.sin(angle)
        out[j] = head[i] * np.sin(angle) + head[j] * np.cos(angle)
    return out


def attend(
    q: Floats,
    k: Floats,
    v: Floats,
    rotate: Callable[[Floats, int], Floats],
    window: int,
    sinks: int,
) -> Floats:
    """q [T, heads, D], k and v [T, kv heads, D], all unrotated → [T, heads · D]."""
    out = np.zeros_like(q)
    group = q.shape[1] // k.shape[1]
    for i in range(q.shape[0]):
        oldest = max(0, i - window + 1)
        kept = min(oldest, sinks)
        # (token, position it stands at)
        seen = [(t, oldest - kept + t) for t in range(kept)]
        seen += [(j, j) for j in range(oldest, i + 1)]
        for h in range(q.shape[1]):
            query = rotate(q[i, h], i)
            scores = np.array([query @ rotate(k[t, h // group], place) for t, place in seen])
            p = np.exp((scores - scores.max()) / np.sqrt(q.shape[2]))
            out[i, h] = (p / p.sum()) @ np.array([v[t, h // group] for t, _ in seen])
    return out.reshape(q.shape[0], -1)


def reference(model: Model, weights: Weights, tokens: list[int], sinks: int, window: int) -> Floats:
    """Logits [T, vocabulary] after each token."""
    config = model.config
    factors = weights.get("rope_freqs.weight", np.ones(config.head_dim // 2))

    def rotate(head: Floats, position: int) -> Floats:
        return turn(head, position, config.architecture == "llama", factors)

    x: Floats = weights["token_embd.weight"][tokens].astype(np.float64)
    for layer in range(config.n_layers):
        b = f"blk.{layer}."
        h = norm(x, weights[f"{b}attn_norm.weight"])
        q, k, v = (
            linear(h, weights, f"{b}attn_{n}").reshape(len(tokens), -1, config.head_dim)
            for n in "qkv"
        )
        if config.architecture == "qwen3":
            q = norm(q, weights[f"{b}attn_q_norm.weight"])
            k = norm(k, weights[f"{b}attn_k_norm.weight"])
        x = x + linear(attend(q, k, v, rotate, window, sinks), weights, f"{b}attn_output")
        h = norm(x, weights[f"{b}ffn_norm.weight"])
        gate, up = (linear(h, weights, f"{b}ffn_{n}") for n in ("gate", "up"))
        x = x + linear(gate / (1 + np.exp(-gate)) * up, weights, f"{b}ffn_down")
    head = "output" if "output.weight" in weights else "token_embd"
    logits = norm(x, weights["output_norm.weight"]) @ weights[f"{head}.weight"].T.astype(np.float64)
    return logits + weights.get("output.bias", np.zeros(1))


def runner(
    model: Model, weights: Weights, kv: Literal["f16", "f32"], sinks: int
) -> Callable[[list[int], int], npt.NDArray[np.float32]]:
    """`run(tokens, position)`: logits of the last of them, by interpretation."""
    caches: dict[int, History] = {}

    def constant(name: str) -> npt.NDArray[np.float32]:
        return {**model.tables, **weights}[name]

    def run(tokens: list[int], position: int) -> npt.NDArray[np.float32]:
        one = Run(
            np.array(tokens), position, constant, lambda n, i: weights[n][i], caches, kv, sinks
        )
        row: npt.NDArray[np.float32] = interpret(model.graph, one, "logits")[0]
        return row

    return run


MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", {}),
    "llama with factors": ("llama", {"extras": ("rope_freqs", "attn_output.scale", "ffn_up.bias")}),
    "tied": ("llama", {"tied": True, "heads": (3, 3), "type": "Q4_0"}),
    "one kv head": ("llama", {"heads": (4, 1), "layers": 1, "type": "F16"}),
    "qwen2": ("qwen2", {"extras": ("attn_q.bias", "attn_k.bias", "attn_v.bias", "output.bias")}),
    "qwen3": ("qwen3", {"type": "F32"}),
}


def error(found: npt.NDArray[Any], expected: npt.NDArray[Any]) -> float:
    return float(np.sum((found - expected) ** 2) / np.sum(expected.astype(np.float64) ** 2))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("window", "sinks"), [(128, 4), (7, 0), (7, 3)])
def test_logits_over_several_runs(
    model_of: Callable[..., Model],
    tiny_model: Callable[..., Path],
    weights_of: Callable[[Path], Weights],
    rng: np.random.Generator,
    name: str,
    window: int,
    sinks: int,
) -> None:
    architecture, choices = MODELS[name]
    model = model_of(architecture, window, **choices)
    weights = weights_of(tiny_model(architecture, **choices))
    tokens = [int(t) for t in rng.integers(0, 300, 20)]
    expected = reference(model, weights, tokens, sinks, window)
    run = runner(model, weights, "f32", sinks)
    for first, last in [(0, 6), (6, 7), (7, 17), (17, 18), (18, 20)]:
        assert error(run(tokens[first:last], first), expected[last - 1]) < 1e-10


def test_f16_cache_rounds_keys_and_values(
    model_of: Callable[..., Model],
    tiny_model: Callable[..., Path],
    weights_of: Callable[[Path], Weights],
    rng: np.random.Generator,
) -> None:
    model, weights = model_of(), weights_of(tiny_model())
    tokens = [int(t) for t in rng.integers(0, 300, 12)]
    expected = reference(model, weights, tokens, 4, 128)[-1]
    assert 1e-10 < error(runner(model, weights, "f16", 4)(tokens, 0), expected) < 1e-5


def test_going_back_overwrites_what_was_seen(
    model_of: Callable[..., Model],
    tiny_model: Callable[..., Path],
    weights_of: Callable[[Path], Weights],
) -> None:
    weights = weights_of(tiny_model())
    run, fresh = (runner(model_of(window=5), weights, "f32", 2) for _ in range(2))
    run([5, 6, 7, 8, 9, 10, 11], 0)
    run([12, 13], 7)
    fresh([5, 6, 7, 8], 0)
    assert run([20], 4).tolist() == fresh([20], 4).tolist()


def test_order_of_cache_and_attention_comes_from_the_graph(rng: np.random.Generator) -> None:
    # Two layers that share nothing: each attends to its own cache.
    rotary = Rotary(8, 8, False)
    table = rope_tables(8, 10000.0)
    data = {f"{n}{i}": rng.normal(size=(3, 8)).astype(np.float32) for n in "qkv" for i in "01"}
    graph = Graph("two")
    for layer in (0, 1):
        cache = Cache(layer, 1, 8, 16, sinks=True)
        q, k, v = (graph.add(Constant(f"{n}{layer}", TensorType(("T", 8)))) for n in "qkv")
        turned = graph.add(Constant("table", TensorType(table.shape)))
        kv = graph.add(KvWrite(cache, rotary), k, v, turned)
        graph.outputs[f"out{layer}"] = graph.add(Attention(cache, 1.0), q, kv)

    def out(name: str) -> npt.NDArray[np.float32]:
        constants = {**data, "table": table}
        run = Run(np.arange(3), 0, constants.__getitem__, lambda n, i: constants[n], {})
        return interpret(graph, run, name)

    for i in "01":
        # The first token sees itself alone.
        assert out(f"out{i}")[0] == pytest.approx(data[f"v{i}"][0], rel=1e-6)
    assert not np.allclose(out("out0")[2], out("out1")[2])


def test_silu_of_large_values_neither_overflows_nor_warns() -> None:
    graph = Graph("silu")
    gate, up = (graph.add(Constant(n, TensorType(("T", 4)))) for n in ("gate", "up"))
    graph.outputs["out"] = graph.add(SiluMul(), gate, up)
    values = {
        "gate": np.array([[-1e30, -90, 0, 1e30]], np.float32),
        "up": np.array([[1, 1, 1, 1]], np.float32),
    }
    run = Run(np.arange(1), 0, values.__getitem__, lambda n, i: values[n], {})
    with np.errstate(all="raise", under="ignore"):
        found = interpret(graph, run, "out")[0]
    assert found[:3] == pytest.approx([0, 0, 0], abs=1e-6)
    assert found[3] == np.float32(1e30)


def test_an_unknown_output_is_an_error(model_of: Callable[..., Model]) -> None:
    nothing = np.zeros((1, 64), np.float32)
    run = Run(np.arange(1), 0, lambda name: nothing, lambda name, rows: nothing, {})
    with pytest.raises(KeyError):
        interpret(model_of().graph, run, "nope")
