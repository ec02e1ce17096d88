"""What each pass fuses, and what it leaves alone: small graphs made for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mdst.errors import InternalError
from mdst.graph.fused import (
    AttentionReduce,
    AttentionSplit,
    Projection,
    ProjectionPart,
    QkvRope,
    SamplePrepare,
    SampleSelect,
)
from mdst.graph.graph import Graph, Value
from mdst.graph.ops import (
    MAX_SINKS,
    Add,
    Attention,
    Bias,
    Cache,
    Carried,
    Concat,
    Constant,
    HeadNorm,
    KvWrite,
    LastRow,
    MatMul,
    RmsNorm,
    Rope,
    Rotary,
    Sample,
    Scale,
    SiluMul,
    Tokens,
)
from mdst.graph.text import operators
from mdst.graph.types import Dim, T, TensorType
from mdst.graph.verify import verify
from mdst.models.decoder import Model
from mdst.passes.cut import keep_head, keep_layers, keep_sample
from mdst.passes.fuse_bias import fuse_bias
from mdst.passes.fuse_gate_up import fuse_gate_up
from mdst.passes.fuse_last_row import fuse_last_row
from mdst.passes.fuse_norm import fuse_norm
from mdst.passes.fuse_qkv_rope import fuse_qkv_rope
from mdst.passes.fuse_residual import fuse_residual
from mdst.passes.merge_projections import merge_projections
from mdst.passes.one_token import one_token
from mdst.passes.pipeline import run_passes
from mdst.passes.split_attention import split_attention
from mdst.passes.split_sample import split_sample
from mdst.schedule.liveness import steps

PLAIN = ProjectionPart()


class Sketch(Graph):
    """A graph that is quick to write."""

    def x(self, width: int = 64, rows: Dim = T, name: str = "x") -> Value:
        return self.add(Carried(name, TensorType((rows, width))))

    def weight(self, name: str, *shape: int) -> Value:
        return self.add(Constant(name, TensorType(shape)))

    def project(self, x: Value, name: str, rows: int = 64) -> Value:
        return self.add(Projection((PLAIN,)), x, self.weight(name, rows, self.type(x).width))

    def ends(self, **outputs: Value) -> Sketch:
        self.outputs = outputs
        return self


@pytest.fixture
def g() -> Sketch:
    return Sketch("g")


def ops_of(graph: Graph) -> list[str]:
    verify(graph)
    return [name for name in operators(graph) for _ in range(operators(graph)[name])]


def only(graph: Graph, kind: type) -> tuple[object, tuple[Value, ...]]:
    (node,) = [node for node in graph if isinstance(graph.op(node), kind)]
    return graph.op(node), graph.inputs(node)


def names(graph: Graph, values: tuple[Value, ...]) -> list[str]:
    ops = (graph.op(value.node) for value in values)
    return [op.name if isinstance(op, Constant | Carried) else type(op).__name__ for op in ops]


@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_fuse_bias(g: Sketch, scale: bool, bias: bool) -> None:
    y = g.add(MatMul(), g.x(), g.weight("w", 48, 64), label="up")
    y = g.add(Scale(), y, g.weight("s", 1)) if scale else y
    y = g.add(Bias(), y, g.weight("b", 48)) if bias else y
    result = fuse_bias(g.ends(y=y))
    assert ops_of(result) == ["Carried", "Projection"]
    op, inputs = only(result, Projection)
    assert op == Projection((ProjectionPart(scale=scale, bias=bias),))
    assert names(result, inputs) == ["x", "w", *(["s"] if scale else []), *(["b"] if bias else [])]
    assert result.label(result.outputs["y"].node) == "up"


def test_fuse_bias_leaves_what_others_use(g: Sketch) -> None:
    product = g.add(MatMul(), g.x(), g.weight("w", 48, 64))
    scaled = g.add(Scale(), product, g.weight("s", 1))
    both = g.add(Bias(), scaled, g.weight("b", 48))
    assert ops_of(fuse_bias(g.ends(y=both, product=product))) == [
        "Carried", "Projection", "Scale", "Bias",
    ]  # fmt: skip
    half = fuse_bias(g.ends(y=both, scaled=scaled))
    assert ops_of(half) == ["Carried", "Projection", "Bias"]
    assert only(half, Projection)[0] == Projection((ProjectionPart(scale=True),))


def test_fuse_bias_keeps_the_order_of_bias_and_scale(g: Sketch) -> None:
    biased = g.add(Bias(), g.add(MatMul(), g.x(), g.weight("w", 48, 64)), g.weight("b", 48))
    result = fuse_bias(g.ends(y=g.add(Scale(), biased, g.weight("s", 1))))
    assert ops_of(result) == ["Carried", "Projection", "Scale"]
    assert only(result, Projection)[0] == Projection((ProjectionPart(bias=True),))


def attention_block(
    g: Sketch, *, q_norm: float | None = None, k_norm: float | None = None, table: str = "table"
) -> dict[str, Value]:
    """q, k, v of 4 and 2 heads of 16 → attention; `table`: what turns the queries."""
    cache, rotary = Cache(0, 2, 16, 100, True), Rotary(16, 16, True)
    v = {n: g.x(width, name=n) for n, width in (("q", 64), ("k", 32), ("v", 32))}
    for name, epsilon in (("q", q_norm), ("k", k_norm)):
        if epsilon is not None:
            v[name] = g.add(HeadNorm(epsilon), v[name], g.weight(f"{name}_norm", 16))
    tables = [g.weight(name, 3, 256, 8, 2) for name in (table, "table")]
    v["turned"] = g.add(Rope(rotary), v["q"], tables[0])
    v["kv"] = g.add(KvWrite(cache, rotary), v["k"], v["v"], tables[1], label="blk.0.kv")
    v["seen"] = g.add(Attention(cache, 0.25), v["turned"], v["kv"])
    g.outputs = {"seen": v["seen"]}
    return v


@pytest.mark.parametrize("norm", [None, 1e-6])
def test_fuse_qkv_rope(g: Sketch, norm: float | None) -> None:
    attention_block(g, q_norm=norm, k_norm=norm)
    result = fuse_qkv_rope(g)
    assert ops_of(result) == ["Carried"] * 3 + ["Concat", "QkvRope", "Attention"]
    op, inputs = only(result, QkvRope)
    assert op == QkvRope(4, Cache(0, 2, 16, 100, True), Rotary(16, 16, True), norm)
    assert names(result, inputs) == ["Concat", "table"] + (["q_norm", "k_norm"] if norm else [])
    assert names(result, only(result, Concat)[1]) == ["q", "k", "v"]
    rope = inputs_of_attention = only(result, Attention)[1]
    assert [value.output for value in rope] == [0, 1]
    assert inputs_of_attention[0].node == inputs_of_attention[1].node


@pytest.mark.parametrize(("q_norm", "k_norm"), [(1e-6, None), (None, 1e-6), (1e-6, 1e-5)], ids=str)
def test_fuse_qkv_rope_wants_both_norms_alike(
    g: Sketch, q_norm: float | None, k_norm: float | None
) -> None:
    attention_block(g, q_norm=q_norm, k_norm=k_norm)
    assert "QkvRope" not in ops_of(fuse_qkv_rope(g))


@pytest.mark.parametrize("other", ["turned", "kv", "q", "k"])
def test_fuse_qkv_rope_leaves_what_others_use(g: Sketch, other: str) -> None:
    values = attention_block(g, q_norm=1e-6, k_norm=1e-6)
    g.outputs["other"] = values[other]
    assert "QkvRope" not in ops_of(fuse_qkv_rope(g))


def test_fuse_qkv_rope_wants_one_table(g: Sketch) -> None:
    attention_block(g, table="another")
    assert "QkvRope" not in ops_of(fuse_qkv_rope(g))


def test_merge_projections(g: Sketch) -> None:
    x = g.x()
    parts = [g.project(x, name, rows) for name, rows in (("a", 64), ("b", 32), ("c", 8))]
    result = merge_projections(g.ends(y=g.add(Concat(), *parts, label="qkv")))
    assert ops_of(result) == ["Carried", "Projection"]
    op, inputs = only(result, Projection)
    assert op == Projection((PLAIN,) * 3)
    assert names(result, inputs) == ["x", "a", "b", "c"]
    assert result.type(result.outputs["y"]) == TensorType((T, 104))
    assert result.label(result.outputs["y"].node) == "qkv"


def test_merge_projections_leaves_other_inputs_and_users(g: Sketch) -> None:
    x, other = g.x(), g.x(name="other")
    a, b, c = g.project(x, "a"), g.project(x, "b"), g.project(other, "c")
    normed = g.add(Projection((PLAIN,), norm=1e-5), x, g.weight("n", 64), g.weight("d", 8, 64))
    for operands in ((a, c), (a, x), (a, normed)):
        assert "Concat" in ops_of(merge_projections(g.ends(y=g.add(Concat(), *operands))))
    assert "Concat" in ops_of(merge_projections(g.ends(y=g.add(Concat(), a, b), b=b)))


def test_fuse_gate_up(g: Sketch) -> None:
    x = g.x()
    gate = g.add(Projection((PLAIN,)), x, g.weight("g", 96, 64), label="blk.0.ffn_gate")
    up = g.add(
        Projection((ProjectionPart(bias=True),)), x, g.weight("u", 96, 64), g.weight("b", 96)
    )
    result = fuse_gate_up(g.ends(y=g.add(SiluMul(), gate, up)))
    assert ops_of(result) == ["Carried", "Projection"]
    op, inputs = only(result, Projection)
    assert op == Projection((PLAIN, ProjectionPart(bias=True)), gated=True)
    assert names(result, inputs) == ["x", "g", "u", "b"]  # the gate comes first
    assert result.label(result.outputs["y"].node) == "blk.0.ffn_gate_up"


def test_fuse_gate_up_leaves_other_inputs_and_users(g: Sketch) -> None:
    x = g.x()
    gate, up, elsewhere = g.project(x, "g"), g.project(x, "u"), g.project(g.x(name="z"), "e")
    assert "SiluMul" in ops_of(fuse_gate_up(g.ends(y=g.add(SiluMul(), gate, elsewhere))))
    assert "SiluMul" in ops_of(fuse_gate_up(g.ends(y=g.add(SiluMul(), gate, x))))
    assert "SiluMul" in ops_of(fuse_gate_up(g.ends(y=g.add(SiluMul(), gate, up), up=up)))


@pytest.mark.parametrize("swapped", [False, True])
def test_fuse_residual(g: Sketch, swapped: bool) -> None:
    residual = g.x(name="r")
    product = g.project(g.x(), "w")
    operands = (residual, product) if swapped else (product, residual)
    result = fuse_residual(g.ends(y=g.add(Add(), *operands)))
    assert ops_of(result) == ["Carried", "Carried", "Projection"]
    op, inputs = only(result, Projection)
    assert op == Projection((PLAIN,), residual=True)
    assert names(result, inputs) == ["x", "w", "r"]


def test_fuse_residual_takes_one_sum_only(g: Sketch) -> None:
    first = g.add(Add(), g.project(g.x(), "w"), g.x(name="r"))
    result = fuse_residual(g.ends(y=g.add(Add(), first, g.x(name="s"))))
    assert ops_of(result) == ["Carried"] * 3 + ["Projection", "Add"]


def test_fuse_residual_leaves_other_users(g: Sketch) -> None:
    x = g.x()
    product = g.project(x, "w")
    assert "Add" in ops_of(fuse_residual(g.ends(y=g.add(Add(), product, x), product=product)))
    assert "Add" in ops_of(fuse_residual(g.ends(y=g.add(Add(), product, product))))
    assert "Add" in ops_of(fuse_residual(g.ends(y=g.add(Add(), x, x))))


def test_fuse_norm(g: Sketch) -> None:
    normed = g.add(RmsNorm(1e-5), g.x(), g.weight("n", 64))
    result = fuse_norm(g.ends(y=g.project(normed, "w")))
    assert ops_of(result) == ["Carried", "Projection"]
    op, inputs = only(result, Projection)
    assert op == Projection((PLAIN,), norm=1e-5)
    assert names(result, inputs) == ["x", "n", "w"]


def test_fuse_norm_leaves_other_users(g: Sketch) -> None:
    normed = g.add(RmsNorm(1e-5), g.x(), g.weight("n", 64))
    a, b = g.project(normed, "a"), g.project(normed, "b")
    assert ops_of(fuse_norm(g.ends(a=a, b=b))) == ["Carried", "RmsNorm"] + ["Projection"] * 2
    assert "RmsNorm" in ops_of(fuse_norm(g.ends(a=a, normed=normed)))
    # A norm of a norm: one of them is taken in.
    again = g.add(RmsNorm(1e-6), normed, g.weight("m", 64))
    result = fuse_norm(g.ends(y=g.project(again, "w")))
    assert ops_of(result) == ["Carried", "RmsNorm", "Projection"]
    assert only(result, RmsNorm)[0] == RmsNorm(1e-5)


def test_fuse_norm_leaves_a_norm_that_is_the_residual_too(g: Sketch) -> None:
    normed = g.add(RmsNorm(1e-5), g.x(), g.weight("n", 64))
    total = g.add(Projection((PLAIN,), residual=True), normed, g.weight("w", 64, 64), normed)
    assert "RmsNorm" in ops_of(fuse_norm(g.ends(y=total)))


def test_fuse_last_row(g: Sketch) -> None:
    row = g.add(LastRow(), g.x())
    result = fuse_last_row(g.ends(y=g.project(row, "w", 300)))
    assert ops_of(result) == ["Carried", "Projection"]
    assert only(result, Projection)[0] == Projection((PLAIN,), last_row=True)
    assert result.type(result.outputs["y"]) == TensorType((1, 300))
    assert "LastRow" in ops_of(fuse_last_row(g.ends(y=g.project(row, "w", 300), row=row)))


def test_one_token(g: Sketch, model_of: Callable[..., Model]) -> None:
    graph = model_of().graph
    result = one_token(graph)
    found, before = operators(result), operators(graph)
    assert found == {name: n for name, n in before.items() if name != "LastRow"}
    assert all(T not in result.type(Value(node)).shape for node in result)
    assert only(result, Tokens)[0] == Tokens(1)


@pytest.mark.parametrize("window", [1, 100, 128, 4096, 1 << 14, 1 << 17, 1 << 20])
@pytest.mark.parametrize("sinks", [False, True])
def test_split_attention(g: Sketch, window: int, sinks: bool) -> None:
    cache, rotary = Cache(0, 2, 16, window, sinks), Rotary(16, 16, True)
    k, v, table = g.x(32, 1, "k"), g.x(32, 1, "v"), g.weight("table", 3, 256, 8, 2)
    kv = g.add(KvWrite(cache, rotary), k, v, table)
    result = split_attention(
        g.ends(y=g.add(Attention(cache, 0.25), g.x(64, 1), kv, label="blk.0.attention"))
    )
    assert "Attention" not in ops_of(result)
    split, _ = only(result, AttentionSplit)
    assert isinstance(split, AttentionSplit)
    assert split == AttentionSplit(cache, 0.25, split.split, split.n_splits)
    assert only(result, AttentionReduce)[0] == AttentionReduce(cache, split.split)
    # The parts hold all that can be in sight, none of them is always empty, and there are enough
    # for a GPU, but not more than the step that joins them can take.
    keys = window + (MAX_SINKS if sinks else 0)
    assert (split.n_splits - 1) * split.split < keys <= split.n_splits * split.split
    assert split.split % 32 == 0
    assert min(32, keys // 128) <= split.n_splits <= 128


@pytest.mark.parametrize(("vocabulary", "groups"), [(300, 1), (1024, 1), (1025, 2), (128256, 126)])
def test_split_sample(g: Sketch, vocabulary: int, groups: int) -> None:
    result = split_sample(g.ends(token=g.add(Sample(), g.x(vocabulary, 1))))
    assert ops_of(result) == ["Carried", "SamplePrepare", "SampleSelect"]
    assert only(result, SamplePrepare)[0] == SamplePrepare(groups)
    assert [value.output for value in only(result, SampleSelect)[1]] == [0, 1]


def test_cuts_want_a_whole_model(g: Sketch) -> None:
    g.ends(logits=g.x(300, 1))
    for cut in (keep_layers, keep_head, keep_sample):
        with pytest.raises(InternalError, match="a model has one"):
            cut(g)


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "qwen3"])
def test_a_layer_decodes_in_at_most_8_dispatches(
    model_of: Callable[..., Model], architecture: str
) -> None:
    extras = ("attn_q.bias", "attn_k.bias", "attn_v.bias") if architecture == "qwen2" else ()
    counts = [
        len(steps(run_passes(model_of(architecture, layers=n, extras=extras).graph, "decode")))
        for n in (1, 2)
    ]
    assert counts[1] - counts[0] <= 8
    assert counts[0] <= 8 + 4  # embedding, output matrix, two for the sampler
