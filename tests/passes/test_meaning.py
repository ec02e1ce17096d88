"""No pass changes what a graph means: numpy gives the same before and after each, over several runs
that share the cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mdst.graph.graph import Graph
from mdst.graph.text import text
from mdst.models.decoder import Model
from mdst.passes.cut import keep_head, keep_layers, keep_logits
from mdst.passes.pipeline import run_passes

Array = npt.NDArray[np.float32]
Execute = Callable[..., Callable[[Graph, str], Callable[..., Array]]]

MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", {"extras": ("rope_freqs",)}),
    "qwen2": (
        "qwen2",
        {"tied": True, "extras": ("attn_q.bias", "attn_k.bias", "attn_v.bias", "output.bias")},
    ),
    "qwen3": ("qwen3", {"heads": (6, 2), "head_dim": 16}),
    "scales": (
        "llama",
        {
            "extras": (
                "attn_q.scale",
                "attn_q.bias",
                "attn_v.scale",
                "attn_output.bias",
                "attn_output.scale",
                "ffn_gate.bias",
                "ffn_up.scale",
                "ffn_down.scale",
            )
        },
    ),
}
MANY = [(0, 6), (6, 7), (7, 15), (15, 16)]
"""First and last token of each run."""
SINGLE = [(i, i + 1) for i in range(12)]


def error(found: Array, expected: Array) -> float:
    assert found.shape == expected.shape
    return float(np.sum((found - expected) ** 2) / np.sum(expected.astype(np.float64) ** 2))


def stages(graph: Graph, phase: str) -> list[tuple[str, Graph]]:
    found: list[tuple[str, Graph]] = []
    run_passes(graph, phase, lambda name, each: found.append((name, each.copy())))
    return found


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("window", "sinks"), [(128, 4), (5, 2)])
@pytest.mark.parametrize("phase", ["decode", "decode_logits"])
def test_each_pass_of_decode(
    model_of: Callable[..., Model],
    execute: Execute,
    rng: np.random.Generator,
    name: str,
    window: int,
    sinks: int,
    phase: str,
) -> None:
    architecture, choices = MODELS[name]
    model = model_of(architecture, window, **choices)
    start = execute(architecture, window, sinks, **choices)
    tokens = rng.integers(0, 300, 16).tolist()
    before = start(model.graph, "logits")
    expected = [before(tokens[a:b], a) for a, b in SINGLE]
    after_each = stages(model.graph, phase)
    assert len(after_each) >= 8
    for stage, graph in after_each:
        run = start(graph, "logits")
        found = [run(tokens[a:b], a) for a, b in SINGLE]
        assert error(np.array(found), np.array(expected)) < 1e-10, stage


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("window", "sinks"), [(128, 4), (5, 2)])
def test_each_pass_of_prefill(
    model_of: Callable[..., Model],
    execute: Execute,
    rng: np.random.Generator,
    name: str,
    window: int,
    sinks: int,
) -> None:
    architecture, choices = MODELS[name]
    model = model_of(architecture, window, **choices)
    start = execute(architecture, window, sinks, **choices)
    tokens = rng.integers(0, 300, 16).tolist()
    whole, cut = start(model.graph, "logits"), start(keep_layers(model.graph), "hidden")
    layers = stages(model.graph, "prefill")[1:]
    heads = stages(model.graph, "prefill_logits")[1:]
    runs = [(stage, start(graph, "hidden")) for stage, graph in layers]
    assert len(layers) == len(heads) - 2 == 6
    for a, b in MANY:
        logits, hidden = whole(tokens[a:b], a), cut(tokens[a:b], a)
        assert hidden.shape == (b - a, 64)
        for stage, run in runs:
            assert error(run(tokens[a:b], a), hidden) < 1e-10, stage
        for stage, graph in heads:
            found = start(graph, "logits")(tokens[a:b], a, hidden=hidden)
            assert error(found, logits) < 1e-10, stage


def test_seams_fit(model_of: Callable[..., Model]) -> None:
    graph = model_of().graph
    hidden = keep_layers(graph)
    head = keep_head(graph)
    carried = next(op for node in head if type(op := head.op(node)).__name__ == "Carried")
    assert carried.infer() == (hidden.type(hidden.outputs["hidden"]),)
    assert list(keep_logits(graph).outputs) == ["logits"]


@pytest.mark.parametrize(
    "phase", ["prefill", "prefill_logits", "decode", "decode_logits", "sample"]
)
def test_the_given_graph_is_left_as_it_was(model_of: Callable[..., Model], phase: str) -> None:
    graph = model_of("qwen3", extras=("attn_q.bias",)).graph
    before = text(graph)
    assert text(run_passes(graph, phase)) != before
    assert text(graph) == before
