"""Nodes → dispatches: the one table from operators to kernels.

Most nodes are one dispatch; a projection or embedding whose weight was cut into slices is one per
region (or per four, for the embedding).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import InternalError
from ..graph.fused import (
    AttentionReduce,
    AttentionSplit,
    Projection,
    QkvRope,
    SamplePrepare,
    SampleSelect,
)
from ..graph.graph import Value
from ..graph.ops import Attention, Cache, Constant, Embed, Op, RmsNorm
from ..options import KvFormat
from ..quant.layout import CHUNK
from ..schedule.limits import MAX_BINDINGS
from ..schedule.liveness import WORD, steps
from ..schedule.plan import Plan, PlannedProgram, View
from ..schedule.weight_plan import Region
from . import kernels
from .dispatch import Dispatch
from .kernel import KernelParams
from .part import Part
from .regions import is_interleaved, part, region_view, vector_offset, whole_region

_EMBED_SLICES = 4
"""Slices of a table that one embedding kernel binds."""


def kv_cache(cache: Cache, ahead: int, format: KvFormat) -> kernels.KvCache:
    """A layer's ring: its window, and `ahead` more slots that tokens in flight may overwrite."""
    return kernels.KvCache(
        n_kv_heads=cache.n_kv_heads,
        head_dim=cache.head_dim,
        capacity=cache.window + ahead,
        window=cache.window,
        format=format,
        sinks=cache.sinks,
    )


def lower(program: PlannedProgram, plan: Plan, kv: KvFormat) -> list[Dispatch]:
    """All dispatches of a program in order."""
    found: list[Dispatch] = []
    for node in steps(program.graph):
        op = program.graph.op(node)
        found += _RULES[type(op)](_Use(program, plan, node, kv), op)
    for dispatch in found:
        if len(dispatch.views) > MAX_BINDINGS:
            raise InternalError("LOWER003", f"{dispatch.label} has {len(dispatch.views)} bindings")
    return found


@dataclass(frozen=True, slots=True)
class _Use:
    """A node with what is needed to lower it."""

    program: PlannedProgram
    plan: Plan
    node: int
    kv: KvFormat

    @property
    def inputs(self) -> tuple[Value, ...]:
        return self.program.graph.inputs(self.node)

    def view(self, value: Value) -> View:
        """Where an activation lies; a carried one lies where its maker left it."""
        place = self.program.places.get(value)
        if place is not None:
            return place
        op = self.program.graph.op(value.node)
        return self.plan.pinned[getattr(op, "name", "")]

    def out(self, output: int = 0) -> View:
        return self.view(Value(self.node, output))

    def constant(self, value: Value) -> str:
        op = self.program.graph.op(value.node)
        if not isinstance(op, Constant):
            raise InternalError("LOWER004", f"{op} is no constant")
        return op.name

    def maybe(self, value: Value | None) -> str | None:
        return None if value is None else self.constant(value)

    def width(self, value: Value) -> int:
        return self.program.graph.type(value).width

    def sizes(self, value: Value) -> tuple[int, ...]:
        """The shape of a value that does not depend on the number of tokens."""
        shape = self.program.graph.type(value).shape
        return tuple(dim for dim in shape if isinstance(dim, int))

    def buffer(self, name: str) -> View:
        return View(name, 0, self.plan.buffers[name])

    def cache(self, cache: Cache) -> tuple[kernels.KvCache, View, View]:
        return (kv_cache(cache, self.plan.sizes.ahead, self.kv), *self.plan.caches[cache.layer])

    def interleaved(self, value: Value) -> bool:
        """Whether an activation is kept as matrix · vector kernels like to read it: one token's
        values that only such kernels use, and that one kernel writes in a single piece."""
        graph = self.program.graph
        op, users = graph.op(value.node), graph.users(value)
        return (
            graph.type(value).shape[0] == 1
            and graph.type(value).width % CHUNK == 0
            and isinstance(op, Embed | AttentionReduce | Projection)
            and not (isinstance(op, Projection) and self._slices(value.node) > 1)
            and value not in graph.outputs.values()
            and all(
                isinstance(graph.op(node), Projection) and (slot == 0 or self._slices(node) == 1)
                for node, slot in users
            )
        )

    def _slices(self, node: int) -> int:
        """The dispatches of a projection."""
        graph = self.program.graph
        op = graph.op(node)
        assert isinstance(op, Projection)
        names = [self.constant(w) for w, _, _ in op.weights(graph.inputs(node))]
        regions = {region for name in names for region in self.plan.weights.regions_of(name)}
        return len(regions)

    def dispatch(self, params: KernelParams, *views: View) -> Dispatch:
        label = self.program.graph.label(self.node) or type(params).__name__
        return Dispatch(label, params, (self.buffer("state"), *views))


