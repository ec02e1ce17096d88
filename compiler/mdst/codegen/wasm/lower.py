"""Nodes → calls of kernels with baked addresses: the one table from operators to WASM functions."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from ...errors import InternalError
from ...graph.fused import Projection, QkvRope
from ...graph.graph import Graph, Value
from ...graph.ops import Attention, Constant, Embed, LastRow, Op, RmsNorm
from ...options import KvFormat
from ...quant.layout import CHUNK, format_named, slice_layout
from ...schedule.liveness import WORD, steps
from ...schedule.plan import Plan
from ...schedule.weight_plan import Region
from ..regions import is_interleaved, whole_region
from ..use import kv_cache
from . import kernels as k
from .formats import WasmFormat, WasmPlane, wasm_format
from .memory import MemoryMap, Needs
from .variants import Variant

_K = TypeVar("_K", k.QkvRope, k.Attention)
_ALL = "(local.get $n)"
_ONE = "(ptr.const 1)"


def functions(
    graphs: Mapping[str, Graph], plan: Plan, kv: KvFormat, variant: Variant, map: MemoryMap
) -> k.Functions:
    """The kernels of both programs, and their calls in order; wasm_head may be missing."""
    use = _Use(plan, kv, variant, map)
    layers = use.program("wasm_layers", graphs["wasm_layers"])
    head = use.program("wasm_head", graphs["wasm_head"]) if "wasm_head" in graphs else []
    return k.Functions(
        tuple(use.kernels),
        tuple(use.records),
        use.gated,
        use.finished,
        tuple(layers),
        tuple(head),
    )


def measure(
    graphs: Mapping[str, Graph], plan: Plan, kv: KvFormat, variant: Variant, tokens: int
) -> Needs:
    """What the programs need beside their values, for runs of up to `tokens` tokens."""
    scratch = up = 0
    records: dict[str, int] = {}
    for graph in graphs.values():
        for node in steps(graph):
            op = graph.op(node)
            if isinstance(op, Projection):
                for weight, _, _ in op.weights(graph.inputs(node)):
                    matrix = _matmul(graph, weight, variant)
                    scratch = max(scratch, matrix.scratch)
                    if matrix.format.kind != "f32":
                        kind, size = matrix.format.kind, tokens * matrix.shape.record
                        records[kind] = max(records.get(kind, 0), size)
                if op.gated:
                    up = max(up, WORD * graph.type(Value(node)).elements(tokens))
            elif isinstance(op, Embed):
                table = graph.type(graph.inputs(node)[1])
                shape = wasm_format(table.dtype, variant).shape(table.width // CHUNK)
                scratch = max(scratch, shape.row)
            elif isinstance(op, QkvRope):
                cache = kv_cache(op.cache, plan.sizes.ahead, kv)
                rope = k.QkvRope(op.n_heads, cache, op.rotary.dimension, False, None)
                scratch = max(scratch, rope.scratch)
            elif isinstance(op, Attention):
                scratch = max(scratch, _attention_kernel(graph, node, op, plan, kv).scratch)
    return Needs(scratch, records, up)


def _matmul(graph: Graph, weight: Value, variant: Variant) -> k.MatMul:
    type = graph.type(weight)
    return k.MatMul(wasm_format(type.dtype, variant), type.width // CHUNK)


def _attention_kernel(
    graph: Graph, node: int, op: Attention, plan: Plan, kv: KvFormat
) -> k.Attention:
    heads = graph.type(graph.inputs(node)[0]).width // op.cache.head_dim
    return k.Attention(heads, kv_cache(op.cache, plan.sizes.ahead, kv), single(op.scale))


def single(value: float) -> str:
    """The shortest decimal of the nearest float32."""
    (nearest,) = struct.unpack("<f", struct.pack("<f", value))
    return repr(nearest)


def _const(address: int) -> str:
    return f"(ptr.const {address})"


def _call(function: str, *arguments: str) -> str:
    return f"(call {function} {' '.join(arguments)})"


@dataclass
class _Use:
    """Lowers programs one after another, and keeps the kernels that they called."""

    plan: Plan
    kv: KvFormat
    variant: Variant
    map: MemoryMap
    kernels: dict[k.Kernel, None] = field(default_factory=dict)
    records: dict[tuple[str, int], None] = field(default_factory=dict)
    gated: bool = False
    finished: bool = False

    def program(self, name: str, graph: Graph) -> list[str]:
        lowered = _Program(self, name, graph)
        calls: list[str] = []
        for node in steps(graph):
            op = graph.op(node)
            calls += _RULES[type(op)](lowered, node, op)
        return calls

    def barrier(self) -> Iterator[str]:
        """Between steps of which one reads what other threads wrote in the one before."""
        if self.variant.threads:
            yield "(call $barrier)"

    def function(self, kernel: k.Kernel) -> str:
        """Its name, from now on one of the module's."""
        self.kernels.setdefault(kernel)
        return kernel.function

    def numbered(self, kernel: _K) -> _K:
        """The kernel with the index of its like, or a new one."""
        same = [other for other in self.kernels if isinstance(other, type(kernel))]
        for other in same:
            if replace(other, index=0) == kernel:
                return other
        return replace(kernel, index=len(same))


