"""llama.cpp's own tokenizer vectors, and real vocabularies through the compact form."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mdst.gguf import read_gguf
from mdst.text import Tokenizer, Vocabulary, compact, expand
from mdst.text.bpe import ALPHABET

NAMES = [
    "bert-bge",
    "deepseek-coder",
    "falcon",
    "gemma-4",
    "gpt-2",
    "llama-bpe",
    "llama-spm",
    "mpt",
    "phi-3",
    "qwen2",
    "starcoder",
]
NOT_BYTE_LEVEL = ("bert-bge", "gemma-4", "llama-spm", "phi-3")
Golden = Callable[[str], Vocabulary]


@pytest.mark.parametrize("name", NAMES)
def test_vectors(name: str, golden: Golden, shared: Path) -> None:
    tokenizer = Tokenizer(expand(compact(golden(name))))
    listed = json.loads((shared / "goldens/vocabs" / f"{name}.json").read_text())
    assert len(listed) >= 46
    for vector in listed:
        ids = tokenizer.encode(vector["text"], add_special=False, parse_special=False)
        assert ids == vector["ids"], vector["text"]
        if name != "bert-bge":  # which loses case and white space
            assert tokenizer.decode_text(ids, whole=True) == vector["text"]


def test_vectors_are_all_there(shared: Path) -> None:
    files = {file.stem: file for file in (shared / "goldens/vocabs").glob("*.json")}
    assert sorted(files) == sorted(NAMES)
    assert sum(len(json.loads(file.read_text())) for file in files.values()) == 516


@pytest.mark.parametrize("name", [name for name in NAMES if name not in NOT_BYTE_LEVEL])
def test_byte_level_round_trips(name: str, golden: Golden, rng: np.random.Generator) -> None:
    """Any text at all, but for the bytes that Falcon and StarCoder have no token for."""
    tokenizer = Tokenizer(golden(name))
    tokens = set(tokenizer.vocabulary.tokens)
    known = {byte for byte in range(256) if ALPHABET[byte].encode() in tokens}
    assert len(known) > 200
    for _ in range(300):
        codes = rng.integers(0, rng.choice([0x80, 0x3000, 0xD800, 0x110000]), rng.integers(1, 40))
        characters = (chr(code) for code in codes if not 0xD800 <= code < 0xE000)
        text = "".join(c for c in characters if known.issuperset(c.encode()))
        for parse in (False, True):
            ids = tokenizer.encode(text, add_special=False, parse_special=parse)
            assert tokenizer.decode(ids, special=True) == text.encode()


@pytest.mark.parametrize("name", NAMES)
def test_compact_keeps_everything(name: str, golden: Golden) -> None:
    vocabulary = golden(name)
    assert vocabulary.warnings == ()
    assert expand(compact(vocabulary)) == vocabulary


def test_ends_as_llama_cpp_does(golden: Golden) -> None:
    def ends(name: str) -> list[bytes]:
        vocabulary = golden(name)
        return [vocabulary.tokens[id] for id in vocabulary.end_ids]

    assert ends("llama-bpe") == [b"<|end_of_text|>", b"<|eot_id|>"]
    assert ends("phi-3") == [b"</s>", b"<|endoftext|>", b"<|end|>"]
    assert ends("qwen2") == [b"</s>", b"<|endoftext|>", b"<|im_end|>"]
    assert golden("llama-bpe").add_bos
    assert not golden("qwen2").add_bos


def test_llama3_chat_text(golden: Golden) -> None:
    tokenizer = Tokenizer(golden("llama-bpe"))
    text = "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
    ids = tokenizer.encode(text, add_special=True, parse_special=True)
    assert ids == [128000, 128006, 882, 128007, 271, 13347, 128009]
    assert tokenizer.decode_text(ids) == "user\n\nHi"
    assert tokenizer.decode_text(ids[1:], special=True) == text


def test_phi3_swallows_the_line_feed_after_a_special_token(golden: Golden) -> None:
    tokenizer = Tokenizer(golden("phi-3"))
    ids = tokenizer.encode("<|user|>\nHi<|end|>\n", add_special=False, parse_special=True)
    assert ids == [32010, 6324, 32007]


def test_llama3_loads_and_encodes_within_a_second(golden: Golden) -> None:
    data = compact(golden("llama-bpe"))
    start = time.process_time()
    tokenizer = Tokenizer(expand(data))
    tokenizer.encode("The quick brown fox.", add_special=True, parse_special=False)
    assert time.process_time() - start < 1


@pytest.mark.parametrize("name", ["llama-tiny", "qwen2-tiny", "qwen3-tiny"])
def test_golden_models(name: str, shared: Path) -> None:
    path = shared / "goldens/models" / f"{name}.Q8_0.gguf"
    with read_gguf(path) as file:
        vocabulary = Vocabulary.from_metadata(file.metadata)
    tokenizer = Tokenizer(expand(compact(vocabulary)))
    assert vocabulary.eos in vocabulary.end_ids
    text = "The cat and the other thing: 42, is it?\n"
    ids = tokenizer.encode(text, add_special=False, parse_special=False)
    assert tokenizer.decode_text(ids) == text
    if name == "llama-tiny":
        words = ["T", "he", "Ġc", "at", "Ġand", "Ġthe", "Ġo"]
        assert [vocabulary.tokens[id].decode() for id in ids[:7]] == words
