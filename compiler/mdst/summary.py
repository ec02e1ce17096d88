"""The figures of a finished compile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .bundle.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Summary:
    """What there is to tell about a bundle; sizes in bytes."""

    manifest: Manifest
    quant_mix: Mapping[str, int]
    """Bytes of tensor data per GGUF type."""
    fused: Mapping[str, int]
    """Operators of the program that `dispatches` counts, and how many of each there are."""
    checked: Sequence[str]
    """Sentences on what was validated."""
    moved_aside: Path | None
    """Where something foreign went that stood in the way."""

    @property
    def weight_bytes(self) -> int:
        return self._sum("weights")

    @property
    def memory(self) -> dict[str, int]:
        """GPU memory per kind of buffer."""
        kinds = dict.fromkeys(buffer.kind for buffer in self.manifest.buffers)
        return {kind: self._sum(kind) for kind in kinds}

    @property
    def dispatches(self) -> int:
        """Dispatches per token at the beginning of a text, in the highest tier."""
        decode = (p for p in self.manifest.tiers[-1].programs if p.phase == "decode")
        return len(next(decode).steps)

    @property
    def kernels(self) -> int:
        """Distinct kernels of the highest tier."""
        return len(self.manifest.tiers[-1].kernels)

    def _sum(self, kind: str) -> int:
        return sum(b.size for b in self.manifest.buffers if b.kind == kind)
