"""RoPE, the write into the cache, and attention of one token cut along the keys, for long texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..kernel import Binding, Grid, KernelParams, workgroup_limit
from ..tiers import Tier
from .kv_cache import KvCache

LANES = 64
TILE = 32
"""Keys that a workgroup has at once."""


@dataclass(frozen=True, slots=True)
class RopeAttentionSplit(KernelParams):
    """QkvRope and AttentionSplit of one token in one step, for all query heads of a key head
    together. The workgroup of the last split leaves the new key and value in the cache, that of
    the first turns the sinks in sight to their new positions, both as QkvRope does. `partial` is
    as AttentionSplit leaves it.

    Bindings: state; rope: float32 [3, 256, rope_dim / 2, 2]; w: weights (only with norms);
    qkv: float32 [(H + 2 · Hkv) · D]; k, v: the cache; partial: float32 [H, n_splits, D + 2].
    """

    template: ClassVar[str] = "rope_attention_split"

    n_heads: int
    cache: KvCache
    rope_dim: int
    interleaved: bool
    q_norm: int | None
    k_norm: int | None
    norm_epsilon: float
    scale: float
    split: int
    n_splits: int

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

    @property
    def tile(self) -> int:
        return TILE

    def by_subgroup(self, tier: Tier) -> bool:
        """Whether subgroups of 32 lanes go through the keys, each on its own: where their lanes
        share keys evenly, and their sums fit into workgroup memory."""
        if tier != "dp4a32" or 32 % self.eights:
            return False
        lanes = self.workgroup(tier)
        group, subgroups = self.group, lanes // 32
        values = self._values + subgroups * group * (self.cache.head_dim + 2)
        return TILE % (lanes // self.eights) == 0 and 4 * values <= workgroup_limit(tier)

    @property
    def _values(self) -> int:
        """32-bit words of workgroup memory but for sums and softmax."""
        dim, words, group = self.cache.head_dim, self.cache.head_words, self.group
        heads = group + 2 if self.has_norm else 2
        return heads * dim + 2 * words + self.rope_dim + 8 * (group + 1)

    def lanes_per_key(self, tier: Tier) -> int:
        """Lanes that share a dot product."""
        return self.eights if self.by_subgroup(tier) else 1

    def slices(self, tier: Tier) -> int:
        """Sets of lanes that share the keys when values are added up."""
        return self.workgroup(tier) // self.eights

    def slots(self, tier: Tier) -> int:
        """Sums of values that meet in workgroup memory: one of each subgroup, or as many as the
        rest leaves room for."""
        if self.by_subgroup(tier):
            return self.workgroup(tier) // 32
        group = self.group
        values = self._values + (group + 4 * -(-group // 4)) * TILE + 4 * group
        values += self.workgroup(tier)
        room = (workgroup_limit(tier) // 4 - values) // (group * self.cache.head_dim)
        return max(1, min(self.slices(tier), room))

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
            Binding("partial", "read_write", "array<f32>"),
        )

    def workgroup(self, tier: Tier) -> int:
        return LANES

    def grid(self, tier: Tier, tokens: int) -> Grid:
        return (self.n_splits, self.cache.n_kv_heads, 1)
