"""Constants → regions of weight buffers.

A region is what one fused kernel binds as its weights: the planes of its matrices, the code books
that they refer to, its norm weight, biases and scales, one after another. A group of tensors that
is too large for a binding is cut into regions by rows; its vectors are in each of them. The weight
of a norm that a matrix follows is there twice: interleaved for kernels that multiply by it on the
way, and in plain order for those that make records first. Regions lie in the order of first use.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ..errors import UnsupportedError, printable
from ..graph.fused import Projection
from ..graph.graph import Graph, Value
from ..graph.ops import Constant, Embed
from ..graph.types import TensorType
from ..quant.grids import grid_bytes
from ..quant.layout import SliceLayout, format_named, slice_layout
from .limits import MAX_BINDING, MAX_BUFFER, align

ROW_STEP = 64
"""Slices start at multiples of this many rows, so that the float32 results of a slice start at an
aligned address."""
_VECTOR_ALIGNMENT = 16


Form = Literal["packed", "plain", "interleaved"]


@dataclass(frozen=True, slots=True)
class Piece:
    """`rows` rows of a tensor from `first_row` on, at byte `offset` of a region: packed planes of a
    matrix, or float32 values of a vector (then a row is one value), in plain order or interleaved
    (quant/interleave.py)."""

    tensor: str
    type: TensorType
    offset: int
    size: int
    first_row: int
    rows: int
    form: Form


@dataclass(frozen=True, slots=True)
class Region:
    """`size` bytes at `offset` of weight buffer number `buffer`. `grids` says where in it the code
    books of its matrices begin (quant/grids.py)."""

    buffer: int
    offset: int
    size: int
    pieces: tuple[Piece, ...]
    grids: tuple[tuple[str, int], ...] = ()

    def piece(self, tensor: str, form: Form | None = None) -> Piece | None:
        """The rows of a tensor in here, in any form or that one."""
        found = (p for p in self.pieces if p.tensor == tensor and form in (None, p.form))
        return next(found, None)

    def grid(self, name: str) -> int:
        """Where a code book begins in the region, in bytes."""
        return dict(self.grids)[name]


@dataclass(frozen=True, slots=True)
class WeightPlan:
    """All regions, and the sizes in bytes of the buffers they lie in."""

    regions: tuple[Region, ...]
    buffers: tuple[int, ...]

    def regions_of(self, tensor: str) -> list[Region]:
        """The regions that hold rows of `tensor`, first rows first."""
        return [r for r in self.regions if r.piece(tensor) is not None]


@dataclass(frozen=True, slots=True)
class _Matrix:
    """A matrix with the vectors that are cut with its rows."""

    name: str
    type: TensorType
    bias: tuple[str, TensorType] | None
    scale: tuple[str, TensorType] | None

    @property
    def rows(self) -> int:
        rows = self.type.shape[0]
        assert isinstance(rows, int)
        return rows


@dataclass(frozen=True, slots=True)
class _Group:
    """What one node reads. `paired` matrices are cut at the same rows, others lie end to end."""

    first_use: int
    vectors: tuple[tuple[str, TensorType], ...]
    matrices: tuple[_Matrix, ...]
    paired: bool


def plan_weights(graph: Graph, max_binding: int = MAX_BINDING) -> WeightPlan:
    """Places all constants of the decode graph. Raises UnsupportedError when a matrix has a type
    or a row length that cannot be repacked, or its rows do not fit a binding."""
    groups = sorted(_groups(graph), key=lambda group: group.first_use)
    regions: list[Region] = []
    sizes: list[int] = []
    for group in groups:
        for region in _cut(group, max_binding):
            if not sizes or sizes[-1] + align(region.size) > MAX_BUFFER:
                sizes.append(0)
            regions.append(replace(region, buffer=len(sizes) - 1, offset=sizes[-1]))
            sizes[-1] += align(region.size)
    return WeightPlan(tuple(regions), tuple(sizes))


def _groups(graph: Graph) -> Iterator[_Group]:
    """Projections come first, so that a table that is also an output matrix lies with its norm."""
    order = list(graph)
    first_use: dict[str, int] = {}
    for i, node in enumerate(order):
        for name, _ in _constants(graph, graph.inputs(node)):
            first_use.setdefault(name, i)
    taken: set[str] = set()
    projections = [n for n in order if isinstance(graph.op(n), Projection)]
    for node in (*projections, *(n for n in order if n not in projections)):
        constants = [c for c in _constants(graph, graph.inputs(node)) if c[0] not in taken]
        taken |= {name for name, _ in constants}
        if not constants:
            continue
        when = min(first_use[name] for name, _ in constants)
        op = graph.op(node)
        if isinstance(op, Projection):
            yield _projection(graph, node, op, when)
        elif isinstance(op, Embed):
            ((name, type),) = constants
            yield _Group(when, (), (_Matrix(name, type, None, None),), False)
        else:
            yield _Group(when, tuple(constants), (), False)


def _projection(graph: Graph, node: int, op: Projection, when: int) -> _Group:
    inputs = graph.inputs(node)
    norm = op.norm_weight(inputs)
    matrices = []
    for weight, scale, bias in op.weights(inputs):
        ((name, type),) = _constants(graph, (weight,))
        matrices.append(_Matrix(name, type, _constant(graph, bias), _constant(graph, scale)))
    vectors = _constants(graph, (norm,) if norm else ())
    return _Group(when, tuple(vectors), tuple(matrices), op.gated)


def _constants(graph: Graph, values: Sequence[Value]) -> list[tuple[str, TensorType]]:
    found = {}
    for value in values:
        op = graph.op(value.node)
        if isinstance(op, Constant):
            found[op.name] = op.type
    return list(found.items())


def _constant(graph: Graph, value: Value | None) -> tuple[str, TensorType] | None:
    return _constants(graph, (value,))[0] if value is not None else None


def _cut(group: _Group, max_binding: int) -> Iterator[Region]:
    """The group's regions: one if it fits, else as few as possible of about equal rows."""
    whole = _region(group, 0, _total_rows(group))
    if whole.size <= max_binding or not group.matrices:
        yield whole
        return
    count = -(-whole.size // max_binding)
    while True:
        step = align(-(-_total_rows(group) // count), ROW_STEP)
        parts = [
            _region(group, first, min(step, _total_rows(group) - first))
            for first in range(0, _total_rows(group), step)
        ]
        if all(part.size <= max_binding for part in parts):
            yield from parts
            return
        if step == ROW_STEP:
            break
        count += 1
    name = printable(group.matrices[0].name)
    raise UnsupportedError(
        "PLAN001", f"tensor {name}: no part of it fits a binding of {max_binding} bytes"
    )


def _total_rows(group: _Group) -> int:
    rows = [matrix.rows for matrix in group.matrices]
    return max(rows, default=0) if group.paired else sum(rows)


def _region(group: _Group, first: int, rows: int) -> Region:
    """The region (not placed yet) with rows first … first + rows of the group."""
    pieces: list[Piece] = []
    grids: dict[str, int] = {}
    offset = 0

    def add(name: str, type: TensorType, size: int, first: int, rows: int, form: Form) -> None:
        nonlocal offset
        pieces.append(Piece(name, type, offset, size, first, rows, form))
        offset += align(size, _VECTOR_ALIGNMENT)

    for name, type in group.vectors:
        count = type.elements(0)
        if group.matrices:
            add(name, type, 4 * count, 0, count, "interleaved")
        add(name, type, 4 * count, 0, count, "plain")
    start = 0
    for matrix in group.matrices:
        low, high = max(first, start) - start, min(first + rows, start + matrix.rows) - start
        if low < high:
            layout = _layout(matrix, high - low)
            grid = layout.format.grid
            if grid and grid not in grids:
                grids[grid] = offset
                offset += grid_bytes(grid)
            add(matrix.name, matrix.type, layout.total, low, high - low, "packed")
            if matrix.bias:
                add(*matrix.bias, 4 * (high - low), low, high - low, "plain")
            if matrix.scale:
                add(*matrix.scale, 4, 0, 1, "plain")
        start += 0 if group.paired else matrix.rows
    return Region(0, 0, offset, tuple(pieces), tuple(grids.items()))


def _layout(matrix: _Matrix, rows: int) -> SliceLayout:
    try:
        return slice_layout(format_named(matrix.type.dtype), rows, matrix.type.width)
    except UnsupportedError as error:
        message = f"tensor {printable(matrix.name)}: {error.message}"
        raise UnsupportedError(error.id, message) from error
