"""Tensors of a file → the graph: what is used, what is left, what is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mdst.errors import MalformedError
from mdst.gguf import read_gguf
from mdst.graph.graph import Graph
from mdst.graph.ops import Attention, Constant, Embed, KvWrite, MatMul, Rope
from mdst.graph.text import operators
from mdst.models.config import ModelConfig
from mdst.models.decoder import ROPE_TABLE, Model, build_model
from mdst.models.tensors import TensorSpec, check_tensors, types_used
from mdst.rope import rope_tables

TinyModel = Callable[..., Path]
ModelOf = Callable[..., Model]


def constants(graph: Graph) -> set[str]:
    return {op.name for node in graph if isinstance(op := graph.op(node), Constant)}


BIASES = ("attn_q.bias", "attn_k.bias", "attn_v.bias", "output.bias")
FILES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", {"extras": ("rope_freqs",)}),
    "tied": ("llama", {"tied": True}),
    "qwen2": ("qwen2", {"extras": BIASES}),
    "qwen3": ("qwen3", {}),
    "scales": ("llama", {"extras": ("attn_k.scale", "ffn_up.scale", "ffn_down.bias")}),
}


@pytest.mark.parametrize("name", FILES)
def test_every_tensor_is_used_or_knowingly_left(
    model_of: ModelOf, tiny_model: TinyModel, name: str
) -> None:
    architecture, choices = FILES[name]
    model = model_of(architecture, **choices)
    with read_gguf(tiny_model(architecture, **choices)) as file:
        tensors = dict(file.tensors)
    assert model.warnings == ()
    assert constants(model.graph) == set(tensors) - {"rope_freqs.weight"} | {ROPE_TABLE}
    for node in model.graph:
        op = model.graph.op(node)
        if isinstance(op, Constant) and op.name != ROPE_TABLE:
            assert op.type.shape == tensors[op.name].shape
            assert op.type.dtype == tensors[op.name].type.name


@pytest.mark.parametrize("name", FILES)
def test_parameters_are_the_values_of_the_tensors(
    model_of: ModelOf, tiny_model: TinyModel, name: str
) -> None:
    architecture, choices = FILES[name]
    with read_gguf(tiny_model(architecture, **choices)) as file:
        sizes = {n: int(np.prod(info.shape)) for n, info in file.tensors.items()}
    sizes.pop("rope_freqs.weight", None)
    assert model_of(architecture, **choices).parameters == sum(sizes.values())


def test_operators_of_each_family(model_of: ModelOf) -> None:
    llama = operators(model_of("llama").graph)
    assert (llama["MatMul"], llama["RmsNorm"], llama["Attention"]) == (15, 5, 2)
    assert "Bias" not in llama
    assert "HeadNorm" not in llama
    assert operators(model_of("qwen2", extras=BIASES).graph)["Bias"] == 2 * 3 + 1
    assert operators(model_of("qwen3").graph)["HeadNorm"] == 4


def test_scales_that_a_family_does_not_read_are_left(model_of: ModelOf) -> None:
    extras = ("attn_q.scale", "ffn_up.scale")
    assert operators(model_of("llama", extras=extras).graph)["Scale"] == 4
    qwen2 = model_of("qwen2", extras=extras)
    assert operators(qwen2.graph)["Scale"] == 2
    assert "blk.0.ffn_up.scale" not in constants(qwen2.graph)


def test_an_output_bias_is_qwen2s_alone(model_of: ModelOf) -> None:
    model = model_of("llama", extras=("output.bias",))
    assert "output.bias" not in constants(model.graph)
    assert model.warnings == ("1 tensor is not used by this architecture: 'output.bias'",)


def test_tied_embeddings_are_the_output_matrix(model_of: ModelOf) -> None:
    graph = model_of(tied=True).graph
    table = graph.inputs(next(n for n in graph if isinstance(graph.op(n), Embed)))[1]
    assert graph.inputs(graph.outputs["logits"].node)[1] == table
    assert isinstance(graph.op(graph.outputs["logits"].node), MatMul)


@pytest.mark.parametrize(("architecture", "interleaved"), [("llama", True), ("qwen3", False)])
def test_rotation_and_cache(model_of: ModelOf, architecture: str, interleaved: bool) -> None:
    graph = model_of(architecture, 77, head_dim=16, heads=(8, 4)).graph
    ops = [graph.op(node) for node in graph]
    ropes = [op for op in ops if isinstance(op, Rope)]
    assert {op.rotary.interleaved for op in ropes} == {interleaved}
    caches = [op.cache for op in ops if isinstance(op, KvWrite)]
    assert [c.layer for c in caches] == [0, 1]
    assert {(c.n_kv_heads, c.head_dim, c.window, c.sinks) for c in caches} == {(4, 16, 77, True)}
    assert {op.scale for op in ops if isinstance(op, Attention)} == {0.25}


def test_frequency_factors_are_in_the_table(model_of: ModelOf, tiny_model: TinyModel) -> None:
    extras = ("rope_freqs",)
    with read_gguf(tiny_model(extras=extras)) as file:
        factors = file.read(file.tensors["rope_freqs.weight"]).view("<f4")
    assert not np.allclose(factors, 1)
    table = model_of(extras=extras).tables[ROPE_TABLE]
    assert np.array_equal(table, rope_tables(32, 10000.0, 1.0, factors))
    assert not np.array_equal(table, model_of().tables[ROPE_TABLE])


@pytest.fixture
def build(tiny_model: TinyModel) -> Callable[..., Model]:
    """Builds the tiny model with some tensors renamed or reshaped."""

    def run(
        gone: tuple[str, ...] = (), shapes: dict[str, tuple[int, ...]] | None = None, more: str = ""
    ) -> Model:
        with read_gguf(tiny_model()) as file:
            tensors = {n: info for n, info in file.tensors.items() if not n.endswith(gone or "-")}
            for name, shape in (shapes or {}).items():
                tensors[name] = replace(tensors[name], shape=shape)
            if more:
                tensors[more] = replace(tensors["output_norm.weight"], name=more)
            changed = replace(file, tensors=tensors)
            return build_model(changed, ModelConfig.from_gguf(file), 128)

    return run


def test_missing_tensors_are_named(build: Callable[..., Model]) -> None:
    with pytest.raises(MalformedError, match=r"missing tensors: blk\.1\.attn_q\.weight$") as error:
        build(gone=("1.attn_q.weight",))
    assert error.value.id == "MODEL001"
    with pytest.raises(MalformedError, match="and 8 more") as error:
        build(gone=("norm.weight", "embd.weight", *(f"{n}.weight" for n in "qkvpe"), "t.weight"))
    assert error.value.message.count("weight") == 10


@pytest.mark.parametrize(
    ("name", "shape", "said"),
    [
        ("blk.1.attn_k.weight", (128, 64), "[64, 128] found, [64, 64] expected"),
        ("blk.0.ffn_down.weight", (96, 64), "[64, 96] found, [96, 64] expected"),
        ("output.weight", (299, 64), "[64, 299] found, [64, 300] expected"),
        ("output_norm.weight", (64, 1), "[1, 64] found, [64] expected"),
    ],
)
def test_wrong_shapes_are_refused(
    build: Callable[..., Model], name: str, shape: tuple[int, ...], said: str
) -> None:
    with pytest.raises(MalformedError, match=re.escape(said)) as error:
        build(shapes={name: shape})
    assert error.value.id == "MODEL002"
    assert f"'{name}' (info at byte " in error.value.message


def test_unknown_tensors_are_warned_of(build: Callable[..., Model]) -> None:
    warnings = build(more="blk.0.new\x1bthing").warnings
    assert warnings == ("1 tensor is not used by this architecture: 'blk.0.new\\u001bthing'",)
    for left in ("blk.0.attn_q.input_scale", "cls.output.weight"):
        assert build(more=left).warnings == ()


def test_bytes_per_type(tiny_model: TinyModel) -> None:
    with read_gguf(tiny_model(types={"output": "F16"})) as file:
        used = types_used(file.tensors)
        assert sum(used.values()) == sum(info.size for info in file.tensors.values())
        assert used["F16"] == 300 * 64 * 2
        assert list(used.values()) == sorted(used.values(), reverse=True)
        specs = [TensorSpec(name, info.shape) for name, info in file.tensors.items()]
        assert check_tensors(file, specs, ()) == ()
