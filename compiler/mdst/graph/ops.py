"""The operators. Each is a class with its attributes and `infer()`, which checks the types of its
inputs and gives those of its outputs.

Models are built from these alone; passes leave the operators of `fused` for codegen.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from ..errors import InternalError
from .types import KV, U32, Dim, T, TensorType

Types = tuple[TensorType, ...]


def require(condition: bool, message: str) -> None:
    """Raises InternalError: a graph that breaks an operator's contract is a bug of the compiler."""
    if not condition:
        raise InternalError("GRAPH001", message)


class Op(ABC):
    """A kind of operator. Instances are immutable and compare by their attributes."""

    __slots__ = ()

    @abstractmethod
    def infer(self, *inputs: TensorType) -> Types:
        """Output types for input types; raises InternalError when they do not fit."""


@dataclass(frozen=True, slots=True)
class Tokens(Op):
    """The token ids of this run: U32 [count]."""

    count: Dim = T

    def infer(self, *inputs: TensorType) -> Types:
        require(not inputs, "tokens have no inputs")
        return (TensorType((self.count,), U32),)


@dataclass(frozen=True, slots=True)
class Carried(Op):
    """A value that another program left at a fixed place, such as the last hidden state [T, E]."""

    name: str
    type: TensorType

    def infer(self, *inputs: TensorType) -> Types:
        require(not inputs, "a carried value has no inputs")
        return (self.type,)


@dataclass(frozen=True, slots=True)
class Constant(Op):
    """A tensor of the model file, or a table made at compile time, known by its name."""

    name: str
    type: TensorType

    def infer(self, *inputs: TensorType) -> Types:
        require(not inputs, "a constant has no inputs")
        return (self.type,)


@dataclass(frozen=True, slots=True)
class Embed(Op):
    """Rows of a table [vocabulary, E] for token ids [T] → [T, E]."""

    def infer(self, *inputs: TensorType) -> Types:
        tokens, table = inputs
        require(tokens.dtype == U32 and len(table.shape) == 2, "embed takes ids and a table")
        return (TensorType((*tokens.shape, table.width)),)


@dataclass(frozen=True, slots=True)
class RmsNorm(Op):
    """x / sqrt(mean(x²) + epsilon) · weight over the last axis (Zhang & Sennrich 2019)."""

    epsilon: float

    def infer(self, *inputs: TensorType) -> Types:
        x, weight = inputs
        require(weight.shape == x.shape[-1:], "the norm's weight spans the last axis")
        return (x,)


@dataclass(frozen=True, slots=True)
class HeadNorm(Op):
    """RmsNorm of each head by itself: x [T, heads · D], weight [D]."""

    epsilon: float

    def infer(self, *inputs: TensorType) -> Types:
        x, weight = inputs
        require(x.width % weight.width == 0, "a row holds whole heads")
        return (x,)


@dataclass(frozen=True, slots=True)
class MatMul(Op):
    """x [T, K] times weight [N, K] transposed → [T, N]."""

    def infer(self, *inputs: TensorType) -> Types:
        x, weight = inputs
        require(len(weight.shape) == 2, "a weight is a matrix")
        require(x.width == weight.width, f"rows of {weight} do not fit {x}")
        return (TensorType((*x.shape[:-1], weight.shape[0])),)


@dataclass(frozen=True, slots=True)
class Scale(Op):
    """x times the single value of a tensor [1]."""

    def infer(self, *inputs: TensorType) -> Types:
        x, factor = inputs
        require(factor.shape == (1,), "a scale is one value")
        return (x,)


@dataclass(frozen=True, slots=True)
class Bias(Op):
    """x [T, N] plus a vector [N]."""

    def infer(self, *inputs: TensorType) -> Types:
        x, bias = inputs
        require(bias.shape == x.shape[-1:], "a bias spans the last axis")
        return (x,)


@dataclass(frozen=True, slots=True)
class Add(Op):
    """x + y, element by element."""

    def infer(self, *inputs: TensorType) -> Types:
        x, y = inputs
        require(x == y, f"{x} and {y} differ")
        return (x,)


