"""ModelConfig from metadata: real files, and one key changed at a time."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf.constants import GGUFValueType as Kind
from tiny_metadata import N_TOKENS, TOKENS, Keys, base

from mdst.errors import MalformedError
from mdst.gguf import read_gguf
from mdst.models.config import ModelConfig

MODELS = Path(__file__).parents[2].parent / "shared" / "goldens" / "models"

Configure = Callable[[Keys], ModelConfig]


def test_sizes_and_defaults(configure: Configure) -> None:
    config = configure(base())
    assert config.architecture == "llama"
    assert config.name == ""
    assert (config.n_layers, config.n_embd, config.n_ff) == (3, 48, 80)
    assert (config.n_heads, config.n_kv_heads, config.head_dim) == (6, 2, 8)
    assert (config.n_vocab, config.context_length) == (N_TOKENS, 100)
    assert config.norm_epsilon == float(np.float32(1e-6))
    assert (config.rope.dimension, config.rope.base, config.rope.factor) == (8, 10000.0, 1.0)
    assert config.sliding_window is None
    assert config.attention_scale == 1 / math.sqrt(8)
    assert config.warnings == ()


@pytest.mark.parametrize(
    ("architecture", "interleaved"), [("llama", True), ("qwen2", False), ("qwen3", False)]
)
def test_pairs_that_rope_turns(configure: Configure, architecture: str, interleaved: bool) -> None:
    assert configure(base(architecture)).rope.interleaved is interleaved


def test_given_values_replace_defaults(configure: Configure) -> None:
    rng = np.random.default_rng()
    theta, factor, scale = (float(np.float32(x)) for x in rng.uniform(1.5, 1e6, 3))
    config = configure(
        base()
        | {
            "general.name": ("Ein Name", Kind.STRING),
            "general.type": ("model", Kind.STRING),
            "llama.attention.key_length": (10, Kind.UINT32),
            "llama.attention.value_length": (10, Kind.UINT32),
            "llama.rope.dimension_count": (10, Kind.UINT32),
            "llama.rope.freq_base": (theta, Kind.FLOAT32),
            "llama.rope.scaling.type": ("linear", Kind.STRING),
            "llama.rope.scaling.factor": (factor, Kind.FLOAT32),
            "llama.attention.scale": (scale, Kind.FLOAT32),
        }
    )
    assert config.name == "Ein Name"
    assert config.head_dim == 10
    assert (config.rope.dimension, config.rope.base, config.rope.factor) == (10, theta, factor)
    assert config.attention_scale == scale


def test_head_length_frees_the_width_from_the_number_of_heads(configure: Configure) -> None:
    keys = base() | {"llama.embedding_length": (50, Kind.UINT32)}
    lengths: Keys = {f"llama.attention.{n}_length": (16, Kind.UINT32) for n in ("key", "value")}
    assert configure(keys | lengths).head_dim == 16
    with pytest.raises(MalformedError, match=re.escape("50 % llama.attention.head_count 6 = 2")):
        configure(keys)


def test_key_value_heads_default_to_heads(configure: Configure) -> None:
    keys = base()
    del keys["llama.attention.head_count_kv"]
    assert configure(keys).n_kv_heads == 6


def test_zero_means_unset(configure: Configure) -> None:
    zeros: Keys = {
        "llama.rope.scaling.type": ("linear", Kind.STRING),
        "llama.rope.scaling.factor": (0.0, Kind.FLOAT32),
        "llama.rope.scaling.attn_factor": (0.0, Kind.FLOAT32),
        "llama.attention.scale": (0.0, Kind.FLOAT32),
        "llama.attention.key_length": (0, Kind.UINT32),
        "llama.attention.value_length": (0, Kind.UINT32),
        "llama.attention.sliding_window": (0, Kind.UINT32),
        "llama.logit_scale": (0.0, Kind.FLOAT32),
        "llama.expert_count": (0, Kind.UINT32),
    }
    assert configure(base() | zeros) == configure(base())


def test_keys_that_the_architecture_never_reads_are_left_alone(configure: Configure) -> None:
    odd: Keys = {
        "llama.final_logit_softcapping": (30.0, Kind.FLOAT32),
        "llama.kda.gate_lower_bound": (-math.inf, Kind.FLOAT32),
        "qwen2.block_count": (7, Kind.UINT32),
    }
    assert configure(base() | odd) == configure(base())


def test_sizes_may_be_arrays_of_equal_layers(configure: Configure) -> None:
    per_layer: Keys = {
        "llama.attention.head_count": ([6, 6, 6], Kind.ARRAY, Kind.INT32),
        "llama.attention.head_count_kv": ([2, 2, 2], Kind.ARRAY, Kind.UINT32),
        "llama.feed_forward_length": ([80, 80, 80], Kind.ARRAY, Kind.INT32),
    }
    assert configure(base() | per_layer) == configure(base())


@pytest.mark.parametrize(
    ("change", "factor"),
    [
        ({"llama.rope.scaling.factor": (4.0, Kind.FLOAT32)}, 4.0),
        ({"llama.rope.scale_linear": (2.0, Kind.FLOAT32)}, 2.0),
        (
            {
                "llama.rope.scaling.type": ("none", Kind.STRING),
                "llama.rope.scaling.factor": (4.0, Kind.FLOAT32),
            },
            1.0,
        ),
    ],
)
def test_rope_factor(configure: Configure, change: Keys, factor: float) -> None:
    assert configure(base() | change).rope.factor == factor


def test_name_that_is_not_utf8_is_replaced(configure: Configure, tmp_path: Path) -> None:
    configure(base() | {"general.name": ("name-XX", Kind.STRING)})
    path = tmp_path / "x.gguf"
    path.write_bytes(path.read_bytes().replace(b"name-XX", b"name-\xff\xfe"))
    with read_gguf(path) as file:
        assert ModelConfig.from_gguf(file).name == "name-\ufffd\ufffd"


def test_byte_level_tokenizer(configure: Configure) -> None:
    keys = base() | {
        "tokenizer.ggml.model": ("gpt2", Kind.STRING),
        "tokenizer.ggml.merges": (["a b", "Ġ c"], Kind.ARRAY, Kind.STRING),
    }
    del keys["tokenizer.ggml.scores"]
    assert configure(keys).n_vocab == N_TOKENS


@pytest.mark.parametrize("kind", [Kind.UINT32, Kind.INT32])
def test_no_such_token(configure: Configure, kind: Kind) -> None:
    none = -1 if kind is Kind.INT32 else 0xFFFFFFFF
    assert configure(base() | {"tokenizer.ggml.bos_token_id": (none, kind)}).warnings == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"llama.attention.sliding_window": (64, Kind.UINT32)}, "sliding_window"),
        (
            {"tokenizer.ggml.tokens": ([*TOKENS[:-2], "a", "b"], Kind.ARRAY, Kind.STRING)},
            "2 of the tokens repeat others; token 3, 'a'",
        ),
        ({"tokenizer.ggml.padding_token_id": (N_TOKENS, Kind.UINT32)}, "padding_token_id"),
        ({"tokenizer.ggml.scores": None}, "scores"),
    ],
)
def test_warnings(configure: Configure, change: dict[str, Any], words: str) -> None:
    keys = {key: value for key, value in (base() | change).items() if value is not None}
    config = configure(keys)
    assert len(config.warnings) == 1
    assert words in config.warnings[0]
    assert config.warnings[0].startswith("'x.gguf': ")
    assert config.sliding_window is None


@pytest.mark.skipif(not MODELS.is_dir(), reason="../shared/goldens is absent")
@pytest.mark.parametrize(
    ("name", "heads", "scale"),
    [
        ("llama-tiny.Q4_K_M", (4, 2, 64, 512, 290), 0.125),
        ("qwen2-tiny.Q8_0", (2, 2, 128, 384, 128), 128**-0.5),
        ("qwen3-tiny.Q8_0", (4, 1, 64, 384, 128), 0.125),
    ],
)
def test_real_files(name: str, heads: tuple[int, ...], scale: float) -> None:
    with read_gguf(MODELS / f"{name}.gguf") as file:
        config = ModelConfig.from_gguf(file)
    found = (config.n_heads, config.n_kv_heads, config.head_dim, config.n_ff, config.n_vocab)
    assert found == heads
    assert config.attention_scale == pytest.approx(scale, rel=1e-15)
    assert (config.n_layers, config.n_embd) == (2, 256)
    assert (config.rope.base, config.rope.factor) == (10000.0, 1.0)
    assert config.warnings == ()
