"""What a graph means, in numpy: runs the operators of any graph, plain or fused, one by one.

This is the reference that passes are tested against and what the numpy host executes. The caches
keep whole histories (no ring, no planned memory), so the answer owes nothing to the other hosts'
book-keeping.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .. import rope
from ..quant import records as quantised
from .fused import (
    AttentionReduce,
    AttentionSplit,
    Projection,
    QkvRope,
    Quantise,
    Record,
    RecordedNorm,
    RopeAttention,
    RopeAttentionSplit,
)
from .graph import Graph, Value
from .ops import (
    Add,
    Attention,
    Bias,
    Cache,
    Carried,
    Concat,
    Constant,
    Embed,
    HeadNorm,
    KvWrite,
    LastRow,
    MatMul,
    Op,
    RmsNorm,
    Rope,
    Rotary,
    Scale,
    SiluMul,
    Tokens,
)

Array = npt.NDArray[np.float32]


@dataclass
class History:
    """All keys (unrotated and rotated) and values [position, kv heads, D] a layer has seen, and
    what turns its keys."""

    rotary: Rotary
    table: Array
    raw: list[Array] = field(default_factory=list)
    keys: list[Array] = field(default_factory=list)
    values: list[Array] = field(default_factory=list)


@dataclass
class Run:
    """One run over `tokens` [T] that stand at `position`. `constant` gives a named tensor as
    float32 rows; `rows` gives chosen rows of a named table; `carried` are values of runs before.
    `sinks`: see graph.ops.Cache."""

    tokens: npt.NDArray[np.int64]
    position: int
    constant: Callable[[str], Array]
    rows: Callable[[str, npt.NDArray[np.int64]], Array]
    caches: dict[int, History]
    kv_format: Literal["f16", "f32"] = "f32"
    sinks: int = 0
    carried: Mapping[str, Array] = field(default_factory=dict)


def interpret(graph: Graph, run: Run, wanted: str) -> Array:
    """The graph's output `wanted` for `run`; caches in `run` grow by its tokens."""
    target = graph.outputs[wanted]
    values: dict[Value, Array] = {}
    names: dict[Value, str] = {}
    for node in graph:
        op = graph.op(node)
        if isinstance(op, Constant):
            names[Value(node)] = op.name
            continue
        inputs = graph.inputs(node)
        if isinstance(op, Embed):
            values[Value(node)] = run.rows(names[inputs[1]], run.tokens)
            continue
        operands = tuple(values[v] if v in values else run.constant(names[v]) for v in inputs)
        for i, output in enumerate(evaluate(op, operands, run)):
            values[Value(node, i)] = output
        if target in values:
            return values[target]
    raise KeyError(wanted)


def _projection(op: Projection, inputs: tuple[Array, ...], run: Run) -> tuple[Array, ...]:
    x = inputs[0][-1:] if op.last_row else inputs[0]
    weight = op.norm_weight(inputs)
    if op.int8:
        records = quantised.quantise(x, weight) if op.own_records else x.view(np.uint32)
        x = quantised.values(records)
        if op.norm is not None:
            x = x / np.sqrt(quantised.mean_square(records) + np.float32(op.norm))
    elif op.norm is not None and weight is not None:
        x = rms_norm(x, weight, op.norm)
    outputs = []
    for matrix, scale, bias in op.weights(inputs):
        y = x @ matrix.T
        y = y if scale is None else y * scale
        outputs.append(y if bias is None else y + bias)
    out = silu_mul(*outputs) if op.gated else np.concatenate(outputs, axis=-1)
    residual = op.residual_of(inputs)
    out = out if residual is None else out + residual
    return (out, *_recorded(out, op.record, inputs))