def _embed(use: _Use, op: Embed) -> Iterator[Dispatch]:
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


def _rms_norm(use: _Use, op: RmsNorm) -> Iterator[Dispatch]:
    x, weight = use.inputs
    name = use.constant(weight)
    region = whole_region(use.plan.weights, name)
    order = is_interleaved(region, name)
    params = kernels.RmsNorm(use.width(x), op.epsilon, vector_offset(region, name), order)
    yield use.dispatch(params, region_view(region), use.view(x), use.out())


def _projection(use: _Use, op: Projection) -> Iterator[Dispatch]:
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
        tail = [use.view(inputs[-1])] if op.residual else []
        columns = [_columns(view, column, width, rows, use) for view in (*tail, use.out())]
        params = _linear(use, op, region, parts, use.maybe(norm), width)
        yield use.dispatch(params, region_view(region), use.view(x), *columns)
        column += rows


def _linear(
    use: _Use,
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


def _columns(view: View, first: int, width: int, rows: int, use: _Use) -> View:
    """The part of an output [T, width] that a slice of rows writes, from column `first` on."""
    if first == 0 and rows == width:
        return view
    return View(view.buffer, view.offset + WORD * first, view.size - WORD * first)


def _qkv_rope(use: _Use, op: QkvRope) -> Iterator[Dispatch]:
    qkv, table, *norms = use.inputs
    cache, keys, values = use.cache(op.cache)
    offsets, weights = [], []
    if norms:
        names = [use.constant(value) for value in norms]
        region = whole_region(use.plan.weights, names[0])
        offsets = [vector_offset(region, name) for name in names]
        weights = [region_view(region)]
    q_norm, k_norm = offsets or (None, None)
    params = kernels.QkvRope(
        n_heads=op.n_heads,
        cache=cache,
        rope_dim=op.rotary.dimension,
        interleaved=op.rotary.interleaved,
        q_norm=q_norm,
        k_norm=k_norm,
        norm_epsilon=op.norm or 0.0,
    )
    rope = region_view(whole_region(use.plan.weights, use.constant(table)))
    yield use.dispatch(params, rope, *weights, use.view(qkv), use.out(), keys, values)


def _attention(use: _Use, op: Attention) -> Iterator[Dispatch]:
    q = use.inputs[0]
    cache, keys, values = use.cache(op.cache)
    params = kernels.AttentionPrefill(use.width(q) // cache.head_dim, cache, op.scale)
    yield use.dispatch(params, use.view(q), keys, values, use.out())


def _attention_split(use: _Use, op: AttentionSplit) -> Iterator[Dispatch]:
    q = use.inputs[0]
    cache, keys, values = use.cache(op.cache)
    heads = use.width(q) // cache.head_dim
    params = kernels.AttentionSplit(heads, cache, op.scale, op.split, op.n_splits)
    yield use.dispatch(params, use.view(q), keys, values, use.out())


def _attention_reduce(use: _Use, op: AttentionReduce) -> Iterator[Dispatch]:
    (partial,) = use.inputs
    heads, n_splits, _ = use.sizes(partial)
    cache = kv_cache(op.cache, use.plan.sizes.ahead, use.kv)
    order = use.interleaved(Value(use.node))
    params = kernels.AttentionReduce(heads, cache, op.split, n_splits, order)
    yield use.dispatch(params, use.view(partial), use.out())


def _sample_prepare(use: _Use, op: SamplePrepare) -> Iterator[Dispatch]:
    (logits,) = use.inputs
    params = kernels.SamplePrepare(use.width(logits))
    if params.groups != op.groups:
        raise InternalError("LOWER005", f"{params.groups} groups sample, {op.groups} are planned")
    given = (use.view(logits), use.buffer("counts"), use.buffer("bias"))
    yield use.dispatch(params, *given, use.out(0), use.out(1))


def _sample_select(use: _Use, op: SampleSelect) -> Iterator[Dispatch]:
    adjusted, best = use.inputs
    groups, _ = use.sizes(best)
    params = kernels.SampleSelect(use.width(adjusted), use.plan.sizes.window, groups)
    state = (use.buffer("tokens"), use.buffer("counts"))
    yield use.dispatch(params, use.view(adjusted), use.view(best), *state)


_RULES: Mapping[type[Op], Callable[[_Use, Any], Iterator[Dispatch]]] = {
    Embed: _embed,
    RmsNorm: _rms_norm,
    Projection: _projection,
    QkvRope: _qkv_rope,
    Attention: _attention,
    AttentionSplit: _attention_split,
    AttentionReduce: _attention_reduce,
    SamplePrepare: _sample_prepare,
    SampleSelect: _sample_select,
}
