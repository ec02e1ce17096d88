"""Metadata that is refused, and how that is told."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gguf.constants import GGUFValueType as Kind
from tiny_metadata import N_TOKENS, TOKENS, Keys, base

import mdst.models
from mdst.errors import MalformedError, MdstError, UnsupportedError
from mdst.gguf import read_gguf
from mdst.models.config import MAX_LAYERS, ModelConfig
from mdst.models.config_errors import MEANINGS
from mdst.models.metadata import MAX_SIZE

Configure = Callable[[Keys], ModelConfig]


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
