"""Attention of a chunk of tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..kernel import Binding, Grid, KernelParams
from ..tiers import Tier
from .kv_cache import KvCache

LANE_ROWS = 2
"""Queries whose scores and sums a lane holds."""
MANY_HEADS = 32
"""Query heads from which chunks of some hundred tokens fill a large GPU with large workgroups."""
MANY, FEW = (256, 4), (128, 8)
"""(lanes, keys whose scores a lane holds; a multiple of 4), with many heads and with few."""
STRIP = 8
"""vec4s of a head that lie in workgroup memory while scores are made."""
SHARE = 8
"""Lanes that share a query."""


@dataclass(frozen=True, slots=True)
class AttentionPrefill(KernelParams):
    """out[t, h] = Σ_j softmax_j(scale · q[t, h] · k_j) · v_j over the ring keys j that position
    i = position + t sees: max(0, i − window + 1) ≤ j ≤ i (kv_cache.py; sinks are not looked at).
    The keys of the chunk itself are in the cache already. Tiled as in FlashAttention (Dao et al.,
    arXiv 2205.14135). D is a multiple of 8, at most 256.

    Bindings: state; q: float32 [T, H · D]; k, v: the cache; out: float32 [T, H · D].
    """

    template: ClassVar[str] = "attention_prefill"

    n_heads: int
    cache: KvCache
    scale: float

    @property
    def group(self) -> int:
        """Query heads per key head: their queries share a workgroup's keys."""
        return self.n_heads // self.cache.n_kv_heads

    @property
    def lanes(self) -> int:
        return (MANY if self.n_heads >= MANY_HEADS else FEW)[0]

    @property
    def lane_keys(self) -> int:
        return (MANY if self.n_heads >= MANY_HEADS else FEW)[1]

    @property
    def lane_rows(self) -> int:
        return LANE_ROWS

    @property
    def rows(self) -> int:
        """Queries of one workgroup."""
        return self.lanes // SHARE * LANE_ROWS

    @property
    def keys(self) -> int:
        """Keys of a tile."""
        return SHARE * self.lane_keys

    @property
    def value_keys(self) -> int:
        """Keys whose values lie in workgroup memory at once: where the strips were, beside the
        weights, and at least four."""
        strips = (self.rows + self.keys) * (STRIP + 1)
        room = 4 * (strips - self.rows * (self.keys // 4 + 1))
        fitting = (8, 16, 32, 64)
        return max([4, *(n for n in fitting if n <= self.keys and n * self.cache.head_dim <= room)])

    @property
    def bindings(self) -> tuple[Binding, ...]:
        return (
            Binding("state", "read", "State"),
            Binding("q", "read_write", "array<vec4<f32>>"),
            self.cache.by_chunks("k"),
            self.cache.by_fours("v"),
            Binding("out", "read_write", "array<vec4<f32>>"),
        )

    def workgroup(self, tier: Tier) -> int:
        return self.lanes

    def grid(self, tier: Tier, tokens: int) -> Grid:
        return (self.cache.n_kv_heads, -(-tokens * self.group // self.rows), 1)
