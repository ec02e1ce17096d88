"""The passes of the int8 path and of short texts: what each fuses, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mdst.graph.fused import (
    AttentionReduce,
    AttentionSplit,
    Projection,
    ProjectionPart,
    QkvRope,
    Quantise,
    RopeAttention,
    RopeAttentionSplit,
)
from mdst.graph.graph import Graph, Value
from mdst.graph.ops import Attention, Cache, Carried, Constant, Embed, Rotary, Tokens
from mdst.graph.text import operators
from mdst.graph.types import U32, Dim, T, TensorType
from mdst.graph.verify import verify
from mdst.models.decoder import Model
from mdst.passes.fuse_records import fuse_records
from mdst.passes.fuse_rope_attention import MOST_KEYS, fuse_rope_attention, short_reach
from mdst.passes.fuse_rope_split import fuse_rope_split
from mdst.passes.own_records import MOST_ROWS, own_records
from mdst.passes.pipeline import run_passes
from mdst.passes.quantise_inputs import quantise_inputs
from mdst.passes.split_attention import split_attention
from mdst.quant.records import record_words
from mdst.schedule.liveness import steps

ModelOf = Callable[..., Model]

PLAIN = ProjectionPart()
BIASES = ("attn_q.bias", "attn_k.bias", "attn_v.bias")
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", {"extras": ("rope_freqs", "attn_q.scale", "ffn_down.bias")}),
    "qwen2": ("qwen2", {"tied": True, "extras": (*BIASES, "output.bias")}),
    "qwen3": ("qwen3", {"heads": (6, 2)}),
    "heads of 16": ("llama", {"head_dim": 16}),
}


class Sketch(Graph):
    """A graph that is quick to write."""

    def x(self, width: int = 64, rows: Dim = 1, name: str = "x") -> Value:
        return self.add(Carried(name, TensorType((rows, width))))

    def weight(self, name: str, *shape: int, type: str = "F32") -> Value:
        return self.add(Constant(name, TensorType(shape, type)))

    def project(self, x: Value, *gamma: Value, rows: int = 64, type: str = "Q8_0") -> Value:
        norm = 1e-5 if gamma else None
        weight = self.weight("w", rows, self.type(x).width, type=type)
        return self.add(Projection((PLAIN,), norm), x, *gamma, weight)

    def attention(
        self, head_dim: int, window: int = 100, heads: int = 4, kv_heads: int = 2
    ) -> tuple[Value, Value, Value]:
        """Turned queries, the cache, what attention sees."""
        cache, rotary = Cache(0, kv_heads, head_dim, window, True), Rotary(head_dim, head_dim, True)
        rope = QkvRope(heads, cache, rotary)
        table = self.weight("table", 3, 256, head_dim // 2, 2)
        q = self.add(
            rope, self.x((heads + 2 * kv_heads) * head_dim, name="qkv"), table, label="blk.0.rope"
        )
        kv = Value(q.node, 1)
        return q, kv, self.add(Attention(cache, 0.25), q, kv, label="blk.0.attention")

    def ends(self, **outputs: Value) -> Sketch:
        self.outputs = outputs
        return self


@pytest.fixture
def g() -> Sketch:
    return Sketch("g")


def found(graph: Graph) -> dict[str, int]:
    verify(graph)
    return {name: n for name, n in operators(graph).items() if name != "Carried"}


def ops(graph: Graph, kind: type) -> list[tuple[Any, tuple[Value, ...]]]:
    return [(graph.op(n), graph.inputs(n)) for n in graph if isinstance(graph.op(n), kind)]


# quantise_inputs


@pytest.mark.parametrize("rows", [1, T])
def test_quantise_inputs(g: Sketch, rows: Dim) -> None:
    result = quantise_inputs(g.ends(y=g.project(g.x(rows=rows))))
    assert found(result) == {"Quantise": 1, "Projection": 1}
    ((op, inputs),) = ops(result, Projection)
    assert op == Projection((PLAIN,), int8=True)
    assert result.type(inputs[0]) == TensorType((rows, record_words(64)), U32)
    assert result.type(result.outputs["y"]) == TensorType((rows, 64))


def test_the_norm_weight_goes_into_the_records(g: Sketch) -> None:
    result = quantise_inputs(g.ends(y=g.project(g.x(), g.weight("n", 64))))
    ((_, inputs),) = ops(result, Quantise)
    assert [type(result.op(value.node)) for value in inputs] == [Carried, Constant]
    ((op, rest),) = ops(result, Projection)
    assert (op.norm, op.int8) == (1e-5, True)
    assert len(rest) == 2  # records and a weight: no norm weight


def test_siblings_share_records(g: Sketch) -> None:
    x, n, m = g.x(), g.weight("n", 64), g.weight("m", 64)
    ends = {
        "a": g.project(x, n),
        "b": g.project(x, n),
        "other_weight": g.project(x, m),
        "no_weight": g.project(x),
    }
    assert found(quantise_inputs(g.ends(**ends))) == {"Quantise": 3, "Projection": 4}


def test_a_projection_of_a_projection(g: Sketch) -> None:
    """Also where the first is used as it is."""
    first = g.project(g.x())
    result = quantise_inputs(g.ends(y=g.project(first), first=first))
    assert found(result) == {"Quantise": 2, "Projection": 2}
    assert all(op.int8 for op, _ in ops(result, Projection))


@pytest.mark.parametrize("type", ["F32", "F16", "BF16"])
def test_float_weights_are_left(g: Sketch, type: str) -> None:
    y = g.project(g.x(), type=type)
    z = g.add(
        Projection((PLAIN, PLAIN)),
        g.x(),
        g.weight("a", 32, 64, type="Q8_0"),
        g.weight("b", 32, 64, type=type),
    )
    assert found(quantise_inputs(g.ends(y=y, z=z))) == {"Projection": 2}


def test_rows_of_no_whole_blocks_and_the_last_of_many_are_left(g: Sketch) -> None:
    last = Projection((PLAIN,), last_row=True)
    y = g.add(last, g.x(rows=T), g.weight("w", 64, 64, type="Q8_0"))
    narrow = g.add(Projection((PLAIN,)), g.x(48), g.weight("n", 64, 48, type="Q8_0"))
    result = quantise_inputs(g.ends(y=y, z=narrow))
    assert found(result) == {"Projection": 2}
    assert not any(op.int8 for op, _ in ops(result, Projection))


# own_records


def test_own_records(g: Sketch) -> None:
    quantised = quantise_inputs(g.ends(y=g.project(g.x(), g.weight("n", 64))))
    result = own_records(quantised)
    assert found(result) == {"Projection": 1}
    ((op, inputs),) = ops(result, Projection)
    assert (op.norm, op.int8, op.own_records, op.takes_records) == (1e-5, True, True, False)
    assert op.norm_weight(inputs) == inputs[1]
    assert len(inputs) == 3


def test_records_of_a_wide_projection_are_made_once(g: Sketch) -> None:
    x, n = g.x(), g.weight("n", 64)
    ends = {
        name: g.add(Projection((PLAIN,), 1e-5), x, n, g.weight(name, rows, 64, type="Q8_0"))
        for name, rows in (("wide", MOST_ROWS + 1), ("narrow", MOST_ROWS))
    }
    result = own_records(quantise_inputs(g.ends(**ends)))
    assert found(result) == {"Quantise": 1, "Projection": 2}
    wide, narrow = (result.op(result.outputs[name].node) for name in ("wide", "narrow"))
    assert isinstance(wide, Projection)
    assert isinstance(narrow, Projection)
    assert (wide.own_records, narrow.own_records) == (False, True)


@pytest.mark.parametrize(("rows", "weighted"), [(1, False), (T, True)])
def test_records_without_a_weight_or_of_many_tokens_stay(
    g: Sketch, rows: Dim, weighted: bool
) -> None:
    y = g.project(g.x(rows=rows), *([g.weight("n", 64)] if weighted else []))
    assert found(own_records(quantise_inputs(g.ends(y=y)))) == {"Quantise": 1, "Projection": 1}


# fuse_records


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("residual", [False, True])
def test_a_projection_leaves_records(g: Sketch, weighted: bool, residual: bool) -> None:
    """Its residual stays what it was, and so do the others who use its output."""
    operands = [g.x(name="x"), g.weight("w", 64, 64, type="Q8_0")]
    operands += [g.x(name="r")] if residual else []
    y = g.add(Projection((PLAIN,), residual=residual), *operands, label="down")
    gamma = [g.weight("n", 64)] if weighted else []
    records = g.add(Quantise(), y, *gamma)
    result = fuse_records(g.ends(y=y, records=records))
    assert found(result) == {"Projection": 1}
    ((op, inputs),) = ops(result, Projection)
    assert op.record == ("normed" if weighted else "plain")
    assert len(inputs) == len(operands) + weighted
    kept = op.residual_of(inputs)
    assert kept is None if not residual else result.op(kept.node) == g.op(operands[2].node)
    assert result.outputs == {
        "y": Value(kept_node(result), 0),
        "records": Value(kept_node(result), 1),
    }
    assert result.type(result.outputs["records"]) == g.type(records)
    assert result.label(kept_node(result)) == "down"


def kept_node(graph: Graph) -> Any:
    (node,) = [n for n in graph if isinstance(graph.op(n), Projection)]
    return node


def test_one_kind_of_records_each(g: Sketch) -> None:
    """Records with another γ are made by themselves."""
    y = g.project(g.x())
    a, b = (g.add(Quantise(), y, g.weight(name, 64)) for name in "ab")
    assert found(fuse_records(g.ends(a=a, b=b))) == {"Projection": 1, "Quantise": 1}


def test_an_embedding_leaves_no_records(g: Sketch) -> None:
    row = g.add(Embed(), g.add(Tokens(1)), g.weight("table", 300, 64))
    assert "Quantise" in found(fuse_records(g.ends(y=g.add(Quantise(), row, g.weight("n", 64)))))


@pytest.mark.parametrize(("head_dim", "fused"), [(32, True), (96, True), (16, False), (80, False)])
def test_attention_leaves_records(g: Sketch, head_dim: int, fused: bool) -> None:
    _, _, seen = g.attention(head_dim)
    cache = Cache(0, 2, head_dim, 100, True)
    parts = g.add(Carried("parts", TensorType((4, 2, head_dim + 2))))
    joined = g.add(AttentionReduce(cache, 50), parts)
    g.ends(short=g.add(Quantise(), seen), long=g.add(Quantise(), joined))
    result = fuse_records(fuse_rope_attention(g))
    expected = {"RopeAttention": 1, "AttentionReduce": 1}
    assert found(result) == expected | ({} if fused else {"Quantise": 2})
    assert [op.record for op, _ in ops(result, AttentionReduce)] == [fused]
    assert [op.record for op, _ in ops(result, RopeAttention)] == [fused]


def test_what_makes_no_records_is_left(g: Sketch) -> None:
    x = g.x()
    assert found(fuse_records(g.ends(y=g.add(Quantise(), x)))) == {"Quantise": 1}


# fuse_rope_attention


@pytest.mark.parametrize("window", [100, MOST_KEYS, 4096])
def test_fuse_rope_attention(g: Sketch, window: int) -> None:
    _, kv, seen = g.attention(32, window)
    assert short_reach(g) == min(window, MOST_KEYS)
    result = fuse_rope_attention(g.ends(seen=seen, kv=kv))
    assert found(result) == {"RopeAttention": 1}
    ((op, _),) = ops(result, RopeAttention)
    assert (op.scale, op.reach, op.record) == (0.25, min(window, MOST_KEYS), False)
    assert short_reach(result) == op.reach
    assert [value.output for value in result.outputs.values()] == [0, 1]
    assert result.label(result.outputs["seen"].node) == "blk.0.attention"


def test_the_shortest_window_counts(g: Sketch) -> None:
    ends = {"a": g.attention(32, 600)[2], "b": g.attention(32, 90)[2]}
    result = fuse_rope_attention(g.ends(**ends))
    assert [op.reach for op, _ in ops(result, RopeAttention)] == [90, 90]


def test_fuse_rope_attention_leaves_queries_that_others_use(g: Sketch) -> None:
    q, _, seen = g.attention(32)
    assert found(fuse_rope_attention(g.ends(seen=seen, q=q))) == {"QkvRope": 1, "Attention": 1}


# fuse_rope_split


@pytest.mark.parametrize(
    ("heads", "kv_heads", "head_dim", "fuses"),
    [(4, 2, 64, True), (8, 1, 128, True), (4, 1, 256, True), (9, 1, 16, False), (5, 1, 256, False)],
)
def test_fuse_rope_split(g: Sketch, heads: int, kv_heads: int, head_dim: int, fuses: bool) -> None:
    _, kv, seen = g.attention(head_dim, heads=heads, kv_heads=kv_heads)
    apart = split_attention(g.ends(seen=seen, kv=kv))
    result = fuse_rope_split(apart)
    if not fuses:
        assert found(result) == {"QkvRope": 1, "AttentionSplit": 1, "AttentionReduce": 1}
        return
    assert found(result) == {"RopeAttentionSplit": 1, "AttentionReduce": 1}
    ((op, inputs),) = ops(result, RopeAttentionSplit)
    ((split, _),) = ops(apart, AttentionSplit)
    ((rope, given),) = ops(apart, QkvRope)
    assert (op.attention, op.rope, inputs) == (split, rope, given)
    assert result.outputs["kv"] == Value(result.outputs["kv"].node, 1)
    assert result.label(result.outputs["kv"].node) == "blk.0.attention"


def test_fuse_rope_split_leaves_queries_that_others_use(g: Sketch) -> None:
    q, _, seen = g.attention(32)
    result = fuse_rope_split(split_attention(g.ends(seen=seen, q=q)))
    assert found(result) == {"QkvRope": 1, "AttentionSplit": 1, "AttentionReduce": 1}


# All of them


@pytest.mark.parametrize(
    ("name", "each", "beside"),
    [("llama", 5, 4), ("qwen2", 5, 4), ("qwen3", 5, 4), ("heads of 16", 6, 4)],
)
def test_steps_of_a_layer(model_of: ModelOf, name: str, each: int, beside: int) -> None:
    """Beside the layers: embedding, output matrix, two for the sampler. Heads of no whole blocks
    cost a step. Long texts take two steps for attention in place of one."""
    architecture, choices = MODELS[name]
    for n in (1, 2, 3):
        graph = model_of(architecture, layers=n, **choices).graph
        assert len(steps(run_passes(graph, "decode_short_int8"))) == each * n + beside
        assert len(steps(run_passes(graph, "decode_int8"))) == (each + 1) * n + beside


@pytest.mark.parametrize("type", ["F32", "F16", "BF16"])
def test_float_models_have_no_int8_programs(model_of: ModelOf, type: str) -> None:
    graph = model_of(type=type).graph
    for phase in ("prefill", "decode_short", "decode", "decode_logits"):
        plain, int8 = (run_passes(graph, name) for name in (phase, f"{phase}_int8"))
        assert found(plain) == found(int8)
