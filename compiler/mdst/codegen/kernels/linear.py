"""What the kernels of linear layers have in common, whatever their arithmetic and their tiles."""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal

from ..kernel import Binding, KernelParams
from ..part import Part
from .segments import Segment, segments


class Linear(KernelParams):
    """A layer whose weights W [N, K] are the rows of `parts` one after another; with `glu` they are
    gate and up of N rows each."""

    parts: tuple[Part, ...]
    glu: Literal["silu"] | None
    residual: bool

    @property
    @abstractmethod
    def group_rows(self) -> int:
        """Outputs per token of one workgroup."""

    @property
    def cols(self) -> int:
        """K."""
        return self.parts[0].cols

    @property
    def segments(self) -> tuple[Segment, ...]:
        return segments(self.parts, self.glu is not None, self.group_rows)

    @property
    def outputs(self) -> int:
        """N."""
        return sum(segment.rows for segment in self.segments)

    @property
    def groups(self) -> int:
        """Workgroups along the rows."""
        return self.segments[-1].end_group

    def bindings_over(self, x: Literal["f32", "u32"]) -> tuple[Binding, ...]:
        """state, w, x, [residual], out; `x` is float32, or records."""
        return (
            Binding("state", "read", "State"),
            Binding("w", "read", "array<vec4<u32>>"),
            Binding("x", "read_write", f"array<vec4<{x}>>"),
            *([Binding("residual", "read_write", "array<f32>")] if self.residual else []),
            Binding("out", "read_write", "array<f32>"),
        )
