"""A graph survives JSON; what is no graph is refused as malformed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from mdst.errors import MalformedError
from mdst.graph.serial import from_data, to_data
from mdst.graph.text import text
from mdst.graph.verify import verify
from mdst.models.decoder import Model
from mdst.passes import PIPELINES
from mdst.passes.pipeline import run_passes


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "qwen3"])
def test_round_trip_as_built_and_after_each_pipeline(
    model_of: Callable[..., Model], architecture: str
) -> None:
    graph = model_of(architecture, extras=("attn_q.bias", "ffn_up.scale")).graph
    for each in (graph, *(run_passes(graph, phase) for phase in PIPELINES)):
        again = from_data(json.loads(json.dumps(to_data(each))))
        verify(again)
        assert text(again) == text(each)
        assert to_data(again) == to_data(each)
        assert [again.op(node) for node in again] == [each.op(node) for node in each]


Change = Callable[[dict[str, Any]], None]

DAMAGE: dict[str, Change] = {
    "no nodes": lambda d: d.pop("nodes"),
    "no outputs": lambda d: d.pop("outputs"),
    "no label": lambda d: d["nodes"][3].pop("label"),
    "unknown operator": lambda d: d["nodes"][3]["op"].update({"class": "Nope"}),
    "a part is no operator": lambda d: d["nodes"][3]["op"].update({"class": "Rotary"}),
    "unknown attribute": lambda d: d["nodes"][3]["op"].update({"nope": 1}),
    "nodes is a number": lambda d: d.update(nodes=3),
    "input out of range": lambda d: d["nodes"][-1].update(inputs=[[999, 0]]),
    "no such output": lambda d: d["nodes"][-1].update(inputs=[[0, 7]]),
    "input is no pair": lambda d: d["nodes"][-1].update(inputs=[0]),
    "output out of range": lambda d: d["outputs"].update(token=[999, 0]),
    "too few inputs": lambda d: d["nodes"][-1].update(inputs=[]),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_what_is_no_graph_is_refused(model_of: Callable[..., Model], name: str) -> None:
    data = json.loads(json.dumps(to_data(model_of().graph)))
    DAMAGE[name](data)
    with pytest.raises(MalformedError):
        from_data(data)


@pytest.mark.parametrize("data", [None, 3, [], {}, "graph", {"name": "x", "nodes": [1]}])
def test_other_data_is_refused(data: Any) -> None:
    with pytest.raises(MalformedError):
        from_data(data)


MORE_DAMAGE: dict[str, Change] = {
    "operator is no operator": lambda d: d["nodes"][3].update(op=7),
    "types do not fit": lambda d: d["nodes"][-1].update(inputs=[[0, 0]]),
    "outputs is a list": lambda d: d.update(outputs=[]),
    "output of a node that has fewer": lambda d: d["outputs"].update(token=[0, 9]),
    "input before the first": lambda d: d["nodes"][-1].update(inputs=[[-1, 0]]),
}


@pytest.mark.parametrize("name", MORE_DAMAGE)
def test_a_graph_that_makes_no_sense_is_refused(model_of: Callable[..., Model], name: str) -> None:
    data = json.loads(json.dumps(to_data(model_of().graph)))
    MORE_DAMAGE[name](data)
    with pytest.raises(MalformedError):
        from_data(data)