@dataclass
class _Program:
    """One program: where its values are, as folded expressions."""

    use: _Use
    name: str
    graph: Graph
    aliases: dict[Value, str] = field(default_factory=dict)

    @property
    def plan(self) -> Plan:
        return self.use.plan

    @property
    def tokens(self) -> str:
        return _ALL if self.name == "wasm_layers" else _ONE

    def at(self, value: Value) -> str:
        if value in self.aliases:
            return self.aliases[value]
        address = self.use.map.values.get((self.name, value))
        if address is not None:
            return _const(address)
        for name, output in self.graph.outputs.items():
            if output == value:
                return _const(getattr(self.use.map, name))
        return _const(getattr(self.use.map, getattr(self.graph.op(value.node), "name", "")))

    def constant(self, value: Value) -> str:
        op = self.graph.op(value.node)
        if not isinstance(op, Constant):
            raise InternalError("LOWER004", f"{op} is no constant")
        return op.name

    def address(self, region: Region, tensor: str) -> int:
        """Where a region has a tensor."""
        piece = region.piece(tensor)
        assert piece is not None
        return self.use.map.weight(region.buffer, region.offset) + piece.offset

    def vector(self, value: Value) -> str:
        name = self.constant(value)
        return _const(self.address(whole_region(self.plan.weights, name), name))

    def planes(self, region: Region, tensor: str, format: WasmFormat) -> list[int]:
        """Where a region has the planes of its rows of a tensor, and their code book."""
        piece = region.piece(tensor)
        assert piece is not None
        table = format_named(piece.type.dtype)
        layout = slice_layout(table, piece.rows, piece.type.width)
        start = self.address(region, tensor)
        found = [start + layout.offsets[plane.name] for plane in format.planes]
        if table.grid:
            book = self.use.map.weight(region.buffer, region.offset) + region.grid(table.grid)
            found.append(book)
        return found


