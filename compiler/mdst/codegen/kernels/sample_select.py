"""Second half of the sampler: filters, draw, and the state of the next step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..kernel import Binding, Grid, KernelParams
from ..tiers import Tier


@dataclass(frozen=True, slots=True)
class SampleSelect(KernelParams):
    """id = choose(adjusted) as in sampling.py; then the state moves on by one token:

    tokens[(position + n_tokens) mod context] = id, counts[id] += 1, step += 1,
    position += n_tokens, n_tokens = 1, done = 1 after an end token, else 2 once the position
    reaches the limit. Nothing changes when done was set before.

    Bindings: `state`; `adjusted` float32 [n_vocab rounded up to 4] and `maxima` (key, id) [groups]
    from SamplePrepare; `tokens` u32 [context]; `counts` u32 [n_vocab].

    One workgroup, because filters and draw need sums over the whole vocabulary in between. It reads
    the logits once when no filter is on, three times more for top-p and one to three for top-k.
    """

    n_vocab: int
    context: int
    groups: int

    template: ClassVar[str] = "sample_select"

    @property
    def bindings(self) -> tuple[Binding, ...]:
        return (
            Binding("state", "read_write", "State"),
            Binding("adjusted", "read_write", "array<vec4<u32>>"),
            Binding("maxima", "read_write", "array<vec2<u32>>"),
            Binding("tokens", "read_write", "array<u32>"),
            Binding("counts", "read_write", "array<u32>"),
        )

    def workgroup(self, tier: Tier) -> int:
        return 256

    def grid(self, tier: Tier, tokens: int) -> Grid:
        return (1, 1, 1)
