"""Joins the parts that attention_split leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..kernel import Binding, Grid, KernelParams
from ..tiers import Tier
from .emit import Emit, emit_bindings
from .kv_cache import KvCache

LANES = 256
DIMS = 32
"""Values of a head that one workgroup writes."""
EACH = 8
"""Splits whose values a lane reads at once."""


@dataclass(frozen=True, slots=True)
class AttentionReduce(KernelParams):
    """out = Σ_s exp(m_s − M) · a_s / Σ_s exp(m_s − M) · l_s with M = max_s m_s, over the splits
    that have a key in sight (kv_cache.py says how many there are).

    `interleaved`: out is not in plain order (quant/interleave.py).

    Bindings: state; partial: float32 [H, n_splits, D + 2] = a, m, l; out: float32 [1, H · D], or
    with `record` its records.
    """

    template: ClassVar[str] = "attention_reduce"

    n_heads: int
    cache: KvCache
    split: int
    n_splits: int
    interleaved: bool = False
    record: bool = False

    @property
    def dims(self) -> int:
        return DIMS

    @property
    def each(self) -> int:
        return EACH

    @property
    def blocks(self) -> int:
        """Blocks of the whole output."""
        return self.n_heads * self.cache.head_dim // DIMS

    @property
    def bindings(self) -> tuple[Binding, ...]:
        return (
            (
                Binding("state", "read", "State"),
                Binding("partial", "read_write", "array<f32>"),
                *emit_bindings(Emit(self.blocks)),
            )
            if self.record
            else (
                Binding("state", "read", "State"),
                Binding("partial", "read_write", "array<f32>"),
                Binding("out", "read_write", "array<f32>"),
            )
        )

    def workgroup(self, tier: Tier) -> int:
        return LANES

    def grid(self, tier: Tier, tokens: int) -> Grid:
        return (self.n_heads, -(-self.cache.head_dim // DIMS), 1)
