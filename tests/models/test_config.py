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
from gguf.gguf_writer import GGUFWriter

import mdst.models
from mdst.errors import MalformedError, MdstError, UnsupportedError
from mdst.gguf import read_gguf
from mdst.models.config import MAX_LAYERS, ModelConfig
from mdst.models.config_errors import MEANINGS
from mdst.models.metadata import MAX_SIZE

MODELS = Path(__file__).parents[2].parent / "shared" / "goldens" / "models"

N_TOKENS = 12

Keys = dict[str, tuple[Any, ...]]
"""Key → (value, type) or (array, ARRAY, element type)."""


def base(architecture: str = "llama") -> Keys:
    tokens = ["<unk>", "<s>", "</s>", *"abcdefghi"]
    sizes = {
        "block_count": 3,
        "context_length": 100,
        "embedding_length": 48,
        "feed_forward_length": 80,
        "attention.head_count": 6,
        "attention.head_count_kv": 2,
        "vocab_size": N_TOKENS,
    }
    return {
        "general.architecture": (architecture, Kind.STRING),
        **{f"{architecture}.{name}": (size, Kind.UINT32) for name, size in sizes.items()},
        f"{architecture}.attention.layer_norm_rms_epsilon": (1e-6, Kind.FLOAT32),
        "tokenizer.ggml.model": ("llama", Kind.STRING),
        "tokenizer.ggml.tokens": (tokens, Kind.ARRAY, Kind.STRING),
        "tokenizer.ggml.scores": ([-0.5] * N_TOKENS, Kind.ARRAY, Kind.FLOAT32),
        "tokenizer.ggml.token_type": ([2, 3, 3] + [1] * 9, Kind.ARRAY, Kind.INT32),
        "tokenizer.ggml.bos_token_id": (1, Kind.UINT32),
        "tokenizer.ggml.eos_token_id": (2, Kind.UINT32),
    }


@pytest.fixture
def configure(tmp_path: Path) -> Callable[[Keys], ModelConfig]:
    def run(keys: Keys) -> ModelConfig:
        path = tmp_path / "x.gguf"
        writer = GGUFWriter(path, "unused")
        writer.kv_data[0].clear()
        for key, (value, kind, *element) in keys.items():
            writer.add_key_value(key, value, kind, *element)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.close()
        with read_gguf(path) as file:
            return ModelConfig.from_gguf(file)

    return run


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


TOKENS = base()["tokenizer.ggml.tokens"][0]


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


def u32(key: str, *values: int) -> list[tuple[str, Keys]]:
    return [("CONF004", {key: (value, Kind.UINT32)}) for value in values]


def f32(key: str) -> list[tuple[str, Keys]]:
    bad = (0.0, -1.0, math.nan, math.inf)
    return [("CONF004", {key: (value, Kind.FLOAT32)}) for value in bad]


def per_token(name: str, values: list[Any], element: Kind) -> Keys:
    return {f"tokenizer.ggml.{name}": (values, Kind.ARRAY, element)}


MERGES: Keys = {"tokenizer.ggml.model": ("gpt2", Kind.STRING)}

MALFORMED: list[tuple[str, Keys]] = [
    ("CONF002", {"general.architecture": (7, Kind.UINT32)}),
    ("CONF002", {"general.architecture": (["llama"], Kind.ARRAY, Kind.STRING)}),
    ("CONF002", {"general.name": (7, Kind.UINT32)}),
    ("CONF002", {"llama.block_count": (3.0, Kind.FLOAT32)}),
    ("CONF002", {"llama.embedding_length": (48, Kind.UINT64)}),
    ("CONF002", {"llama.attention.head_count": ([6.0] * 3, Kind.ARRAY, Kind.FLOAT32)}),
    ("CONF002", {"llama.rope.freq_base": (10000, Kind.UINT32)}),
    *u32("llama.block_count", 0, MAX_LAYERS + 1, 2**32 - 1),
    *u32("llama.embedding_length", 0, MAX_SIZE + 1),
    *u32("llama.attention.head_count", 0, 2**32 - 1),
    *u32("llama.attention.head_count_kv", 0),
    *u32("llama.feed_forward_length", 0, 2**31),
    *u32("llama.context_length", 0, MAX_SIZE + 1),
    *u32("llama.rope.dimension_count", 0),
    *f32("llama.attention.layer_norm_rms_epsilon"),
    *f32("llama.rope.freq_base"),
    *f32("llama.attention.scale")[1:],
    *f32("llama.rope.scaling.factor")[1:],
    ("CONF005", {"llama.embedding_length": (49, Kind.UINT32)}),
    ("CONF005", {"llama.attention.head_count_kv": (4, Kind.UINT32)}),
    ("CONF005", {"llama.attention.head_count_kv": (12, Kind.UINT32)}),
    ("CONF005", {"llama.rope.dimension_count": (7, Kind.UINT32)}),
    ("CONF005", {"llama.rope.dimension_count": (10, Kind.UINT32)}),
    ("CONF006", {"llama.attention.head_count_kv": ([2, 2], Kind.ARRAY, Kind.UINT32)}),
    ("CONF021", {"llama.vocab_size": (N_TOKENS + 1, Kind.UINT32)}),
    ("CONF002", per_token("tokens", list(range(N_TOKENS)), Kind.UINT32)),
    ("CONF002", per_token("scores", [0] * N_TOKENS, Kind.UINT8)),
    ("CONF002", per_token("token_type", [1] * N_TOKENS, Kind.UINT8)),
    ("CONF022", per_token("scores", [0.0] * (N_TOKENS - 1), Kind.FLOAT32)),
    ("CONF022", per_token("token_type", [1] * (N_TOKENS + 1), Kind.INT32)),
    ("CONF023", per_token("scores", [0.0] * 11 + [math.nan], Kind.FLOAT32)),
    ("CONF023", per_token("scores", [0.0] * 11 + [-math.inf], Kind.FLOAT32)),
    ("CONF024", per_token("token_type", [1] * 11 + [7], Kind.INT32)),
    ("CONF024", per_token("token_type", [1] * 11 + [-1], Kind.INT32)),
    ("CONF025", {"tokenizer.ggml.bos_token_id": (N_TOKENS, Kind.UINT32)}),
    ("CONF025", {"tokenizer.ggml.eos_token_id": (-2, Kind.INT32)}),
    ("CONF002", {"tokenizer.ggml.unknown_token_id": ("0", Kind.STRING)}),
    ("CONF001", MERGES),
    ("CONF001", {"tokenizer.ggml.model": ("gemma4", Kind.STRING)}),
    *(
        ("CONF026", MERGES | per_token("merges", ["a b", merge], Kind.STRING))
        for merge in ("ab", "a  b", " ab", "ab ", "a b c", "")
    ),
]

