"""What lies between the QKV projection and attention: QK-norm, RoPE, the write into the cache."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..kernel import Binding, Grid, KernelParams
from ..tiers import Tier
from .kv_cache import KvCache

LANES = 64
SINKS_PER_GROUP = 8
"""Sinks that one workgroup turns."""


@dataclass(frozen=True, slots=True)
class QkvRope(KernelParams):
    """For each token: RMS norm of each query and key head, where there is one (γ: float32 [D] from
    16 · `q_norm` and 16 · `k_norm` bytes on in w); RoPE of their first `rope_dim` values (rope.py);
    then q to its own buffer, k and v into the cache (kv_cache.py). Positions below MAX_SINKS also
    leave their key before RoPE and their value in the slots for sinks; in steps of one token extra
    workgroups turn the sinks in sight to their new positions.

    Bindings: state; rope: float32 [3, 256, rope_dim / 2, 2]; w: weights (only with norms);
    qkv: float32 [T, (H + 2 · Hkv) · D]; q: float32 [T, H · D]; k, v: the cache.
    """

    template: ClassVar[str] = "qkv_rope"

    n_heads: int
    cache: KvCache
    rope_dim: int
    interleaved: bool
    q_norm: int | None
    k_norm: int | None
    norm_epsilon: float

    @property
    def has_norm(self) -> bool:
        return self.q_norm is not None or self.k_norm is not None

    @property
    def all_heads(self) -> int:
        return self.n_heads + 2 * self.cache.n_kv_heads

    @property
    def sink_groups(self) -> int:
        """Workgroups for the sinks of one key head."""
        return self.cache.max_sinks // SINKS_PER_GROUP

    @property
    def sinks_per_group(self) -> int:
        return SINKS_PER_GROUP

    @property
    def bindings(self) -> tuple[Binding, ...]:
        weights = (Binding("w", "read", "array<f32>"),) if self.has_norm else ()
        return (
            Binding("state", "read", "State"),
            Binding("rope", "read", "array<vec2<f32>>"),
            *weights,
            Binding("qkv", "read_write", "array<f32>"),
            Binding("q", "read_write", "array<f32>"),
            self.cache.by_words("k"),
            self.cache.by_words("v"),
        )

    def workgroup(self, tier: Tier) -> int:
        return LANES

    def grid(self, tier: Tier, tokens: int) -> Grid:
        sinks = self.cache.n_kv_heads * self.sink_groups if tokens == 1 else 0
        return (self.all_heads + sinks, tokens, 1)
