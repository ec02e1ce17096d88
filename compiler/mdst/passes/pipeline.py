"""Runs a phase's passes, verifying the graph after each and dumping it where that is wanted."""

from __future__ import annotations

from collections.abc import Callable

from ..graph.graph import Graph
from ..graph.verify import verify
from . import PIPELINES

Observer = Callable[[str, Graph], None]
"""Called with the name of each stage and the graph after it."""


def run_passes(graph: Graph, phase: str, observe: Observer | None = None) -> Graph:
    """`graph` specialised for `phase`, a key of PIPELINES."""
    verify(graph)
    if observe:
        observe(f"{phase}-00-input", graph)
    for number, each in enumerate(PIPELINES[phase], 1):
        graph = each(graph)
        graph.name = phase
        verify(graph)
        graph.remove_dead()
        if observe:
            observe(f"{phase}-{number:02}-{each.__name__}", graph)
    return graph
