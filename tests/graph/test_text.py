"""The text of a graph, as built and after every pass: the goldens show what each pass does."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mdst.graph.text import operators, text
from mdst.models.decoder import Model
from mdst.passes import PIPELINES
from mdst.passes.pipeline import run_passes


@pytest.mark.parametrize("phase", PIPELINES)
def test_llama_layer(
    model_of: Callable[..., Model], golden: Callable[[str], None], phase: str
) -> None:
    stages: list[str] = []
    graph = model_of("llama", layers=1, types={"attn_v": "F16"}).graph
    run_passes(graph, phase, lambda name, stage: stages.append(f"## {name}\n{text(stage)}"))
    golden("\n".join(stages))


def test_qwen3_layer_with_biases_and_scales(
    model_of: Callable[..., Model], golden: Callable[[str], None]
) -> None:
    extras = ("attn_q.bias", "attn_k.scale", "attn_output.scale", "ffn_down.bias", "ffn_up.scale")
    graph = model_of("qwen3", layers=1, tied=True, extras=extras).graph
    golden(f"## built\n{text(graph)}\n## decode\n{text(run_passes(graph, 'decode'))}")


def test_text_does_not_depend_on_node_numbers(model_of: Callable[..., Model]) -> None:
    graph = model_of().graph
    later = graph.copy()
    for _ in range(3):
        later.add(graph.op(0))
    later.remove_dead()
    assert text(later) == text(graph)


def test_operators_are_counted_without_constants(model_of: Callable[..., Model]) -> None:
    found = operators(run_passes(model_of(layers=3).graph, "prefill"))
    assert found == {
        "Tokens": 1,
        "Embed": 1,
        "RmsNorm": 6,
        "Projection": 12,
        "QkvRope": 3,
        "Attention": 3,
    }
    assert list(found)[:2] == ["Tokens", "Embed"]
