"""Values → int8 records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..kernel import Binding, Grid, KernelParams
from ..tiers import Tier

LANES = 256
BLOCKS = 32
"""Blocks of one workgroup."""


@dataclass(frozen=True, slots=True)
class Quantise(KernelParams):
    """Records (quant/records.py) of x [T, width], ⊙ γ where `gamma` is not None: γ's offset in its
    binding in units of 16 bytes. `interleaved` names the vectors among x and gamma that are not in
    plain order (quant/interleave.py).

    Bindings: state; w: weights, if there is γ; x: float32 [T, width]; record: [T, 3 · width / 8].
    """

    template: ClassVar[str] = "quantise"

    width: int
    gamma: int | None
    interleaved: frozenset[str] = frozenset()

    @property
    def blocks(self) -> int:
        return self.width // 32

    @property
    def bindings(self) -> tuple[Binding, ...]:
        weights = (Binding("w", "read", "array<vec4<f32>>"),) if self.gamma is not None else ()
        return (
            Binding("state", "read", "State"),
            *weights,
            Binding("x", "read_write", "array<vec4<f32>>"),
            Binding("record", "read_write", "array<vec4<u32>>"),
        )

    def workgroup(self, tier: Tier) -> int:
        return LANES

    def grid(self, tier: Tier, tokens: int) -> Grid:
        return (-(-self.blocks // BLOCKS), tokens, 1)