@dataclass(frozen=True, slots=True)
class SiluMul(Op):
    """silu(gate) · up with silu(a) = a / (1 + exp(−a)) (SwiGLU, Shazeer 2020)."""

    def infer(self, *inputs: TensorType) -> Types:
        gate, up = inputs
        require(gate == up, f"{gate} and {up} differ")
        return (gate,)


@dataclass(frozen=True, slots=True)
class Concat(Op):
    """Values [T, N_i] side by side → [T, Σ N_i]."""

    def infer(self, *inputs: TensorType) -> Types:
        leading = inputs[0].shape[:-1]
        require(all(x.shape[:-1] == leading for x in inputs), "equal leading dimensions")
        return (TensorType((*leading, sum(x.width for x in inputs))),)


@dataclass(frozen=True, slots=True)
class Rotary:
    """Rotary position embedding of heads of `head_dim`: the first `dimension` values of each head
    turn, as pairs (2i, 2i + 1) when `interleaved`, else (i, i + dimension / 2) (Su et al. 2021)."""

    head_dim: int
    dimension: int
    interleaved: bool


@dataclass(frozen=True, slots=True)
class Rope(Op):
    """Turns x [T, heads · D] by the tokens' positions, by a table F32 [3, 256, dimension/2, 2]."""

    rotary: Rotary

    def infer(self, *inputs: TensorType) -> Types:
        x, table = inputs
        check_table(table, self.rotary)
        require(x.width % self.rotary.head_dim == 0, "a row holds whole heads")
        return (x,)


MAX_SINKS = 64
"""Slots that a cache keeps for the first tokens of a text (StreamingLLM's sinks)."""


@dataclass(frozen=True, slots=True)
class Cache:
    """A layer's key-value cache. A query at position i sees the keys of positions
    max(0, i − window + 1) … i, and sinks when `sinks` (design: StreamingLLM)."""

    layer: int
    n_kv_heads: int
    head_dim: int
    window: int
    sinks: bool


@dataclass(frozen=True, slots=True)
class KvWrite(Op):
    """Puts this run's keys and values [T, kv heads · D] into the cache. Keys come unrotated: the
    cache keeps them rotated, and the first few unrotated too, to be turned again as sinks."""

    cache: Cache
    rotary: Rotary

    def infer(self, *inputs: TensorType) -> Types:
        k, v, table = inputs
        require(
            k == v and k.width == self.cache.n_kv_heads * self.cache.head_dim, "keys and values"
        )
        check_table(table, self.rotary)
        return (TensorType((), KV),)


@dataclass(frozen=True, slots=True)
class Attention(Op):
    """softmax(scale · q kᵀ) v over the visible keys; grouped queries: query head h uses key head
    h · kv_heads // heads. q [T, heads · D] → [T, heads · D]."""

    cache: Cache
    scale: float

    def infer(self, *inputs: TensorType) -> Types:
        q, kv = inputs
        require(kv.dtype == KV, "attention reads a cache")
        require(q.width % (self.cache.n_kv_heads * self.cache.head_dim) == 0, "whole head groups")
        return (q,)


@dataclass(frozen=True, slots=True)
class LastRow(Op):
    """The last token's row: [T, E] → [1, E]."""

    def infer(self, *inputs: TensorType) -> Types:
        (x,) = inputs
        return (TensorType((1, *x.shape[1:])),)


@dataclass(frozen=True, slots=True)
class Sample(Op):
    """Draws the next token from logits [1, vocabulary] and advances the state → U32 [1]."""

    def infer(self, *inputs: TensorType) -> Types:
        (logits,) = inputs
        require(logits.shape[0] == 1, "one row of logits")
        return (TensorType((1,), U32),)


def check_table(table: TensorType, rotary: Rotary) -> None:
    """Raises InternalError unless `table` serves `rotary`."""
    require(table.shape == (3, 256, rotary.dimension // 2, 2), f"{table} is no rotary table")
