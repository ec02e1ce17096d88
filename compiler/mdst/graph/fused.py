"""Fused operators: what passes make of the plain ones. Each becomes one kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar

from ..quant.records import BLOCK, record_words
from .ops import Cache, Op, RmsNorm, Rotary, Types, check_table, require
from .types import KV, U32, Dim, TensorType

V = TypeVar("V")


Record = Literal["plain", "normed"] | None
"""Whether an operator also leaves the records of its first output, times the weight γ of the norm
that follows (its last input) or as they are."""


def recorded_width(records: TensorType) -> int:
    """The number of values whose records these are."""
    require(records.dtype == U32 and records.width % 12 == 0, f"{records} are no records")
    return records.width // 12 * BLOCK


def recorded(out: TensorType, record: Record, inputs: tuple[TensorType, ...]) -> Types:
    """The type of the records of `out`, if there are any."""
    if record is None:
        return ()
    require(out.width % BLOCK == 0, "records are of whole blocks")
    require(record == "plain" or inputs[-1].shape == (out.width,), "γ is as wide as the values")
    return (TensorType((*out.shape[:-1], record_words(out.width)), U32),)


@dataclass(frozen=True, slots=True)
class Quantise(Op):
    """x [T, W], [γ [W]] → records of x or of x ⊙ γ (quant/records.py)."""

    def infer(self, *inputs: TensorType) -> Types:
        require(1 <= len(inputs) <= 2, "values and perhaps a weight")
        return recorded(inputs[0], "plain" if len(inputs) == 1 else "normed", inputs)


@dataclass(frozen=True, slots=True)
class RecordedNorm(Op):
    """RmsNorm that leaves records alone: x [T, W], weight [W] → records."""

    epsilon: float

    def infer(self, *inputs: TensorType) -> Types:
        (out,) = RmsNorm(self.epsilon).infer(*inputs)
        return recorded(out, "plain", inputs)


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

    Inputs in order: x, [norm weight], per part: W_p, [scale_p], [bias_p], then [residual], [γ].
    `norm` is the norm's epsilon, or None; `last_row`: only the last token's row is used.

    With `int8`, x is the records of x ⊙ norm weight (Quantise), and there is no norm weight among
    the inputs; or, with `own_records`, values and weight as ever, of which the projection makes the
    records for itself. With `record`, a second output is the records of out (⊙ γ when `record` is
    normed).
    """

    parts: tuple[ProjectionPart, ...]
    norm: float | None = None
    gated: bool = False
    residual: bool = False
    last_row: bool = False
    int8: bool = False
    own_records: bool = False
    record: Record = None

    @property
    def takes_records(self) -> bool:
        return self.int8 and not self.own_records

    def infer(self, *inputs: TensorType) -> Types:
        x = inputs[0]
        rows: list[Dim] = []
        width = recorded_width(x) if self.takes_records else x.width
        if self.own_records:
            require(self.int8 and self.norm is not None, "records are of what a norm weighs")
        for weight, scale, bias in self.weights(inputs):
            require(weight.width == width, f"rows of {weight} do not fit {x}")
            require(scale is None or scale.shape == (1,), "a scale is one value")
            require(bias is None or bias.shape == weight.shape[:1], "a bias has one value per row")
            rows.append(weight.shape[0])
        if self.gated:
            require(len(rows) == 2 and rows[0] == rows[1], "gate and up have equal rows")
            rows.pop()
        leading = (1,) if self.last_row else x.shape[:-1]
        out = TensorType((*leading, sum(n for n in rows if isinstance(n, int))))
        residual = self.residual_of(inputs)
        if residual is not None:
            require(residual == out, "the residual has the output's shape")
        return (out, *recorded(out, self.record, inputs))

    def norm_weight(self, inputs: tuple[V, ...]) -> V | None:
        """The norm's weight among `inputs`."""
        return inputs[1] if self.norm is not None and not self.takes_records else None

    def residual_of(self, inputs: tuple[V, ...]) -> V | None:
        """The residual among `inputs`."""
        if not self.residual:
            return None
        return inputs[-2] if self.record == "normed" else inputs[-1]

    def weights(self, inputs: tuple[V, ...]) -> list[tuple[V, V | None, V | None]]:
        """(weight, scale, bias) per part among `inputs`."""
        rest = iter(inputs[1 if self.norm is None or self.takes_records else 2 :])
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
class RopeAttention(Op):
    """QkvRope and attention of one token in one step, while the token stands before position
    `reach`, which no window has slid past.

    Inputs: as QkvRope. Outputs: [1, heads · D], the cache, [records of the first].
    """

    rope: QkvRope
    scale: float
    reach: int
    record: bool = False

    def infer(self, *inputs: TensorType) -> Types:
        out, cache = self.rope.infer(*inputs)
        require(out.shape[0] == 1, "one token")
        require(self.reach <= self.rope.cache.window, "nothing has left the window")
        return (out, cache, *recorded(out, "plain" if self.record else None, inputs))


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
class RopeAttentionSplit(Op):
    """QkvRope and AttentionSplit of one token in one step.

    Inputs: as QkvRope. Outputs: the parts of AttentionSplit, the cache.
    """

    rope: QkvRope
    scale: float
    split: int
    n_splits: int

    @property
    def attention(self) -> AttentionSplit:
        return AttentionSplit(self.rope.cache, self.scale, self.split, self.n_splits)

    def infer(self, *inputs: TensorType) -> Types:
        q, cache = self.rope.infer(*inputs)
        return (*self.attention.infer(q, cache), cache)


@dataclass(frozen=True, slots=True)
class AttentionReduce(Op):
    """Joins the parts of AttentionSplit → [1, heads · D], [its records]."""

    cache: Cache
    split: int
    record: bool = False

    def infer(self, *inputs: TensorType) -> Types:
        (partial,) = inputs
        heads, _, width = partial.shape
        require(width == self.cache.head_dim + 2 and isinstance(heads, int), "parts of a split")
        assert isinstance(heads, int)
        out = TensorType((1, heads * self.cache.head_dim))
        return (out, *recorded(out, "plain" if self.record else None, inputs))


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
