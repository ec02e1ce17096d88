"""Matrix · vector with integer dot products: the linear layers of decoding on int8 records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from ...quant.records import BLOCK
from ..kernel import Binding, Grid, fold
from ..part import Part
from ..tiers import Tier
from .emit import Emit, emit_bindings
from .linear import Linear

TEAM = 32
"""Lanes that share a row."""
ROWS = BLOCK
"""Outputs of one workgroup that leaves records: one block."""
MOST_TEAMS = {"dp4a": 8, "dp4a32": 32}
"""Rows that a workgroup works on at the same time."""


@dataclass(frozen=True, slots=True)
class MatVecInt8(Linear):
    """MatVec of x as records (quant/records.py): with codes c of 32 weights and q of 32 values,

        Σ_k W[n,k] · x[k] ≈ Σ_blocks s_w · (s_x · Σ c · q − zero · s_x · Σ q) − m_w · s_x · Σ q

    where Σ c · q is a sum of 32-bit integers. With `norm` (its ε), x holds records of x ⊙ γ, and
    the sums are divided by the root mean square that the records tell.

    Bindings: state; w: weights; x: records of [K]; residual: float32 [N], if any; out: float32 [N],
    if `plain`; γ: float32, record: records of out (⊙ γ), if `emit`.

    A workgroup computes `rows` outputs; TEAM lanes share each, one 16-byte load of codes per lane
    and step.
    """

    template: ClassVar[str] = "matvec_int8"

    parts: tuple[Part, ...]
    norm: float | None
    residual: bool
    glu: Literal["silu"] | None
    rows: int
    plain: bool
    emit: Emit | None

    @classmethod
    def plan(
        cls,
        parts: tuple[Part, ...],
        *,
        norm: float | None = None,
        residual: bool = False,
        glu: Literal["silu"] | None = None,
        plain: bool = True,
        emit: Emit | None = None,
    ) -> MatVecInt8:
        """Whole blocks of rows where records are left; else fewer, for more workgroups."""
        rows = ROWS if emit else ROWS // 4
        return cls(parts, norm, residual, glu, rows, plain, emit)

    @property
    def products(self) -> int:
        """Dot products of an output."""
        return len(self.segments[0].parts)

    @property
    def group_rows(self) -> int:
        return self.rows

    @property
    def bindings(self) -> tuple[Binding, ...]:
        given = self.bindings_over("u32")
        return (*(given if self.plain else given[:-1]), *emit_bindings(self.emit))

    def teams(self, tier: Tier) -> int:
        return min(self.rows, MOST_TEAMS[tier])

    def workgroup(self, tier: Tier) -> int:
        return TEAM * self.teams(tier)

    def grid(self, tier: Tier, tokens: int) -> Grid:
        return fold(self.groups)
