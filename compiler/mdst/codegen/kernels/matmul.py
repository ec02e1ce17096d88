"""Matrix · matrix: the linear layers of prefill, in tiles through workgroup memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from ..kernel import Binding, Grid
from ..part import Part
from ..tiers import Tier
from .linear import Linear

ROW_STEPS = 4
"""Rows of the tile that one invocation computes."""
TOKEN_GROUPS = 8
"""Invocations that share the tokens of the tile."""
BUSY_GROUPS = 256
"""Workgroups that a large GPU (132 multiprocessors) wants before tiles may grow."""


@dataclass(frozen=True, slots=True)
class MatMul(Linear):
    """out[t, n] = (Σ_k W[n,k] · x[t,k]) · scale + bias[n] (+ residual[t, n]) for t < n_tokens,
    where the rows of `parts` follow each other in W [N, K].

    With `glu`, the parts are gate and up of N rows each, and out[t, n] = silu(gate) · up (Shazeer
    2020, SwiGLU); half of a tile's rows are gate, the other half the same rows of up.

    Bindings: state; w: weights; x: float32 [T, K]; residual, if any, and out: float32 [T, N] with
    rows `out_stride` elements apart, so that a slice of W writes its columns of a wider output.

    A workgroup computes `tile_tokens` × `tile_rows` products. It has 2 · `tile_rows` invocations:
    for each step of 32 inputs one half decodes a chunk per row, the other loads x; then each
    invocation multiplies 4 rows by `tile_tokens` / 8 tokens, all apart by equal strides.
    """

    template: ClassVar[str] = "matmul"

    parts: tuple[Part, ...]
    residual: bool
    glu: Literal["silu"] | None
    out_stride: int
    tile_rows: int
    tile_tokens: int

    @classmethod
    def plan(
        cls,
        parts: tuple[Part, ...],
        tokens: int,
        *,
        residual: bool = False,
        glu: Literal["silu"] | None = None,
        out_stride: int | None = None,
    ) -> MatMul:
        """Chooses tiles for chunks of `tokens`: 64 × 64, or less where few workgroups would be
        left. `out_stride` is N unless given."""
        total = sum(part.rows for part in parts)
        wanted = next(size for size in (8, 16, 32, 64) if size >= min(tokens, 64))
        tile_rows, tile_tokens = 64, wanted
        for tile_rows, tile_tokens in ((64, wanted), (64, min(wanted, 32)), (32, min(wanted, 32))):
            if -(-total // tile_rows) * -(-tokens // tile_tokens) >= BUSY_GROUPS:
                break
        stride = out_stride or (total // 2 if glu else total)
        return cls(parts, residual, glu, stride, tile_rows, tile_tokens)

    @property
    def group_rows(self) -> int:
        """Outputs per token of one workgroup."""
        return self.tile_rows // 2 if self.glu else self.tile_rows

    @property
    def row_stride(self) -> int:
        """Between the rows of one invocation in the tile."""
        return self.tile_rows // ROW_STEPS

    @property
    def token_steps(self) -> int:
        """Tokens of one invocation, `TOKEN_GROUPS` apart."""
        return self.tile_tokens // TOKEN_GROUPS

    @property
    def bindings(self) -> tuple[Binding, ...]:
        return self.bindings_over("f32")

    def workgroup(self, tier: Tier) -> int:
        return self.row_stride * TOKEN_GROUPS

    def grid(self, tier: Tier, tokens: int) -> Grid:
        """Token tiles first: workgroups that run together share the weights of their rows."""
        return (-(-tokens // self.tile_tokens), self.groups, 1)
