"""A plan as text, for `--dump`: buffers, weight regions, and the arena step by step."""

from __future__ import annotations

from ..quant.grids import grid_bytes
from .limits import align
from .liveness import steps
from .plan import Plan, PlannedProgram


def plan_text(plan: Plan) -> str:
    """Sizes and offsets in bytes."""
    lines = ["buffers"]
    lines += [f"  {name:<12} {size:>12}" for name, size in plan.buffers.items()]
    lines.append("weights")
    for region in plan.weights.regions:
        lines.append(f"  weights{region.buffer} + {region.offset}: {region.size}")
        lines += [
            f"    + {p.offset:<10} {p.size:>10}  {p.tensor} {p.type} rows {p.first_row} + {p.rows}"
            for p in region.pieces
        ]
        lines += [
            f"    + {start:<10} {grid_bytes(name):>10}  code book {name}"
            for name, start in region.grids
        ]
    for program in plan.programs:
        lines += _program(program)
    return "\n".join(lines) + "\n"


def _program(program: PlannedProgram) -> list[str]:
    lines = [f"program {program.name} ({program.tokens} tokens)"]
    order = steps(program.graph)
    places = sorted(program.places.items(), key=lambda item: (order.index(item[0].node), item[0]))
    for value, view in places:
        label = program.graph.label(value.node)
        lines.append(f"  {view.buffer} + {view.offset:<10} {align(view.size):>10}  {label}")
    return lines
