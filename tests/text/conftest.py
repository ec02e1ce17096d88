"""Vocabularies to test with: tiny ones built here, and the goldens where they are at hand."""

from __future__ import annotations

import base64
import json
import lzma
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mdst.gguf import read_gguf
from mdst.text import Vocabulary
from mdst.text.bpe import ALPHABET


@dataclass(frozen=True)
class Entry:
    value: object


Metadata = dict[str, Entry]


@pytest.fixture
def bpe_metadata() -> Metadata:
    """Byte-level BPE: ids 0 to 255 are the bytes; see the list for the rest."""
    more = ["Ġt", "he", "Ġthe", "ab", "bc", "abc", "aa", "hello", "<|eot_id|>", "<tool>", "<tool>x"]
    tokens = [text.encode() for text in [*ALPHABET, *more]]
    merges = ["Ġ t", "h e", "Ġt he", "b c", "a b", "ab c", "a a"]
    types = [1] * 264 + [3, 4, 4]
    return {
        "tokenizer.ggml.model": Entry(b"gpt2"),
        "tokenizer.ggml.pre": Entry(b"gpt-2"),
        "tokenizer.ggml.tokens": Entry(tokens),
        "tokenizer.ggml.token_type": Entry(np.array(types, np.int32)),
        "tokenizer.ggml.merges": Entry([merge.encode() for merge in merges]),
        "tokenizer.ggml.bos_token_id": Entry(264),
        "tokenizer.ggml.eos_token_id": Entry(264),
        "tokenizer.chat_template": Entry("{{ 'ü' }}".encode()),
    }


@pytest.fixture
def spm_metadata() -> Metadata:
    """SentencePiece BPE: ids 3 to 258 are the bytes; see the list for the rest."""
    scored = [("▁", -9), ("a", -9), ("b", -9), ("c", -9), ("ab", -1), ("bc", -0.5), ("▁a", -2)]
    scored += [("abc", -3), ("aa", -0.25), ("<|im_end|>", 0)]
    texts = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    texts += [text for text, _ in scored]
    scores = [0.0] * 259 + [score for _, score in scored]
    types = [2, 3, 3] + [6] * 256 + [1] * 9 + [3]
    return {
        "tokenizer.ggml.model": Entry(b"llama"),
        "tokenizer.ggml.tokens": Entry([text.encode() for text in texts]),
        "tokenizer.ggml.scores": Entry(np.array(scores, np.float32)),
        "tokenizer.ggml.token_type": Entry(np.array(types, np.int32)),
    }


@pytest.fixture
def bpe(bpe_metadata: Metadata) -> Vocabulary:
    return Vocabulary.from_metadata(bpe_metadata)


@pytest.fixture
def spm(spm_metadata: Metadata) -> Vocabulary:
    return Vocabulary.from_metadata(spm_metadata)


BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def _unigram(name: str) -> Metadata:
    """A model that SentencePiece trained, 'plain', 'prefix' or 'merged'."""
    vectors = json.loads((Path(__file__).parent / "vectors/sentencepiece_unigram.json").read_text())
    model = vectors["models"][name]
    return metadata(
        "t5",
        model["tokens"],
        model["types"],
        model["scores"],
        precompiled_charsmap=np.frombuffer(base64.b64decode(vectors["charsmap"]), np.int8),
        add_space_prefix=model["add_space_prefix"],
        remove_extra_whitespaces=model["remove_extra_whitespaces"],
    )


def metadata(
    model: str,
    tokens: list[str],
    types: list[int],
    scores: list[float] | None = None,
    **more: Any,
) -> Metadata:
    values: dict[str, object] = {
        "model": model.encode(),
        "tokens": [text.encode() for text in tokens],
        "token_type": np.array(types, np.int32),
        **more,
    }
    if scores is not None:
        values["scores"] = np.array(scores, np.float32)
    return {f"tokenizer.ggml.{key}": Entry(value) for key, value in values.items()}


@pytest.fixture
def unigram_metadata() -> Callable[[str], Metadata]:
    return _unigram


@pytest.fixture
def tiny(bpe: Vocabulary, spm: Vocabulary) -> dict[str, Vocabulary]:
    """One small vocabulary of each kind, by the kind's name."""
    letters = "▁ a b c ab bc ▁a abc aa \n \n\n 한 <tool>".split(" ")
    scores = [-9, -9, -9, -9, -1, -0.5, -2, -3, -0.25, -4, -4, -5, 0]
    specials, types = ["<unk>", "<bos>", "<eos>"], [2, 3, 3]
    full = [*specials, *BYTES, *letters]
    full_types = [*types, *[6] * 256, *[1] * (len(letters) - 1), 4]
    escaped = [*specials, *(f"\\x{byte:02x}" for byte in range(256))]
    escaped += ["abc", "ab", "▁", "the", " the", "\\xed\\x95", "é\\n"]
    pieces = "▁the ▁walk ing s ▁! ▁a b ▁b c ▁中 ▁ᄒ ᅡ ᆫ ▁σ ▁c ▁É ▁E ▁$ ▁hello ▁1 2 3 ▁ü".split()
    bert = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *pieces, "<tool>"]
    ends: dict[str, Any] = {"bos_token_id": 1, "eos_token_id": 2, "unknown_token_id": 0}
    merges = ["a b", "b c", "▁ a", "ab c", "a a", "a bc"]
    made = {
        "characters": metadata(
            "gemma4", full, full_types, merges=[merge.encode() for merge in merges], **ends
        ),
        "wordpiece": metadata(
            "bert",
            bert,
            [3, 2, 3, 3, *[1] * len(pieces), 4],
            unknown_token_id=1,
            cls_token_id=2,
            seperator_token_id=3,
        ),
        "unigram": _unigram("prefix"),
        "rwkv": metadata("rwkv", escaped, [3, 3, 3, *[1] * (len(escaped) - 3)], **ends),
        "plamo2": metadata("plamo2", full, full_types, [*[0.0] * 259, *scores], **ends),
    }
    return {
        "bpe": replace(bpe, add_bos=True, whole_words=True),
        "spm": replace(spm, add_eos=True, rstrip_ids=(268,)),
    } | {name: Vocabulary.from_metadata(keys) for name, keys in made.items()}


@pytest.fixture(scope="session")
def golden(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Vocabulary]:
    """name → vocabulary of ../shared/goldens/vocabs, unpacked once."""
    folder = tmp_path_factory.mktemp("vocabs")

    @cache
    def load(name: str) -> Vocabulary:
        path = folder / f"{name}.gguf"
        packed = shared / "goldens/vocabs" / f"{name}.gguf.xz"
        path.write_bytes(lzma.decompress(packed.read_bytes()))
        with read_gguf(path) as file:
            return Vocabulary.from_metadata(file.metadata)

    return load
