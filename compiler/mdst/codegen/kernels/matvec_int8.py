"""Matrix · vector with integer dot products: the linear layers of decoding on int8 records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from ...quant.layout import format_named
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
MIN_TEAMS = 8
MOST_TEAMS = {"dp4a": MIN_TEAMS, "dp4a32": 32}
"""Teams of a workgroup."""
BUSY_TEAMS = 8192
BUSY_GROUPS = 256
"""What keeps a large GPU (132 multiprocessors) busy: where there are fewer outputs than teams,
several teams share one."""
MOST_SHARE = 4


def _power(most: int) -> int:
    """The largest power of two that is at most `most`, or 1."""
    return 1 << max(most, 1).bit_length() - 1


@dataclass(frozen=True, slots=True)
class MatVecInt8(Linear):
    """MatVec of x as records (quant/records.py): with codes c of 32 weights and q of 32 values,

        Σ_k W[n,k] · x[k] ≈ Σ_blocks s_w · (s_x · Σ c · q − zero · s_x · Σ q) − m_w · s_x · Σ q

    where Σ c · q is a sum of 32-bit integers. With `norm` (its ε), x holds records of x ⊙ γ, and
    the sums are divided by the root mean square that the records tell. With `own_gamma` (where γ,
    float32 [K] in plain order, begins in `w`, in units of 16 bytes), x are the values themselves,
    and each workgroup makes the records for itself.

    Bindings: state; w: weights; x: records of [K], or float32 [K] with `own_gamma`; residual:
    float32 [N], if any; out: float32 [N], if `plain`; γ: float32, record: records of out (⊙ γ), if
    `emit`.

    A workgroup computes `rows` outputs; TEAM lanes share each (or several teams do), one 16-byte
    load of codes per lane and step.
    """

    template: ClassVar[str] = "matvec_int8"

    parts: tuple[Part, ...]
    norm: float | None
    residual: bool
    glu: Literal["silu"] | None
    rows: int
    plain: bool
    emit: Emit | None
    own_gamma: int | None = None

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
        own_gamma: int | None = None,
    ) -> MatVecInt8:
        """Whole blocks of rows where records are left, half of one where each workgroup has records
        to make before it can begin; else as many as leave enough workgroups."""
        outputs = sum(part.rows for part in parts) // (len(parts) if glu else 1)
        rows = ROWS if emit else ROWS // 2
        if emit is None and own_gamma is None:
            rows = ROWS // 4
            if outputs < BUSY_TEAMS:
                rows = min(max(_power(outputs // BUSY_GROUPS), ROWS // 8), ROWS // 2)
        return cls(parts, norm, residual, glu, rows, plain, emit, own_gamma)

    @property
    def products(self) -> int:
        """Dot products of an output."""
        return len(self.segments[0].parts)

    @property
    def last_first(self) -> bool:
        """Whether the last part has more bits a weight than the first (Q6_K behind Q4_K)."""
        first, last = (format_named(self.parts[i].type) for i in (0, -1))
        return not self.glu and last.bytes * first.block > first.bytes * last.block

    @property
    def group_rows(self) -> int:
        return self.rows

    @property
    def bindings(self) -> tuple[Binding, ...]:
        given = self.bindings_over("u32" if self.own_gamma is None else "f32")
        return (*(given if self.plain else given[:-1]), *emit_bindings(self.emit))

    def share(self, tier: Tier) -> int:
        """Teams that share a row: several where outputs are few, rows long and lanes at hand."""
        if self.own_gamma is not None or self.emit is not None:
            return 1
        most = min(
            MOST_SHARE,
            BUSY_TEAMS // self.outputs,
            self.cols // (TEAM * BLOCK),
            MOST_TEAMS[tier] // self.rows,
        )
        return _power(most)

    def teams(self, tier: Tier) -> int:
        """Gated rows need the registers of two: with 32 teams the compiler runs out of them."""
        most = max(MOST_TEAMS[tier] // self.products, MIN_TEAMS)
        return min(self.rows * self.share(tier), most)

    def workgroup(self, tier: Tier) -> int:
        return TEAM * self.teams(tier)

    def grid(self, tier: Tier, tokens: int) -> Grid:
        return fold(self.groups)
