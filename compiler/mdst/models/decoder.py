"""Builds the graph of a decoder family: metadata and tensors → plain operators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ..gguf import GgufFile
from ..graph.graph import Graph, Value
from ..graph.ops import (
    Add,
    Attention,
    Bias,
    Cache,
    Constant,
    Embed,
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
from ..graph.types import TensorType
from ..rope import rope_tables
from .config import ModelConfig
from .family import Family
from .registry import FAMILIES
from .tensors import TensorSpec, check_tensors

ROPE_TABLE = "rope.table"
"""The name of the rotary table among the graph's constants."""
LEFT_ALONE = (".input_scale", "rope_freqs.weight", "cls.output.weight")
"""Endings of tensors that are knowingly not part of the graph: activation scales of NVFP4 files,
which llama.cpp's float path does not use; the frequency factors, which are in the rotary table;
classifier heads."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model before any pass. `tables` holds the constants that are computed, not read."""

    config: ModelConfig
    graph: Graph
    tables: Mapping[str, npt.NDArray[np.float32]]
    warnings: tuple[str, ...]

    @property
    def parameters(self) -> int:
        """Values of all tensors that the graph uses; a tied table counts once."""
        graph = self.graph
        ops = {op for node in graph if isinstance(op := graph.op(node), Constant)}
        return sum(op.type.elements(0) for op in ops if op.name not in self.tables)


def build_model(file: GgufFile, config: ModelConfig, context: int) -> Model:
    """The model of `file` for a context of `context` tokens, which is its attention window."""
    family = FAMILIES[config.architecture]
    warnings = check_tensors(file, expected_tensors(config, family), LEFT_ALONE)
    builder = _Builder(file, config, family, context)
    factors = file.tensors.get("rope_freqs.weight")
    table = rope_tables(
        config.rope.dimension,
        config.rope.base,
        config.rope.factor,
        file.read(factors).view(np.float32) if factors else None,
    )
    return Model(config, builder.build(), {ROPE_TABLE: table}, warnings)


