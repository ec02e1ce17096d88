"""RoPE, the write into the cache and attention of one token in one step, for short texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..kernel import Binding, Grid, KernelParams, workgroup_limit
from ..tiers import Tier
from .kv_cache import KvCache

LANES = 256
TILE = 128
"""Keys that subgroups ask for at once, all together."""
MOST_TURNS = 8
"""Keys that a lane may have a part of at once: what registers hold."""


@dataclass(frozen=True, slots=True)
class RopeAttention(KernelParams):
    """QkvRope and attention of one token at a position below `reach`, which is at most the window:
    every key is in its own slot of the ring and no sink has moved. Keys after RoPE, and for the
    first tokens before RoPE too, are left in the cache as QkvRope leaves them.

    out[h] = Σ_j softmax_j(scale · q[h] · k_j) · v_j over 0 ≤ j ≤ position.

    Bindings: state; rope: float32 [3, 256, rope_dim / 2, 2]; w: weights (only with norms);
    qkv: float32 [(H + 2 · Hkv) · D]; k, v: the cache; out: float32 [H · D], or with `record` its
    records.

    A workgroup has one query head. The workgroups of one key head all turn its new key, which they
    use from workgroup memory; the first of them writes it.
    """

    template: ClassVar[str] = "rope_attention"

    n_heads: int
    cache: KvCache
    rope_dim: int
    interleaved: bool
    q_norm: int | None
    k_norm: int | None
    norm_epsilon: float
    scale: float
    reach: int
    record: bool
    out_interleaved: bool = False

    @property
    def has_norm(self) -> bool:
        return self.q_norm is not None or self.k_norm is not None

    @property
    def group(self) -> int:
        """Query heads per key head."""
        return self.n_heads // self.cache.n_kv_heads

    @property
    def eights(self) -> int:
        """Chunks of eight values of a head."""
        return self.cache.head_dim // 8

    def by_subgroup(self, tier: Tier) -> bool:
        """Whether subgroups of 32 lanes go through the keys, each on its own: where their lanes
        share keys evenly, and their sums fit into workgroup memory."""
        if tier != "dp4a32" or 32 % self.eights:
            return False
        sums = self.workgroup(tier) // 32 * (self.cache.head_dim + 2)
        return 4 * (self._values + sums) <= workgroup_limit(tier)

    @property
    def _values(self) -> int:
        """32-bit words of workgroup memory but for sums, scores and records."""
        return 3 * self.cache.head_dim + 2 * self.cache.head_words + self.rope_dim

    @property
    def turns(self) -> int:
        """Keys that a lane has a part of at once."""
        return min(MOST_TURNS, max(1, TILE * self.eights // LANES))

    def slices(self, tier: Tier) -> int:
        """Sets of lanes that share the keys when values are added up."""
        return self.workgroup(tier) // self.eights

    def slots(self, tier: Tier) -> int:
        """Sums of values that meet in workgroup memory: as many as the rest leaves room for."""
        dim = self.cache.head_dim
        records = 3 * dim // 2 if self.record else 0
        values = self._values + dim + self.reach + records
        return min(self.slices(tier), (workgroup_limit(tier) // 4 - values) // dim)

    @property
    def bindings(self) -> tuple[Binding, ...]:
        weights = (Binding("w", "read", "array<f32>"),) if self.has_norm else ()
        return (
            Binding("state", "read", "State"),
            Binding("rope", "read", "array<vec2<f32>>"),
            *weights,
            Binding("qkv", "read_write", "array<f32>"),
            Binding("k", "read_write", "array<vec4<u32>>"),
            Binding("v", "read_write", "array<vec4<u32>>"),
            Binding("record", "read_write", "array<vec4<u32>>")
            if self.record
            else Binding("out", "read_write", "array<f32>"),
        )

    def workgroup(self, tier: Tier) -> int:
        return LANES

    def grid(self, tier: Tier, tokens: int) -> Grid:
        return (self.n_heads, 1, 1)
