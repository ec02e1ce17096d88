"""A node that is being lowered, with what the rules of lower.py ask about it: where its values lie,
and in which order."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import InternalError
from ..graph.fused import AttentionReduce, Projection, Record, RopeAttention
from ..graph.graph import Value
from ..graph.ops import Cache, Constant, Embed
from ..options import KvFormat
from ..quant.layout import CHUNK
from ..schedule.plan import Plan, PlannedProgram, View
from . import kernels
from .dispatch import Dispatch
from .kernel import KernelParams
from .kernels.emit import Emit
from .regions import is_interleaved, region_view, vector_offset, whole_region


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


@dataclass(frozen=True, slots=True)
class Use:
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

    def used(self, value: Value) -> bool:
        graph = self.program.graph
        return bool(graph.users(value)) or value in graph.outputs.values()

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
            and isinstance(op, Embed | AttentionReduce | Projection | RopeAttention)
            and not (isinstance(op, Projection) and (op.int8 or self._slices(value.node) > 1))
            and value not in graph.outputs.values()
            and all(self._reads_interleaved(node, slot) for node, slot in users)
        )

    def _reads_interleaved(self, node: int, slot: int) -> bool:
        op = self.program.graph.op(node)
        return isinstance(op, Projection) and not op.int8 and (slot == 0 or self._slices(node) == 1)

    def emit(
        self, record: Record, blocks: int, first_block: int = 0
    ) -> tuple[Emit | None, list[View]]:
        """How and where to the node leaves records: γ, if any, is its last input."""
        if record is None:
            return None, []
        out = [self.out(len(self.program.graph.types(self.node)) - 1)]
        if record == "plain":
            return Emit(blocks, first_block), out
        name = self.constant(self.inputs[-1])
        region = whole_region(self.plan.weights, name)
        gamma = 4 * vector_offset(region, name)
        order = is_interleaved(region, name)
        return Emit(blocks, first_block, gamma, order), [region_view(region), *out]

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
