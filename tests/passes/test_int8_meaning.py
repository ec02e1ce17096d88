"""Int8 programs and those of short texts: quantising changes a little, the rest nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mdst.graph.graph import Graph
from mdst.models.decoder import Model
from mdst.passes.pipeline import run_passes

Array = npt.NDArray[np.float32]
Execute = Callable[..., Callable[[Graph, str], Callable[..., Array]]]
ModelOf = Callable[..., Model]

BIASES = ("attn_q.bias", "attn_k.bias", "attn_v.bias")
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", {"extras": ("rope_freqs", "attn_q.scale", "ffn_down.bias")}),
    "qwen2": ("qwen2", {"tied": True, "extras": (*BIASES, "output.bias")}),
    "qwen3": ("qwen3", {"heads": (6, 2)}),
    "heads of 16": ("llama", {"head_dim": 16}),
    "some floats": ("llama", {"types": {"attn_v": "F16", "ffn_up": "F32", "attn_output": "BF16"}}),
}


def stages(graph: Graph, phase: str) -> list[tuple[str, Graph]]:
    made: list[tuple[str, Graph]] = []
    run_passes(graph, phase, lambda name, each: made.append((name.rsplit("-", 1)[1], each.copy())))
    return made


def error(found: Array, expected: Array) -> float:
    assert found.shape == expected.shape
    return float(np.sum((found - expected) ** 2) / np.sum(expected.astype(np.float64) ** 2))


EXACT = {"fuse_records", "fuse_rope_attention", "fuse_rope_split", "split_sample"}
"""Passes that keep every bit."""
INT8 = 5e-3
"""Activations of 8 bits: the embedding has 64 values, so that little averages out."""


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    ("phase", "window"),
    [
        ("decode_short", 12),
        ("decode_short_int8", 12),
        ("decode_int8", 5),
        ("decode_logits_int8", 5),
    ],
)
def test_meaning_of_decode(
    model_of: ModelOf,
    execute: Execute,
    rng: np.random.Generator,
    name: str,
    phase: str,
    window: int,
) -> None:
    """A short program up to the last position of its reach; a long one beyond the window."""
    architecture, choices = MODELS[name]
    graph = model_of(architecture, window, **choices).graph
    start = execute(architecture, window, 2, **choices)
    tokens = rng.integers(0, 300, 12).tolist()

    def text(each: Graph) -> Array:
        run = start(each, "logits")
        return np.array([run([token], i) for i, token in enumerate(tokens)])

    before = whole = text(graph)
    for stage, each in stages(graph, phase):
        after = text(each)
        if stage in EXACT:
            np.testing.assert_array_equal(after, before, stage)
        elif stage == "quantise_inputs":
            assert 1e-9 < error(after, whole) < INT8
        else:
            assert error(after, before) < 1e-10, stage
        before = after


@pytest.mark.parametrize("name", MODELS)
def test_meaning_of_prefill(
    model_of: ModelOf, execute: Execute, rng: np.random.Generator, name: str
) -> None:
    architecture, choices = MODELS[name]
    graph = model_of(architecture, 5, **choices).graph
    start = execute(architecture, 5, 2, **choices)
    tokens = rng.integers(0, 300, 16).tolist()
    found = stages(graph, "prefill_int8")[1:]
    quantised = [stage for stage, _ in found].index("quantise_inputs")
    runs = [(stage, start(each, "hidden")) for stage, each in found]
    for a, b in [(0, 6), (6, 7), (7, 15), (15, 16)]:
        states = [(stage, run(tokens[a:b], a)) for stage, run in runs]
        whole = states[0][1]
        for i, (stage, state) in enumerate(states):
            assert error(state, whole) < (INT8 if i >= quantised else 1e-10), stage
        assert error(states[-1][1], whole) > 1e-9
