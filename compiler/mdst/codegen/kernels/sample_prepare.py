"""First half of the sampler: bias, mask and penalties, and the best token of each workgroup."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..kernel import Binding, Grid, KernelParams
from ..tiers import Tier

TOKENS_PER_GROUP = 1024
"""Four per invocation."""


@dataclass(frozen=True, slots=True)
class SamplePrepare(KernelParams):
    """adjusted = penalise(logits, counts, bias) as in sampling.py.

    Bindings: `state`; `logits` and `bias` float32 [n_vocab] (bound as words, since a shader may
    assume that no float is NaN or infinite); `counts` u32 [n_vocab]; `adjusted` float32
    [n_vocab rounded up to 4] (the rest is masked); `maxima` (key, id) [groups]: the best token of
    each 1024, its logit as a key that orders like the logit.
    """

    n_vocab: int

    template: ClassVar[str] = "sample_prepare"

    @property
    def groups(self) -> int:
        return -(-self.n_vocab // TOKENS_PER_GROUP)

    @property
    def bindings(self) -> tuple[Binding, ...]:
        return (
            Binding("state", "read", "State"),
            Binding("logits", "read_write", "array<u32>"),
            Binding("counts", "read", "array<u32>"),
            Binding("bias", "read", "array<u32>"),
            Binding("adjusted", "read_write", "array<u32>"),
            Binding("maxima", "read_write", "array<vec2<u32>>"),
        )

    def workgroup(self, tier: Tier) -> int:
        return 256

    def grid(self, tier: Tier, tokens: int) -> Grid:
        return (self.groups, 1, 1)