def expected_tensors(config: ModelConfig, family: Family) -> list[TensorSpec]:
    """Every tensor that the family may use."""
    embedding, vocab = config.n_embd, config.n_vocab
    q, kv = config.n_heads * config.head_dim, config.n_kv_heads * config.head_dim
    specs = [
        TensorSpec("token_embd.weight", (vocab, embedding)),
        TensorSpec("output_norm.weight", (embedding,)),
        TensorSpec("output.weight", (vocab, embedding), required=False),
        TensorSpec("rope_freqs.weight", (config.rope.dimension // 2,), required=False),
    ]
    if family.output_bias:
        specs.append(TensorSpec("output.bias", (vocab,), required=False))
    projections = {
        "attn_q": (q, embedding),
        "attn_k": (kv, embedding),
        "attn_v": (kv, embedding),
        "attn_output": (embedding, q),
        "ffn_gate": (config.n_ff, embedding),
        "ffn_up": (config.n_ff, embedding),
        "ffn_down": (embedding, config.n_ff),
    }
    norms = {"attn_norm": embedding, "ffn_norm": embedding}
    if family.qk_norm:
        norms |= {"attn_q_norm": config.head_dim, "attn_k_norm": config.head_dim}
    for layer in range(config.n_layers):
        block = f"blk.{layer}."
        specs += [TensorSpec(f"{block}{name}.weight", (width,)) for name, width in norms.items()]
        for name, (rows, cols) in projections.items():
            specs += [
                TensorSpec(f"{block}{name}.weight", (rows, cols)),
                TensorSpec(f"{block}{name}.bias", (rows,), required=False),
                TensorSpec(f"{block}{name}.scale", (1,), required=False),
            ]
    return specs


@dataclass
class _Builder:
    file: GgufFile
    config: ModelConfig
    family: Family
    context: int
    graph: Graph = field(default_factory=lambda: Graph("model"))
    constants: dict[str, Value] = field(default_factory=dict)

    def build(self) -> Graph:
        config, graph = self.config, self.graph
        tokens = graph.add(Tokens(), label="tokens")
        x = graph.add(Embed(), tokens, self.weight("token_embd.weight"), label="embedding")
        for layer in range(config.n_layers):
            x = self.mlp(self.attention(x, layer), layer)
        last = graph.add(LastRow(), x, label="last token")
        normed = graph.add(RmsNorm(config.norm_epsilon), last, self.weight("output_norm.weight"))
        logits = self.logits(normed)
        token = graph.add(Sample(), logits, label="next token")
        graph.outputs = {"logits": logits, "token": token}
        return graph

    def attention(self, x: Value, layer: int) -> Value:
        """x + attention(norm(x))."""
        config, graph, block = self.config, self.graph, f"blk.{layer}"
        normed = graph.add(
            RmsNorm(config.norm_epsilon), x, self.weight(f"{block}.attn_norm.weight")
        )
        q, k, v = (self.linear(normed, f"{block}.attn_{name}") for name in "qkv")
        if self.family.qk_norm:
            norm = HeadNorm(config.norm_epsilon)
            q = graph.add(norm, q, self.weight(f"{block}.attn_q_norm.weight"))
            k = graph.add(norm, k, self.weight(f"{block}.attn_k_norm.weight"))
        rotary = Rotary(config.head_dim, config.rope.dimension, config.rope.interleaved)
        window = min(self.context, config.sliding_window or self.context)
        cache = Cache(
            layer,
            config.n_kv_heads,
            config.head_dim,
            window,
            sinks=config.sliding_window is None,
        )
        table = self.table()
        rotated = graph.add(Rope(rotary), q, table, label=f"{block}.rope")
        kv = graph.add(KvWrite(cache, rotary), k, v, table, label=f"{block}.kv")
        seen = graph.add(
            Attention(cache, config.attention_scale), rotated, kv, label=f"{block}.attention"
        )
        return graph.add(Add(), self.linear(seen, f"{block}.attn_output"), x)

    def mlp(self, x: Value, layer: int) -> Value:
        """x + down(silu(gate(norm(x))) · up(norm(x)))."""
        graph, block, scaled = self.graph, f"blk.{layer}", self.family.mlp_scales
        normed = graph.add(
            RmsNorm(self.config.norm_epsilon), x, self.weight(f"{block}.ffn_norm.weight")
        )
        gate = self.linear(normed, f"{block}.ffn_gate", scaled)
        up = self.linear(normed, f"{block}.ffn_up", scaled)
        hidden = graph.add(SiluMul(), gate, up)
        return graph.add(Add(), self.linear(hidden, f"{block}.ffn_down", scaled), x)

    def logits(self, x: Value) -> Value:
        tied = "output.weight" not in self.file.tensors
        weight = self.weight("token_embd.weight" if tied else "output.weight")
        logits = self.graph.add(MatMul(), x, weight, label="output")
        if self.family.output_bias and "output.bias" in self.file.tensors:
            logits = self.graph.add(Bias(), logits, self.weight("output.bias"))
        return logits

    def linear(self, x: Value, name: str, scaled: bool = True) -> Value:
        """x Wᵀ, times the scale and plus the bias that the file has for it (llama.cpp's
        build_lora_mm: the scale comes first)."""
        y = self.graph.add(MatMul(), x, self.weight(f"{name}.weight"), label=name)
        if scaled and f"{name}.scale" in self.file.tensors:
            y = self.graph.add(Scale(), y, self.weight(f"{name}.scale"))
        if f"{name}.bias" in self.file.tensors:
            y = self.graph.add(Bias(), y, self.weight(f"{name}.bias"))
        return y

    def weight(self, name: str) -> Value:
        info = self.file.tensors[name]
        return self.constant(name, TensorType(info.shape, info.type.name))

    def table(self) -> Value:
        return self.constant(ROPE_TABLE, TensorType((3, 256, self.config.rope.dimension // 2, 2)))

    def constant(self, name: str, type: TensorType) -> Value:
        if name not in self.constants:
            self.constants[name] = self.graph.add(Constant(name, type))
        return self.constants[name]
