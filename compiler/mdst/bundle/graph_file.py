"""graph.json: the graph as built, and where each of its tensors lies in the weight buffers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ..errors import MalformedError
from ..graph.graph import Graph
from ..graph.serial import from_data, to_data
from ..schedule.weight_plan import Form, WeightPlan


@dataclass(frozen=True, slots=True)
class StoredPiece:
    """`rows` rows of a tensor from `first_row` on, at byte `offset` of weight buffer number
    `buffer`, in one of the forms of schedule/weight_plan.py."""

    buffer: int
    offset: int
    size: int
    first_row: int
    rows: int
    form: Form


def graph_json(graph: Graph, plan: WeightPlan) -> str:
    tensors: dict[str, list[tuple[int | str, ...]]] = {}
    for region in plan.regions:
        for p in region.pieces:
            start = region.offset + p.offset
            place = (region.buffer, start, p.size, p.first_row, p.rows, p.form)
            tensors.setdefault(p.tensor, []).append(place)
    data = {"graph": to_data(graph), "tensors": tensors}
    return json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def parse_graph(text: str) -> tuple[Graph, dict[str, list[StoredPiece]]]:
    """Raises MalformedError when `text` is no graph.json."""
    try:
        data: Any = json.loads(text)
        tensors = {
            name: [StoredPiece(*place) for place in places]
            for name, places in data["tensors"].items()
        }
        graph = data["graph"]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise MalformedError("MANIFEST003", f"graph.json is not valid: {error}") from error
    return from_data(graph), tensors
