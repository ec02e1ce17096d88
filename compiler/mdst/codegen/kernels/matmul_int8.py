"""Matrix · matrix with integer dot products: the linear layers of prefill on int8 records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from ..kernel import Binding, Grid
from ..part import Part
from ..tiers import Tier
from .linear import Linear

LANES = 256
SIDE = 16
"""Lanes along the rows, and along the tokens, of a tile."""
BUSY_GROUPS = 256
"""Workgroups that a large GPU (132 multiprocessors) wants before tiles may grow."""


@dataclass(frozen=True, slots=True)
class MatMulInt8(Linear):
    """MatMul of x as records (quant/records.py), with sums over blocks as in MatVecInt8.

    With `glu`, the parts are gate and up of N rows each, and out[t, n] = silu(gate) · up; half of a
    tile's rows are gate, the other half the same rows of up.

    Bindings: state; w: weights; x: records [T, 3 · K / 8]; residual, if any, and out: float32
    [T, N] with rows `out_stride` elements apart, so that a slice of W writes its columns of a wider
    output.

    A workgroup computes `tile_tokens` × `tile_rows` products in steps of `blocks` blocks of 32
    inputs: codes of weights, less their zero, and of inputs go through workgroup memory; each lane
    multiplies tile_rows / 16 rows by tile_tokens / 16 tokens, 16 apart.
    """

    template: ClassVar[str] = "matmul_int8"

    parts: tuple[Part, ...]
    residual: bool
    glu: Literal["silu"] | None
    out_stride: int
    tile_rows: int
    tile_tokens: int
    blocks: int

    @classmethod
    def plan(
        cls,
        parts: tuple[Part, ...],
        tokens: int,
        *,
        residual: bool = False,
        glu: Literal["silu"] | None = None,
        out_stride: int | None = None,
    ) -> MatMulInt8:
        """Chooses tiles for chunks of `tokens`: the largest that leave enough workgroups."""
        total = sum(part.rows for part in parts)
        wanted = next(size for size in (16, 32, 64) if size >= min(tokens, 64))
        tiles = ((128, wanted), (64, wanted), (64, min(wanted, 32)), (32, min(wanted, 32)))
        for tile_rows, tile_tokens in tiles:
            if -(-total // tile_rows) * -(-tokens // tile_tokens) >= BUSY_GROUPS:
                break
        stride = out_stride or (total // 2 if glu else total)
        chunks = parts[0].cols // 32
        blocks = 2 if chunks % 2 == 0 else 1
        return cls(parts, residual, glu, stride, tile_rows, tile_tokens, blocks)

    @property
    def group_rows(self) -> int:
        """Outputs per token of one workgroup."""
        return self.tile_rows // 2 if self.glu else self.tile_rows

    @property
    def lane_rows(self) -> int:
        """Rows of one lane, SIDE apart in the tile."""
        return self.tile_rows // SIDE

    @property
    def lane_tokens(self) -> int:
        """Tokens of one lane, SIDE apart in the tile."""
        return self.tile_tokens // SIDE

    @property
    def bindings(self) -> tuple[Binding, ...]:
        return self.bindings_over("u32")

    def workgroup(self, tier: Tier) -> int:
        return LANES

    def grid(self, tier: Tier, tokens: int) -> Grid:
        """Token tiles first: workgroups that run together share the weights of their rows."""
        return (-(-tokens // self.tile_tokens), self.groups, 1)
