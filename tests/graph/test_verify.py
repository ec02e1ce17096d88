"""verify() catches each way in which a graph can be broken."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mdst.errors import InternalError
from mdst.graph.graph import Graph
from mdst.graph.ops import Add, Constant, KvWrite, RmsNorm
from mdst.graph.types import TensorType
from mdst.graph.verify import verify
from mdst.models.decoder import Model
from mdst.passes.pipeline import run_passes

Break = Callable[[Graph], None]


def _no_outputs(graph: Graph) -> None:
    graph.outputs = {}


def _lost_output(graph: Graph) -> None:
    graph._nodes.remove_node(graph.outputs["token"].node)


def _cycle(graph: Graph) -> None:
    sums = [node for node in graph if isinstance(graph.op(node), Add)]
    graph._nodes.add_edge(sums[-1], sums[0], output=0, slot=2)


def _stale_types(graph: Graph) -> None:
    node = next(node for node in graph if isinstance(graph.op(node), Add))
    graph._nodes.nodes[node]["types"] = (TensorType((1, 7)),)


def _ill_typed(graph: Graph) -> None:
    node = next(node for node in graph if isinstance(graph.op(node), Add))
    graph._nodes.nodes[node]["op"] = RmsNorm(1e-5)


def _two_types(graph: Graph) -> None:
    graph.add(Constant("output_norm.weight", TensorType((65,))))


def _written_twice(graph: Graph) -> None:
    node = next(node for node in graph if isinstance(graph.op(node), KvWrite))
    graph.add(graph.op(node), *graph.inputs(node))


BROKEN: list[tuple[Break, str]] = [
    (_no_outputs, "has outputs"),
    (_lost_output, "token is gone"),
    (_cycle, "cycle"),
    (_stale_types, "stale types"),
    (_ill_typed, "spans the last axis"),
    (_two_types, "two types of constant output_norm.weight"),
    (_written_twice, "cache is written twice"),
]


@pytest.mark.parametrize(("damage", "message"), BROKEN, ids=lambda x: getattr(x, "__name__", ""))
def test_damage_is_found(model_of: Callable[..., Model], damage: Break, message: str) -> None:
    graph = model_of().graph.copy()
    verify(graph)
    damage(graph)
    with pytest.raises(InternalError, match=message):
        verify(graph)


@pytest.mark.parametrize(
    ("phase", "name"),
    [
        ("prefill", "QkvRope"),
        ("decode_short", "RopeAttention"),
        ("decode", "RopeAttentionSplit"),
    ],
)
def test_the_write_of_a_fused_step_counts(
    model_of: Callable[..., Model], phase: str, name: str
) -> None:
    graph = run_passes(model_of().graph, phase)
    node = next(n for n in graph if type(graph.op(n)).__name__ == name)
    graph.add(graph.op(node), *graph.inputs(node))
    with pytest.raises(InternalError, match="written twice"):
        verify(graph)


def test_a_pass_that_breaks_the_graph_is_caught(
    model_of: Callable[..., Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    def bad(graph: Graph) -> Graph:
        result = graph.copy()
        _stale_types(result)
        return result

    monkeypatch.setattr("mdst.passes.pipeline.PIPELINES", {"decode": (bad,)})
    with pytest.raises(InternalError, match=r"decode: node .* has stale types"):
        run_passes(model_of().graph, "decode")