def _recorded(out: Array, record: Record, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
    """Records travel between operators as the float32 that have their bits."""
    if record is None:
        return ()
    records = quantised.quantise(out, inputs[-1] if record == "normed" else None)
    return (records.view(np.float32),)


def _rope_attention(op: RopeAttention, inputs: tuple[Array, ...], run: Run) -> tuple[Array, ...]:
    q, handle = _qkv_rope(op.rope, inputs, run)
    out = attention(Attention(op.rope.cache, op.scale), q, run)
    return (out, handle, *_recorded(out, "plain" if op.record else None, inputs))


def _rope_attention_split(
    op: RopeAttentionSplit, inputs: tuple[Array, ...], run: Run
) -> tuple[Array, ...]:
    q, handle = _qkv_rope(op.rope, inputs, run)
    return _split(op.attention, (q,), run), handle


def _qkv_rope(op: QkvRope, inputs: tuple[Array, ...], run: Run) -> tuple[Array, ...]:
    qkv, table = inputs[:2]
    width = op.cache.n_kv_heads * op.cache.head_dim
    q, k, v = np.split(qkv, [qkv.shape[1] - 2 * width, qkv.shape[1] - width], axis=1)
    if op.norm is not None:
        q, k = head_norm(q, inputs[2], op.norm), head_norm(k, inputs[3], op.norm)
    kv_write(op.cache, op.rotary, k, v, table, run)
    return rotate(q, table, op.rotary, _positions(run)), np.empty(0, np.float32)


def _split(op: AttentionSplit, inputs: tuple[Array, ...], run: Run) -> Array:
    """The parts of AttentionSplit; unused ones have maximum −inf and sum 0."""
    q = inputs[0]
    head_dim = op.cache.head_dim
    keys, values = visible(op.cache, run.position, run)
    heads = q.reshape(-1, head_dim)
    group = heads.shape[0] // op.cache.n_kv_heads
    out = np.zeros((heads.shape[0], op.n_splits, head_dim + 2), np.float32)
    out[:, :, head_dim] = -np.inf
    for s in range(-(-keys.shape[0] // op.split)):
        part = slice(s * op.split, (s + 1) * op.split)
        for h, query in enumerate(heads):
            scores = keys[part, h // group] @ query * np.float32(op.scale)
            top = scores.max()
            weights = np.exp(scores - top)
            out[h, s] = [*(weights @ values[part, h // group]), top, weights.sum()]
    return out


def _reduce(op: AttentionReduce, inputs: tuple[Array, ...], run: Run) -> tuple[Array, ...]:
    partial = inputs[0]
    top, total = partial[:, :, -2], partial[:, :, -1]
    factor = np.exp(top - top.max(axis=1, keepdims=True))
    joined = (partial[:, :, :-2] * factor[:, :, None]).sum(axis=1)
    out: Array = joined / (total * factor).sum(axis=1, keepdims=True)
    out = out.reshape(1, -1)
    return (out, *_recorded(out, "plain" if op.record else None, inputs))


def _quantise(op: Quantise, inputs: tuple[Array, ...], run: Run) -> tuple[Array, ...]:
    return _recorded(inputs[0], "plain" if len(inputs) == 1 else "normed", inputs)


def rms_norm(x: Array, weight: Array, epsilon: float) -> Array:
    """x [..., E] over the root of its mean square, times weight [E]."""
    mean_square = np.mean(x * x, axis=-1, keepdims=True)
    out: Array = x / np.sqrt(mean_square + np.float32(epsilon)) * weight
    return out


def head_norm(x: Array, weight: Array, epsilon: float) -> Array:
    return rms_norm(x.reshape(x.shape[0], -1, weight.size), weight, epsilon).reshape(x.shape)


def silu_mul(gate: Array, up: Array) -> Array:
    """silu(gate) · up; exp is kept from overflowing, where silu is 0 in float32 anyway."""
    out: Array = gate / (1 + np.exp(-np.maximum(gate, np.float32(-88)))) * up
    return out


def rotate(x: Array, table: Array, rotary: Rotary, positions: npt.NDArray[np.int64]) -> Array:
    """x [n, heads · D] turned to `positions` [n]."""
    cos, sin = (a[:, None, :] for a in rope.position_angles(table, positions))
    heads = x.reshape(x.shape[0], -1, rotary.head_dim)
    out = rope.rotate(heads, cos, sin, interleaved=rotary.interleaved)
    return out.reshape(x.shape).astype(np.float32)


def kv_write(cache: Cache, rotary: Rotary, k: Array, v: Array, table: Array, run: Run) -> None:
    """Appends this run's keys and values to the layer's history."""
    history = run.caches.setdefault(cache.layer, History(rotary, table))
    for name in ("raw", "keys", "values"):
        # A run may start before the end of what was seen: the later part is taken back.
        del getattr(history, name)[run.position :]
    shape = (k.shape[0], cache.n_kv_heads, cache.head_dim)
    history.raw += list(_stored(k, run).reshape(shape))
    history.keys += list(_stored(rotate(k, table, rotary, _positions(run)), run).reshape(shape))
    history.values += list(_stored(v, run).reshape(shape))


def attention(op: Attention, q: Array, run: Run) -> Array:
    """Plain softmax attention of each token over its visible keys."""
    head_dim = op.cache.head_dim
    heads = q.reshape(q.shape[0], -1, head_dim)
    group = heads.shape[1] // op.cache.n_kv_heads
    out = np.empty_like(heads)
    for t in range(q.shape[0]):
        keys, values = visible(op.cache, run.position + t, run)
        for h in range(op.cache.n_kv_heads):
            mine = slice(h * group, (h + 1) * group)
            scores = heads[t, mine] @ keys[:, h].T * np.float32(op.scale)
            weights = np.exp(scores - scores.max(axis=1, keepdims=True))
            out[t, mine] = weights @ values[:, h] / weights.sum(axis=1, keepdims=True)
    return out.reshape(q.shape)


def visible(cache: Cache, position: int, run: Run) -> tuple[Array, Array]:
    """Keys and values [n, kv heads, D] that a query at `position` sees: the sinks that fell out of
    the window, turned to stand just before it, then the window."""
    history = run.caches[cache.layer]
    oldest = max(0, position - cache.window + 1)
    keys, values = history.keys[oldest : position + 1], history.values[oldest : position + 1]
    count = min(oldest, run.sinks) if cache.sinks else 0
    if count:
        raw = np.stack(history.raw[:count]).reshape(count, -1)
        places = np.arange(oldest - count, oldest)
        turned = _stored(rotate(raw, history.table, history.rotary, places), run)
        keys = [*turned.reshape(count, cache.n_kv_heads, cache.head_dim), *keys]
        values = [*history.values[:count], *values]
    return np.stack(keys), np.stack(values)


def _stored(x: Array, run: Run) -> Array:
    """What the cache gives back after keeping `x` in its format."""
    return x.astype(np.float16).astype(np.float32) if run.kv_format == "f16" else x


def _positions(run: Run) -> npt.NDArray[np.int64]:
    return run.position + np.arange(run.tokens.size)


def _kv_write(op: KvWrite, inputs: tuple[Array, ...], run: Run) -> Array:
    kv_write(op.cache, op.rotary, inputs[0], inputs[1], inputs[2], run)
    return np.empty(0, np.float32)


_Rule = Callable[[Any, tuple[Array, ...], Run], Array]

_RULES: Mapping[type[Op], _Rule] = {
    Tokens: lambda op, inputs, run: run.tokens.astype(np.float32),
    Carried: lambda op, inputs, run: run.carried[op.name],
    RmsNorm: lambda op, inputs, run: rms_norm(inputs[0], inputs[1], op.epsilon),
    HeadNorm: lambda op, inputs, run: head_norm(inputs[0], inputs[1], op.epsilon),
    MatMul: lambda op, inputs, run: inputs[0] @ inputs[1].T,
    Scale: lambda op, inputs, run: inputs[0] * inputs[1],
    Bias: lambda op, inputs, run: inputs[0] + inputs[1],
    Add: lambda op, inputs, run: inputs[0] + inputs[1],
    SiluMul: lambda op, inputs, run: silu_mul(inputs[0], inputs[1]),
    Concat: lambda op, inputs, run: np.concatenate(inputs, axis=-1),
    Rope: lambda op, inputs, run: rotate(inputs[0], inputs[1], op.rotary, _positions(run)),
    KvWrite: _kv_write,
    Attention: lambda op, inputs, run: attention(op, inputs[0], run),
    LastRow: lambda op, inputs, run: inputs[0][-1:],
    AttentionSplit: _split,
}

_SEVERAL: Mapping[type[Op], Callable[[Any, tuple[Array, ...], Run], tuple[Array, ...]]] = {
    QkvRope: _qkv_rope,
    RopeAttention: _rope_attention,
    RopeAttentionSplit: _rope_attention_split,
    Projection: _projection,
    AttentionReduce: _reduce,
    Quantise: _quantise,
    RecordedNorm: lambda op, inputs, run: _recorded(
        rms_norm(inputs[0], inputs[1], op.epsilon), "plain", inputs
    ),
}
"""Rules of operators that may have several outputs."""


def evaluate(op: Op, inputs: tuple[Array, ...], run: Run) -> tuple[Array, ...]:
    """The outputs of one node. Cache handles are empty arrays. `Sample` has no rule here: drawing
    a token is the matter of mdst.sampling."""
    if type(op) in _SEVERAL:
        return _SEVERAL[type(op)](op, inputs, run)
    return (_RULES[type(op)](op, inputs, run),)
