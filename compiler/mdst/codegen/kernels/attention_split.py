"""Attention of one token, cut along the keys so that a long context fills the device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..kernel import Binding, Grid, KernelParams
from ..tiers import Tier
from .kv_cache import KvCache

LANES = 64
_MAX_HEADS = 8
_MAX_QUERY_VALUES = 1024
"""Bounds on the query heads of a workgroup, which workgroup memory sets."""


@dataclass(frozen=True, slots=True)
class AttentionSplit(KernelParams):
    """Split s covers entries s · `split` … of the list of keys in sight (sinks, then ring keys;
    kv_cache.py). Of it, for each query head (Milakov & Gimelshein, arXiv 1805.02867):

        m = max_e scale · q·k_e     l = Σ_e exp(scale · q·k_e − m)     a = Σ_e exp(…) · v_e

    Splits past the last key leave their part of `partial` alone. D is a multiple of 8, at most 256;
    query head h uses key head h · Hkv / H.

    Bindings: state; q: float32 [1, H · D]; k, v: the cache;
    partial: float32 [H, n_splits, D + 2] = a, m, l.
    """

    template: ClassVar[str] = "attention_split"

    n_heads: int
    cache: KvCache
    scale: float
    split: int
    n_splits: int

    @property
    def group(self) -> int:
        """Query heads per key head."""
        return self.n_heads // self.cache.n_kv_heads

    @property
    def block(self) -> int:
        """Query heads of one workgroup: they share the reads of keys and values."""
        most = max(1, min(_MAX_HEADS, _MAX_QUERY_VALUES // self.cache.head_dim))
        return max(b for b in range(1, most + 1) if self.group % b == 0)

    @property
    def bindings(self) -> tuple[Binding, ...]:
        return (
            Binding("state", "read", "State"),
            Binding("q", "read_write", "array<vec4<f32>>"),
            self.cache.by_chunks("k"),
            self.cache.by_fours("v"),
            Binding("partial", "read_write", "array<f32>"),
        )

    def workgroup(self, tier: Tier) -> int:
        return LANES

    def grid(self, tier: Tier, tokens: int) -> Grid:
        return (self.n_splits, self.n_heads // self.block, 1)
