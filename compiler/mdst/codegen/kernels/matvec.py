"""Matrix · vector: the linear layers of decoding, with what stands before and after them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from ..kernel import Binding, Grid, fold
from ..part import Part
from ..tiers import Tier
from .linear import Linear
from .segments import Segment

MIN_LANES = 32
MAX_LANES = 64
MAX_DOTS = 4
"""Rows that one invocation multiplies with its piece of x at the same time."""
BUSY_GROUPS = 1024
"""Workgroups that a large GPU (132 multiprocessors) wants before rows are worth sharing x."""


@dataclass(frozen=True, slots=True)
class Norm:
    """RMS norm of x before the product: weight γ, float32 [K], at `offset` (in 16 bytes from the
    start of `w`); `epsilon` is added to the mean square."""

    offset: int
    epsilon: float


@dataclass(frozen=True, slots=True)
class MatVec(Linear):
    """out[n] = (Σ_k W[n,k] · x[k]) · scale + bias[n] (+ residual[n]) for one token, where the rows
    of `parts` follow each other in W [N, K].

    With `norm`, x is x ⊙ γ / sqrt(mean(x²) + ε) (Zhang & Sennrich 2019): each lane multiplies by γ
    and adds up its x² on the way, and the root divides the finished sums. With `glu`, the parts are
    gate and up of N rows each, and out[n] = silu(gate[n]) · up[n] (Shazeer 2020, SwiGLU).

    Bindings: state; w: weights; x: float32 [T, K], of which row 0 counts, or row n_tokens − 1 with
    `last_row`; residual: float32 [N], if any; out: float32 [N].

    `interleaved` names the vectors among x, gamma, residual and out that are not in plain order
    (quant/interleave.py).

    A workgroup of `lanes` invocations computes `rows` outputs: each lane takes every `lanes`-th
    chunk of 32 inputs, for all rows alike, so that x is read once per workgroup and 16 bytes of
    codes are one load.
    """

    template: ClassVar[str] = "matvec"

    parts: tuple[Part, ...]
    norm: Norm | None
    residual: bool
    glu: Literal["silu"] | None
    last_row: bool
    lanes: int
    rows: int
    interleaved: frozenset[str] = frozenset()

    @classmethod
    def plan(
        cls,
        parts: tuple[Part, ...],
        *,
        norm: Norm | None = None,
        residual: bool = False,
        glu: Literal["silu"] | None = None,
        last_row: bool = False,
        interleaved: frozenset[str] = frozenset(),
    ) -> MatVec:
        """Chooses `lanes` and `rows` for a large GPU: no lane without a chunk, and as many rows
        per workgroup as leave enough workgroups."""
        chunks = parts[0].cols // 32
        lanes = min(MAX_LANES, max(MIN_LANES, 1 << (chunks.bit_length() - 1)))
        per_row = len(parts) if glu else 1
        outputs = sum(part.rows for part in parts) // per_row
        rows = MAX_DOTS // per_row
        while rows > 1 and outputs < rows * BUSY_GROUPS:
            rows //= 2
        return cls(parts, norm, residual, glu, last_row, lanes, rows, interleaved)

    @property
    def sums(self) -> int:
        """Sums that a lane keeps: one per row (and part, when gated), and that of x² for a norm."""
        return self.rows * len(self.segments[0].parts) + (self.norm is not None)

    def dots(self, segment: Segment) -> tuple[tuple[int, int], ...]:
        """(part, row of the workgroup) of each sum but the last, that of x²."""
        return tuple((part, row) for part in segment.parts for row in range(self.rows))

    @property
    def group_rows(self) -> int:
        return self.rows

    @property
    def bindings(self) -> tuple[Binding, ...]:
        return self.bindings_over("f32")

    def workgroup(self, tier: Tier) -> int:
        return self.lanes

    def grid(self, tier: Tier, tokens: int) -> Grid:
        return fold(self.groups)