def _embed(p: _Program, node: int, op: Embed) -> Iterator[str]:
    table = p.graph.inputs(node)[1]
    name, type = p.constant(table), p.graph.type(table)
    format = wasm_format(type.dtype, p.use.variant)
    slices = []
    for region in p.plan.weights.regions_of(name):
        piece = region.piece(name)
        assert piece is not None
        *planes, grid = (*p.planes(region, name, format), *([] if format.grid else [0]))
        placed: tuple[tuple[WasmPlane, int], ...] = tuple(zip(format.planes, planes, strict=True))
        slices.append(k.TableSlice(piece.first_row, piece.rows, placed, grid))
    kernel = k.Embed(format, type.width // CHUNK, p.plan.sizes.window, tuple(slices))
    yield _call(p.use.function(kernel), p.at(Value(node)), p.tokens)
    yield from p.use.barrier()


def _rms_norm(p: _Program, node: int, op: RmsNorm) -> Iterator[str]:
    x, weight = p.graph.inputs(node)
    name = p.constant(weight)
    order = is_interleaved(whole_region(p.plan.weights, name), name)
    kernel = k.RmsNorm(p.graph.type(x).width, single(op.epsilon), order)
    function = p.use.function(kernel)
    yield _call(function, p.at(x), p.vector(weight), p.at(Value(node)), p.tokens)
    yield from p.use.barrier()


def _last_row(p: _Program, node: int, op: LastRow) -> Iterator[str]:
    (x,) = p.graph.inputs(node)
    row = WORD * p.graph.type(x).width
    last = f"(ptr.mul (ptr.sub {_ALL} {_ONE}) {_const(row)})"
    p.aliases[Value(node)] = f"(ptr.add {p.at(x)} {last})"
    return iter(())


def _projection(p: _Program, node: int, op: Projection) -> Iterator[str]:
    inputs = p.graph.inputs(node)
    if op.norm is not None or op.last_row:
        raise InternalError("WASM002", "norms and choices of rows are steps of their own here")
    x, out = inputs[0], p.at(Value(node))
    width = p.graph.type(Value(node)).width
    weights = op.weights(inputs)
    yield from _records(p, x, [weight for weight, _, _ in weights])
    column = 0
    residual = p.at(inputs[-1]) if op.residual else None
    for i, (weight, scale, bias) in enumerate(weights):
        to = _const(p.use.map.up) if op.gated and i == 1 else out
        yield from _part(p, x, weight, scale, bias, to, column, width, residual)
        column += 0 if op.gated else p.graph.type(weight).elements(0) // p.graph.type(weight).width
    yield from p.use.barrier()
    if op.gated:
        p.use.gated = True
        count = f"(ptr.mul {p.tokens} {_const(width)})"
        yield _call("$silu_mul", out, _const(p.use.map.up), count)
        yield from p.use.barrier()


def _records(p: _Program, x: Value, weights: list[Value]) -> Iterator[str]:
    """Activations in every form that the weights want."""
    kinds = {}
    for weight in weights:
        matrix = _matmul(p.graph, weight, p.use.variant)
        if matrix.format.kind != "f32":
            kinds[matrix.format.kind] = matrix.chunks
    for kind, chunks in kinds.items():
        p.use.records.setdefault((kind, chunks))
        target = _const(p.use.map.records[kind])
        yield _call(f"$quantise_{kind}_{chunks}", p.at(x), target, p.tokens)
    if kinds:
        yield from p.use.barrier()


def _part(
    p: _Program,
    x: Value,
    weight: Value,
    scale: Value | None,
    bias: Value | None,
    out: str,
    column: int,
    width: int,
    residual: str | None,
) -> Iterator[str]:
    """One weight of a projection: its product, and what follows it."""
    name = p.constant(weight)
    kernel = _matmul(p.graph, weight, p.use.variant)
    function = p.use.function(kernel)
    kind = kernel.format.kind
    source = p.at(x) if kind == "f32" else _const(p.use.map.records[kind])
    stride = _const(WORD * width)
    for region in p.plan.weights.regions_of(name):
        piece = region.piece(name)
        assert piece is not None
        planes = map(_const, p.planes(region, name, kernel.format))
        columns = _const(WORD * (column + piece.first_row))
        rows, to = _const(piece.rows), f"(ptr.add {out} {columns})"
        yield _call(function, *planes, rows, source, to, stride, p.tokens)
        extra = [_const(p.address(region, p.constant(v)) if v else 0) for v in (scale, bias)]
        added = f"(ptr.add {residual} {columns})" if residual else _const(0)
        if scale or bias or residual:
            p.use.finished = True
            yield _call("$finish", to, stride, rows, *extra, added, p.tokens)


def _qkv_rope(p: _Program, node: int, op: QkvRope) -> Iterator[str]:
    qkv, table, *norms = p.graph.inputs(node)
    cache = kv_cache(op.cache, p.plan.sizes.ahead, p.use.kv)
    epsilon = None if op.norm is None else single(op.norm)
    kernel = p.use.numbered(
        k.QkvRope(op.n_heads, cache, op.rotary.dimension, op.rotary.interleaved, epsilon)
    )
    gammas = [p.vector(norm) for norm in norms] or [_const(0)] * 2
    places = map(_const, p.use.map.caches[op.cache.layer])
    function = p.use.function(kernel)
    yield _call(function, p.vector(table), *gammas, p.at(qkv), p.at(Value(node)), *places, p.tokens)
    yield from p.use.barrier()


def _attention(p: _Program, node: int, op: Attention) -> Iterator[str]:
    kernel = p.use.numbered(_attention_kernel(p.graph, node, op, p.plan, p.use.kv))
    places = map(_const, p.use.map.caches[op.cache.layer])
    function = p.use.function(kernel)
    yield _call(function, p.at(p.graph.inputs(node)[0]), *places, p.at(Value(node)), p.tokens)
    yield from p.use.barrier()


_RULES: Mapping[type[Op], Callable[[_Program, int, Any], Iterator[str]]] = {
    Embed: _embed,
    RmsNorm: _rms_norm,
    LastRow: _last_row,
    Projection: _projection,
    QkvRope: _qkv_rope,
    Attention: _attention,
}
