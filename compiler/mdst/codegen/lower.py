"""Nodes → dispatches: the one table from operators to kernels.

Most nodes are one dispatch; a projection or embedding whose weight was cut into slices is one per
region (or per four, for the embedding).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from ..errors import InternalError
from ..graph.fused import (
    Projection,
    Quantise,
    RecordedNorm,
    SamplePrepare,
    SampleSelect,
)
from ..graph.graph import Value
from ..graph.ops import Embed, Op, RmsNorm
from ..options import KvFormat
from ..quant.layout import CHUNK
from ..schedule.limits import MAX_BINDINGS
from ..schedule.liveness import WORD, steps
from ..schedule.plan import Plan, PlannedProgram, View
from ..schedule.weight_plan import Region
from . import kernels
from .dispatch import Dispatch
from .kernel import KernelParams
from .kernels.emit import Emit
from .lower_attention import ATTENTION_RULES
from .part import Part
from .regions import is_interleaved, part, region_view, vector_offset, whole_region
from .use import Use

_EMBED_SLICES = 4
"""Slices of a table that one embedding kernel binds."""


def lower(program: PlannedProgram, plan: Plan, kv: KvFormat) -> list[Dispatch]:
    """All dispatches of a program in order."""
    found: list[Dispatch] = []
    for node in steps(program.graph):
        op = program.graph.op(node)
        found += _RULES[type(op)](Use(program, plan, node, kv), op)
    for dispatch in found:
        if len(dispatch.views) > MAX_BINDINGS:
            raise InternalError("LOWER003", f"{dispatch.label} has {len(dispatch.views)} bindings")
    return found


def _embed(use: Use, op: Embed) -> Iterator[Dispatch]:
    table = use.inputs[1]
    name = use.constant(table)
    vocab, width = use.sizes(table)
    regions = use.plan.weights.regions_of(name)
    order = use.interleaved(Value(use.node))
    for i in range(0, len(regions), _EMBED_SLICES):
        some = regions[i : i + _EMBED_SLICES]
        slices = tuple((_first_row(region, name), part(region, name)) for region in some)
        params = kernels.Embed(slices, vocab, width, use.plan.sizes.window, order)
        views = (region_view(region) for region in some)
        yield use.dispatch(params, use.buffer("tokens"), *views, use.out())


def _first_row(region: Region, tensor: str) -> int:
    piece = region.piece(tensor)
    assert piece is not None
    return piece.first_row


def _rms_norm(use: Use, op: RmsNorm | RecordedNorm) -> Iterator[Dispatch]:
    x, weight = use.inputs
    name = use.constant(weight)
    region = whole_region(use.plan.weights, name)
    order = is_interleaved(region, name)
    record = isinstance(op, RecordedNorm)
    offset = vector_offset(region, name)
    params = kernels.RmsNorm(use.width(x), op.epsilon, offset, order, record)
    yield use.dispatch(params, region_view(region), use.view(x), use.out())


def _projection(use: Use, op: Projection) -> Iterator[Dispatch]:
    inputs = use.inputs
    norm, x = op.norm_weight(inputs), inputs[0]
    weights = [
        (use.constant(w), use.maybe(scale), use.maybe(bias))
        for w, scale, bias in op.weights(inputs)
    ]
    regions: list[Region] = []
    for name, _, _ in weights:
        regions += [r for r in use.plan.weights.regions_of(name) if r not in regions]
    column, width = 0, use.width(Value(use.node))
    for region in regions:
        parts = tuple(part(region, *w) for w in weights if region.piece(w[0]) is not None)
        rows = parts[0].rows if op.gated else sum(p.rows for p in parts)
        residual = op.residual_of(inputs)
        outs = [use.view(residual)] if residual is not None else []
        plain = op.record is None or use.used(Value(use.node))
        outs += [use.out()] if plain else []
        columns = [_columns(view, column, width, rows, use) for view in outs]
        if op.int8:
            emit, tail = use.emit(op.record, width // CHUNK, column // CHUNK)
            own = None if norm is None else vector_offset(region, use.constant(norm), "plain")
            params = _linear_int8(use, op, parts, width, plain, emit, own)
            columns += tail
        else:
            params = _linear(use, op, region, parts, use.maybe(norm), width)
        yield use.dispatch(params, region_view(region), use.view(x), *columns)
        column += rows


def _linear_int8(
    use: Use,
    op: Projection,
    parts: tuple[Part, ...],
    width: int,
    plain: bool,
    emit: Emit | None,
    own: int | None,
) -> KernelParams:
    glu: Literal["silu"] | None = "silu" if op.gated else None
    if use.program.graph.type(Value(use.node)).shape[0] == 1:
        return kernels.MatVecInt8.plan(
            parts,
            norm=op.norm,
            residual=op.residual,
            glu=glu,
            plain=plain,
            emit=emit,
            own_gamma=own,
        )
    tokens = use.program.tokens
    return kernels.MatMulInt8.plan(parts, tokens, residual=op.residual, glu=glu, out_stride=width)


def _linear(
    use: Use,
    op: Projection,
    region: Region,
    parts: tuple[Part, ...],
    norm: str | None,
    width: int,
) -> KernelParams:
    glu: Literal["silu"] | None = "silu" if op.gated else None
    tokens = 1 if op.last_row else use.program.tokens
    if tokens == 1 or use.program.graph.type(Value(use.node)).shape[0] == 1:
        scaled = (
            kernels.Norm(vector_offset(region, norm), op.norm)
            if norm is not None and op.norm is not None
            else None
        )
        vectors = {"x": use.inputs[0], "out": Value(use.node)}
        if op.residual:
            vectors["residual"] = use.inputs[-1]
        orders = {name for name, value in vectors.items() if use.interleaved(value)}
        if norm is not None and is_interleaved(region, norm):
            orders.add("gamma")
        return kernels.MatVec.plan(
            parts,
            norm=scaled,
            residual=op.residual,
            glu=glu,
            last_row=op.last_row,
            interleaved=frozenset(orders),
        )
    return kernels.MatMul.plan(parts, tokens, residual=op.residual, glu=glu, out_stride=width)


def _columns(view: View, first: int, width: int, rows: int, use: Use) -> View:
    """The part of an output [T, width] that a slice of rows writes, from column `first` on."""
    if first == 0 and rows == width:
        return view
    return View(view.buffer, view.offset + WORD * first, view.size - WORD * first)


def _quantise(use: Use, op: Quantise) -> Iterator[Dispatch]:
    x, *gammas = use.inputs
    orders = {"x"} if use.interleaved(x) else set()
    offset, weights = None, []
    if gammas:
        name = use.constant(gammas[0])
        region = whole_region(use.plan.weights, name)
        offset, weights = vector_offset(region, name), [region_view(region)]
        orders |= {"gamma"} if is_interleaved(region, name) else set()
    params = kernels.Quantise(use.width(x), offset, frozenset(orders))
    yield use.dispatch(params, *weights, use.view(x), use.out())


def _sample_prepare(use: Use, op: SamplePrepare) -> Iterator[Dispatch]:
    (logits,) = use.inputs
    params = kernels.SamplePrepare(use.width(logits))
    if params.groups != op.groups:
        raise InternalError("LOWER005", f"{params.groups} groups sample, {op.groups} are planned")
    given = (use.view(logits), use.buffer("counts"), use.buffer("bias"))
    yield use.dispatch(params, *given, use.out(0), use.out(1))


def _sample_select(use: Use, op: SampleSelect) -> Iterator[Dispatch]:
    adjusted, best = use.inputs
    groups, _ = use.sizes(best)
    params = kernels.SampleSelect(use.width(adjusted), use.plan.sizes.window, groups)
    state = (use.buffer("tokens"), use.buffer("counts"))
    yield use.dispatch(params, use.view(adjusted), use.view(best), *state)


_RULES: Mapping[type[Op], Callable[[Use, Any], Iterator[Dispatch]]] = {
    **ATTENTION_RULES,
    Embed: _embed,
    Quantise: _quantise,
    RmsNorm: _rms_norm,
    RecordedNorm: _rms_norm,
    Projection: _projection,
    SamplePrepare: _sample_prepare,
    SampleSelect: _sample_select,
}
