"""Vocabularies to test with: two tiny ones built here, and the goldens where they are at hand."""

from __future__ import annotations

import lzma
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

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
