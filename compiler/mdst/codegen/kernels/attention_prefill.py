"""Attention of a chunk of tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..kernel import Binding, Grid, KernelParams
from ..tiers import Tier
from .kv_cache import KvCache

LANES = 128
ROWS = 32
"""Queries of one workgroup."""


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
    def bindings(self) -> tuple[Binding, ...]:
        return (
            Binding("state", "read", "State"),
            Binding("q", "read_write", "array<vec4<f32>>"),
            self.cache.by_fours("k"),
            self.cache.by_fours("v"),
            Binding("out", "read_write", "array<vec4<f32>>"),
        )

    def workgroup(self, tier: Tier) -> int:
        return LANES

    def grid(self, tier: Tier, tokens: int) -> Grid:
        return (-(-tokens * self.group // ROWS), self.cache.n_kv_heads, 1)
