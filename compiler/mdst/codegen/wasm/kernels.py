"""Parameters of the WASM kernels: all that a function's text depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from ..kernels.kv_cache import KvCache
from .formats import Shape, WasmFormat, WasmPlane

_SCRATCH_ROWS = 1 << 16
"""Bytes of decoded rows that tokens meet together: they stay in the second cache level."""
_MOST_ROWS = 32
_MOST_HEADS = 8


@dataclass(frozen=True, slots=True)
class MatMul:
    """Rows of `chunks` chunks of a format times activations."""

    template: ClassVar[str] = "matmul"
    format: WasmFormat
    chunks: int

    @property
    def function(self) -> str:
        return f"$matmul_{self.format.name}_{self.chunks}"

    @property
    def shape(self) -> Shape:
        return self.format.shape(self.chunks)

    @property
    def groups(self) -> int:
        """What decoders count: groups, or chunks of floats."""
        return self.chunks if self.format.kind == "f32" else self.shape.chunks // 8

    @property
    def block_rows(self) -> int:
        """Rows that are decoded before tokens meet them."""
        return min(_MOST_ROWS, max(4, _SCRATCH_ROWS // self.shape.row))

    @property
    def scratch(self) -> int:
        return self.block_rows * self.shape.row

    def row_bytes(self, plane: WasmPlane) -> int:
        return plane.row_bytes(self.chunks)


@dataclass(frozen=True, slots=True)
class TableSlice:
    """Rows first … first + rows of a table: addresses of its planes and its code book."""

    first: int
    rows: int
    planes: tuple[tuple[WasmPlane, int], ...]
    grid: int


@dataclass(frozen=True, slots=True)
class Embed:
    """Rows of a table for the ids in a ring of `window` tokens."""

    template: ClassVar[str] = "embed"
    format: WasmFormat
    chunks: int
    window: int
    slices: tuple[TableSlice, ...]

    @property
    def function(self) -> str:
        return "$embed"

    @property
    def width(self) -> int:
        return 32 * self.chunks

    @property
    def shape(self) -> Shape:
        return self.format.shape(self.chunks)

    @property
    def groups(self) -> int:
        return self.chunks if self.format.kind == "f32" else self.shape.chunks // 8

    def row_bytes(self, plane: WasmPlane) -> int:
        return plane.row_bytes(self.chunks)


@dataclass(frozen=True, slots=True)
class RmsNorm:
    """`interleaved`: the order of the norm's weight (quant/interleave.py)."""

    template: ClassVar[str] = "rms_norm"
    width: int
    epsilon: str
    interleaved: bool

    @property
    def function(self) -> str:
        order = "_interleaved" if self.interleaved else ""
        return f"$rms_norm_{self.width}{order}_{self.epsilon}"


@dataclass(frozen=True, slots=True)
class QkvRope:
    """The heads of a layer; `index` tells layers of different geometry apart. `norm`: epsilon."""

    template: ClassVar[str] = "qkv_rope"
    n_heads: int
    cache: KvCache
    rope_dim: int
    interleaved: bool
    norm: str | None
    index: int = 0

    @property
    def function(self) -> str:
        return f"$qkv_rope{self.index}"

    @property
    def all_heads(self) -> int:
        return self.n_heads + 2 * self.cache.n_kv_heads

    @property
    def scratch(self) -> int:
        """Angles and two heads."""
        return 4 * self.rope_dim + 8 * self.cache.head_dim


@dataclass(frozen=True, slots=True)
class Attention:
    """`block` query heads share the reads of a key head."""

    template: ClassVar[str] = "attention"
    n_heads: int
    cache: KvCache
    scale: str
    index: int = 0

    @property
    def function(self) -> str:
        return f"$attention{self.index}"

    @property
    def block(self) -> int:
        group = self.n_heads // self.cache.n_kv_heads
        return max(n for n in range(1, _MOST_HEADS + 1) if group % n == 0)

    @property
    def blocks(self) -> int:
        return self.n_heads // self.block

    @property
    def score_bytes(self) -> int:
        """Room for the scores of a head, and four more that stand for nothing."""
        return (4 * self.cache.most_in_sight + 47) // 16 * 16

    @property
    def scratch(self) -> int:
        return self.block * self.score_bytes


Kernel = MatMul | Embed | RmsNorm | QkvRope | Attention


@dataclass(frozen=True, slots=True)
class Functions:
    """What a module's template renders: kernels in the order of first use, and what they call."""

    kernels: tuple[Kernel, ...]
    records: tuple[tuple[str, int], ...]
    gated: bool
    finished: bool
    layers: tuple[str, ...]
    head: tuple[str, ...]

    @property
    def formats(self) -> tuple[WasmFormat, ...]:
        found = [k.format for k in self.kernels if isinstance(k, MatMul | Embed)]
        return tuple(dict.fromkeys(found))

    @property
    def multiplied(self) -> set[str]:
        return {k.format.name for k in self.kernels if isinstance(k, MatMul)}

    @property
    def dots(self) -> tuple[tuple[Shape, int], ...]:
        """Products of decoded rows: of four tokens, and of one where they are not fused."""
        products = [k for k in self.kernels if isinstance(k, MatMul)]
        found: Mapping[tuple[Shape, int], None] = dict.fromkeys(
            (k.shape, tokens) for k in products for tokens in ((4,) if k.format.fused else (4, 1))
        )
        return tuple(found)

    @property
    def caches(self) -> tuple[KvCache, ...]:
        """One for each size of heads."""
        sizes = {k.cache.head_dim: k.cache for k in self.kernels if isinstance(k, QkvRope)}
        return tuple(sizes.values())

    @property
    def half_cache(self) -> bool:
        return any(cache.format == "f16" for cache in self.caches)
