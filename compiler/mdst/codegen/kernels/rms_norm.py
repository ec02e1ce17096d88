"""Root mean square norm of each token's row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..kernel import Binding, Grid, KernelParams
from ..tiers import Tier

LANES = 256


@dataclass(frozen=True, slots=True)
class RmsNorm(KernelParams):
    """out = x / sqrt(mean(x²) + epsilon) · γ for each of n_tokens rows (Zhang & Sennrich,
    arXiv 1910.07467); γ: float32 [width] from 16 · `weight` bytes on in w. 4 divides `width`.

    `interleaved`: γ is not in plain order (quant/interleave.py).

    Bindings: state; w: weights; x, out: float32 [T, width]; with `record`, instead of out its
    records (quant/records.py), whose sums of squares are 0.
    """

    template: ClassVar[str] = "rms_norm"

    width: int
    epsilon: float
    weight: int
    interleaved: bool = False
    record: bool = False

    @property
    def blocks(self) -> int:
        return self.width // 32

    @property
    def bindings(self) -> tuple[Binding, ...]:
        return (
            Binding("state", "read", "State"),
            Binding("w", "read", "array<vec4<f32>>"),
            Binding("x", "read_write", "array<vec4<f32>>"),
            Binding("record", "read_write", "array<vec4<u32>>")
            if self.record
            else Binding("out", "read_write", "array<vec4<f32>>"),
        )

    def workgroup(self, tier: Tier) -> int:
        return LANES

    def grid(self, tier: Tier, tokens: int) -> Grid:
        return (tokens, 1, 1)
