"""Types of the values in a graph: a shape, which may begin with the chunk, and a dtype."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Dim = int | Literal["T"]

T: Final = "T"
"""The number of tokens that one run of a program processes; the only symbolic dimension."""

F32: Final = "F32"
U32: Final = "U32"
KV: Final = "KV"
"""A layer's key-value cache: an effect that orders reads after writes, not a tensor."""


@dataclass(frozen=True, slots=True)
class TensorType:
    """`shape` row-major, fastest axis last; `dtype` is F32, U32, KV or a GGUF format name such as
    Q4_K (weights only)."""

    shape: tuple[Dim, ...]
    dtype: str = F32

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]"

    @property
    def width(self) -> int:
        """Length of the last axis."""
        last = self.shape[-1]
        assert isinstance(last, int)
        return last

    def elements(self, tokens: int) -> int:
        """Number of values when T = `tokens`."""
        count = 1
        for dim in self.shape:
            count *= tokens if dim == T else dim
        return count
