"""Fused operators: what passes make of the plain ones. Each becomes one kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from .ops import Cache, Op, Rotary, Types, check_table, require
from .types import KV, U32, Dim, TensorType

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class ProjectionPart:
    """One weight of a Projection, and whether a scale [1] and a bias [N] follow it."""

    scale: bool = False
    bias: bool = False


@dataclass(frozen=True, slots=True)
class Projection(Op):
    """One pass over weights that share their input.

        y_p = (norm(x) @ W_pᵀ) · scale_p + bias_p       for every part p
        out = silu(y_0) · y_1  if gated,  else y_0 ‖ y_1 ‖ …      then + residual

    Inputs in order: x, [norm weight], per part: W_p, [scale_p], [bias_p], then [residual].
    `norm` is the norm's epsilon, or None; `last_row`: only the last token's row is used.
    """

    parts: tuple[ProjectionPart, ...]
    norm: float | None = None
    gated: bool = False
    residual: bool = False
    last_row: bool = False

    def infer(self, *inputs: TensorType) -> Types:
        x = inputs[0]
        rows: list[Dim] = []
        for weight, scale, bias in self.weights(inputs):
            require(weight.width == x.width, f"rows of {weight} do not fit {x}")
            require(scale is None or scale.shape == (1,), "a scale is one value")
            require(bias is None or bias.shape == weight.shape[:1], "a bias has one value per row")
            rows.append(weight.shape[0])
        if self.gated:
            require(len(rows) == 2 and rows[0] == rows[1], "gate and up have equal rows")
            rows.pop()
        leading = (1,) if self.last_row else x.shape[:-1]
        out = TensorType((*leading, sum(n for n in rows if isinstance(n, int))))
        if self.residual:
            require(inputs[-1] == out, "the residual has the output's shape")
        return (out,)

    def norm_weight(self, inputs: tuple[V, ...]) -> V | None:
        """The norm's weight among `inputs`."""
        return inputs[1] if self.norm is not None else None

    def weights(self, inputs: tuple[V, ...]) -> list[tuple[V, V | None, V | None]]:
        """(weight, scale, bias) per part among `inputs`."""
        rest = iter(inputs[1 if self.norm is None else 2 :])
        return [
            (next(rest), next(rest) if p.scale else None, next(rest) if p.bias else None)
            for p in self.parts
        ]


@dataclass(frozen=True, slots=True)
class QkvRope(Op):
    """HeadNorm (when `norm` is its epsilon), Rope and KvWrite of q ‖ k ‖ v in one step.

    Inputs: qkv [T, (heads + 2 · kv heads) · D], table, [q norm weight, k norm weight].
    Outputs: rotated q [T, heads · D], the cache.
    """

    n_heads: int
    cache: Cache
    rotary: Rotary
    norm: float | None = None

    def infer(self, *inputs: TensorType) -> Types:
        qkv, table = inputs[:2]
        head_dim = self.cache.head_dim
        require(
            qkv.width == (self.n_heads + 2 * self.cache.n_kv_heads) * head_dim, "q, k and v heads"
        )
        require(len(inputs) == (2 if self.norm is None else 4), "both norm weights or none")
        check_table(table, self.rotary)
        q = TensorType((*qkv.shape[:-1], self.n_heads * head_dim))
        return (q, TensorType((), KV))


@dataclass(frozen=True, slots=True)
class AttentionSplit(Op):
    """Attention of one token over parts of the visible keys: `n_splits` runs of `split` keys.
    q [1, heads · D] → [heads, n_splits, D + 2]: unnormalised sum, maximum, sum of exponentials
    (flash decoding, Dao et al. 2023)."""

    cache: Cache
    scale: float
    split: int
    n_splits: int

    def infer(self, *inputs: TensorType) -> Types:
        q, kv = inputs
        require(kv.dtype == KV and q.shape[0] == 1, "split attention is for one token")
        heads = q.width // self.cache.head_dim
        return (TensorType((heads, self.n_splits, self.cache.head_dim + 2)),)


@dataclass(frozen=True, slots=True)
class AttentionReduce(Op):
    """Joins the parts of AttentionSplit → [1, heads · D]."""

    cache: Cache
    split: int

    def infer(self, *inputs: TensorType) -> Types:
        (partial,) = inputs
        heads, _, width = partial.shape
        require(width == self.cache.head_dim + 2 and isinstance(heads, int), "parts of a split")
        assert isinstance(heads, int)
        return (TensorType((1, heads * self.cache.head_dim)),)


@dataclass(frozen=True, slots=True)
class SamplePrepare(Op):
    """Bias, masks and penalties: logits [1, V] → adjusted logits [1, V], and the best of each of
    `groups` ranges of ids, U32 [groups, 2]."""

    groups: int

    def infer(self, *inputs: TensorType) -> Types:
        (logits,) = inputs
        return (logits, TensorType((self.groups, 2), U32))


@dataclass(frozen=True, slots=True)
class SampleSelect(Op):
    """Filters, draw and book-keeping of the state → U32 [1]."""

    def infer(self, *inputs: TensorType) -> Types:
        adjusted, best = inputs
        require(adjusted.shape[0] == 1 and best.dtype == U32, "adjusted logits and their best")
        return (TensorType((1,), U32),)
