"""Runs graphs of any phase in numpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mdst.graph.graph import Graph, Value
from mdst.graph.interpret import History, Run, evaluate
from mdst.graph.ops import Carried, Constant, Embed
from mdst.models.decoder import Model

Array = npt.NDArray[np.float32]
Text = Callable[..., Array]
"""One text: (tokens, position, **carried) → the wanted output."""
Start = Callable[[Graph, str], Text]


@pytest.fixture
def execute(
    model_of: Callable[..., Model],
    tiny_model: Callable[..., Path],
    weights_of: Callable[[Path], Mapping[str, Array]],
) -> Callable[..., Start]:
    """`execute(architecture, window=…, …)(graph, wanted)` starts a text with empty caches:
    `run(tokens, position, **carried)` gives the output `wanted` of `graph`."""

    def prepare(architecture: str, window: int = 128, sinks: int = 4, **choices: Any) -> Start:
        tables = model_of(architecture, window, **choices).tables
        constants = {**weights_of(tiny_model(architecture, **choices)), **tables}

        def text(graph: Graph, wanted: str) -> Text:
            caches: dict[int, History] = {}

            def run(tokens: list[int], position: int, **carried: Array) -> Array:
                ids = np.array(tokens)
                one = Run(
                    ids, position, constants.__getitem__, lambda n, i: constants[n][i], caches,
                    sinks=sinks,
                )  # fmt: skip
                return values_of(graph, one, constants, carried)[graph.outputs[wanted]]

            return run

        return text

    return prepare


def values_of(
    graph: Graph, run: Run, constants: Mapping[str, Array], carried: Mapping[str, Array]
) -> dict[Value, Array]:
    """All values up to the sampler."""
    values: dict[Value, Array] = {}
    for node in graph:
        op = graph.op(node)
        inputs = tuple(values[v] for v in graph.inputs(node) if v in values)
        match op:
            case Constant():
                values[Value(node)] = constants[op.name]
            case Carried():
                values[Value(node)] = carried[op.name]
            case Embed():
                values[Value(node)] = inputs[1][run.tokens]
            case _ if type(op).__name__.startswith("Sample"):
                pass
            case _:
                for i, output in enumerate(evaluate(op, inputs, run)):
                    values[Value(node, i)] = output
    return values
