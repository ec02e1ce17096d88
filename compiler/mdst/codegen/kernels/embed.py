"""Token ids → rows of the embedding table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..kernel import Binding, Grid, KernelParams
from ..part import Part
from ..tiers import Tier

LANES = 64


@dataclass(frozen=True, slots=True)
class Embed(KernelParams):
    """out[t] = table[tokens[(position + t) mod `context`]] for t < n_tokens.

    `slices` are (first row in the table, part), in order, each with its own binding. A table of
    more than four slices takes several of these kernels: each leaves tokens of other rows as they
    are. An id of `vocab` or more becomes zeros; the kernel that has the table's last row writes
    them.

    `interleaved`: rows of out are not in plain order (quant/interleave.py).

    Bindings: state; tokens: uint32 [context]; table0, table1, …: weights; out: float32 [T, width].
    """

    template: ClassVar[str] = "embed"

    slices: tuple[tuple[int, Part], ...]
    vocab: int
    width: int
    context: int
    interleaved: bool = False

    @property
    def has_last_row(self) -> bool:
        first, part = self.slices[-1]
        return first + part.rows == self.vocab

    @property
    def chunks(self) -> int:
        """Chunks of 32 weights per row."""
        return self.width // 32

    @property
    def bindings(self) -> tuple[Binding, ...]:
        return (
            Binding("state", "read", "State"),
            Binding("tokens", "read", "array<u32>"),
            *(Binding(f"table{i}", "read", "array<vec4<u32>>") for i in range(len(self.slices))),
            Binding("out", "read_write", "array<vec4<f32>>"),
        )

    def workgroup(self, tier: Tier) -> int:
        return LANES

    def grid(self, tier: Tier, tokens: int) -> Grid:
        return (-(-self.chunks // LANES), tokens, 1)