UNSUPPORTED: list[tuple[str, Keys, str]] = [
    ("CONF003", {"general.architecture": ("../../x", Kind.STRING)}, "llama, qwen2, qwen3"),
    ("CONF007", {"llama.feed_forward_length": ([80, 64, 80], Kind.ARRAY, Kind.INT32)}, "64 to 80"),
    ("CONF008", {"llama.expert_count": (8, Kind.UINT32)}, "8 experts"),
    ("CONF009", {"llama.attention.value_length": (4, Kind.UINT32)}, "keys of 8 and values of 4"),
    ("CONF010", {"llama.rope.dimension_count": (4, Kind.UINT32)}, "4 of the 8"),
    ("CONF011", {"llama.rope.scaling.type": ("yarn", Kind.STRING)}, "supported: none, linear"),
    ("CONF011", {"llama.rope.scaling.attn_factor": (0.5, Kind.FLOAT32)}, "0.5"),
    ("CONF012", {"general.type": ("adapter", Kind.STRING)}, "'adapter'"),
    ("CONF013", {"llama.attention.causal": (False, Kind.BOOL)}, "not causal"),
    ("CONF020", {"tokenizer.ggml.model": ("none", Kind.STRING)}, "supported: gpt2, gemma4, llama"),
]


@pytest.mark.parametrize(("id", "change"), MALFORMED)
def test_malformed_metadata(configure: Configure, id: str, change: Keys) -> None:
    with pytest.raises(MalformedError) as caught:
        configure(base() | change)
    check(caught.value, id, change)


@pytest.mark.parametrize(("id", "change", "words"), UNSUPPORTED)
def test_unsupported_metadata(configure: Configure, id: str, change: Keys, words: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        configure(base() | change)
    check(caught.value, id, change)
    assert words in caught.value.message


@pytest.mark.parametrize("model", ["t5", "plamo2"])
def test_scores_that_are_needed(configure: Configure, model: str) -> None:
    keys = base() | {"tokenizer.ggml.model": (model, Kind.STRING)}
    assert configure(keys).n_vocab == N_TOKENS
    del keys["tokenizer.ggml.scores"]
    with pytest.raises(MalformedError, match="scores") as caught:
        configure(keys)
    check(caught.value, "CONF001", keys)


def check(error: MdstError, id: str, change: Keys) -> None:
    assert error.id == id
    assert error.message.startswith("'x.gguf': ")
    assert error.message.isprintable()
    if id == "CONF001":
        return
    # The message names a key that was changed; one of them, where two belong together.
    assert any(key in error.message for key in change)


@pytest.mark.parametrize(
    "key",
    [
        "general.architecture",
        *(
            f"llama.{name}"
            for name in (
                "block_count",
                "context_length",
                "embedding_length",
                "feed_forward_length",
                "attention.head_count",
                "attention.layer_norm_rms_epsilon",
            )
        ),
        "tokenizer.ggml.model",
        "tokenizer.ggml.tokens",
    ],
)
def test_required_key(configure: Configure, key: str) -> None:
    keys = base()
    del keys[key]
    with pytest.raises(MalformedError) as caught:
        configure(keys)
    assert caught.value.id == "CONF001"
    assert f"'{key}'" in caught.value.message


def test_empty_vocabulary(configure: Configure, tmp_path: Path) -> None:
    # gguf's writer refuses empty arrays, so a non-empty one is emptied by hand.
    configure(base())
    path = tmp_path / "x.gguf"
    content = path.read_bytes()
    start = content.index(b"tokenizer.ggml.tokens") + len("tokenizer.ggml.tokens") + 4 + 4
    end = start + 8 + sum(8 + len(token) for token in TOKENS)
    path.write_bytes(content[:start] + bytes(8) + content[end:])
    with read_gguf(path) as file, pytest.raises(MalformedError) as caught:
        ModelConfig.from_gguf(file)
    assert caught.value.id == "CONF021"


def test_every_error_id_has_a_meaning_and_a_test() -> None:
    folder = Path(mdst.models.__path__[0])
    sources = "".join(
        (folder / f"{name}.py").read_text() for name in ("config", "metadata", "vocabulary_checks")
    )
    assert set(re.findall(r"CONF\d{3}", sources)) == set(MEANINGS)
    table = (folder / "config_errors.py").read_text()
    assert len(re.findall(r"CONF\d{3}", table)) == len(MEANINGS)
    assert len(set(MEANINGS.values())) == len(MEANINGS)
    tested = {case[0] for case in MALFORMED} | {case[0] for case in UNSUPPORTED}
    assert tested == set(MEANINGS)


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
