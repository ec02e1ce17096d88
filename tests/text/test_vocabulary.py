from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from mdst.errors import MalformedError, MdstError, UnsupportedError
from mdst.text import Vocabulary
from mdst.text.rules import DEFAULT, RULES
from mdst.text.tokens import byte_of


@dataclass(frozen=True)
class Entry:
    value: object


Metadata = dict[str, Entry]
GGML = "tokenizer.ggml."


def test_reads_byte_level_bpe(bpe: Vocabulary) -> None:
    assert (bpe.model, bpe.pre, bpe.patterns) == ("gpt2", "gpt-2", RULES["gpt-2"].patterns)
    assert bpe.merges[:3] == ((32, 116, 256), (104, 101, 257), (256, 257, 258))
    assert (bpe.bos, bpe.eos, bpe.eot, bpe.unk, bpe.end_ids) == (264, 264, 264, None, (264,))
    assert (bpe.add_bos, bpe.add_eos, bpe.add_space_prefix) == (False, False, False)
    assert (bpe.scores, bpe.chat_template, bpe.warnings) == (None, "{{ 'ü' }}", ())


def test_reads_sentencepiece(spm: Vocabulary) -> None:
    assert (spm.model, spm.patterns, spm.merges) == ("llama", (), ())
    assert (spm.bos, spm.eos, spm.unk, spm.pad, spm.end_ids) == (1, 2, 0, None, (2, 268))
    assert (spm.add_bos, spm.add_eos, spm.add_space_prefix) == (True, False, True)
    assert spm.scores is not None
    assert spm.scores[263:265] == (-1, -0.5)


def test_keys_override_defaults(spm_metadata: Metadata) -> None:
    for key, value in {
        "add_bos_token": False,
        "add_eos_token": True,
        "add_space_prefix": False,
        "bos_token_id": 5,
        "padding_token_id": np.uint32(7),
    }.items():
        spm_metadata[GGML + key] = Entry(value)
    vocabulary = Vocabulary.from_metadata(spm_metadata)
    assert (vocabulary.add_bos, vocabulary.add_eos) == (False, True)
    assert (vocabulary.add_space_prefix, vocabulary.bos, vocabulary.pad) == (False, 5, 7)


def test_llama3_rule(bpe_metadata: Metadata) -> None:
    bpe_metadata[GGML + "pre"] = Entry(b"llama-bpe")
    vocabulary = Vocabulary.from_metadata(bpe_metadata)
    assert vocabulary.add_bos
    assert vocabulary.whole_words
    bpe_metadata[GGML + "add_bos_token"] = Entry(False)
    assert not Vocabulary.from_metadata(bpe_metadata).add_bos


def test_unknown_pre_is_default_with_a_warning(bpe_metadata: Metadata) -> None:
    bpe_metadata[GGML + "pre"] = Entry(b"nov\x1bel")
    vocabulary = Vocabulary.from_metadata(bpe_metadata)
    assert vocabulary.patterns == DEFAULT.patterns
    assert len(vocabulary.warnings) == 1
    assert r"'nov\u001bel'" in vocabulary.warnings[0]


def test_falcon_needs_no_keys_and_others_get_no_wrong_end(bpe_metadata: Metadata) -> None:
    del bpe_metadata[GGML + "bos_token_id"], bpe_metadata[GGML + "eos_token_id"]
    assert Vocabulary.from_metadata(bpe_metadata).eos is None
    tokens = bpe_metadata[GGML + "tokens"].value
    assert isinstance(tokens, list)
    tokens[11] = b"<|endoftext|>"
    vocabulary = Vocabulary.from_metadata(bpe_metadata)
    assert (vocabulary.bos, vocabulary.eos) == (11, 11)


def test_merges_of_no_tokens_are_left_out(bpe_metadata: Metadata) -> None:
    bpe_metadata[GGML + "merges"] = Entry([b"x y", b"a b", b"xy a", b"q nope"])
    vocabulary = Vocabulary.from_metadata(bpe_metadata)
    assert vocabulary.merges == ((97, 98, 259),)
    assert vocabulary.warnings[0].startswith("3 of 4 merges")


def test_odd_tokens(spm_metadata: Metadata) -> None:
    tokens = spm_metadata[GGML + "tokens"].value
    assert isinstance(tokens, list)
    tokens[260], tokens[262] = b"b", b""
    vocabulary = Vocabulary.from_metadata(spm_metadata)
    assert vocabulary.tokens[262] == b"[EMPTY_262]"
    assert vocabulary.warnings == ("token 'b' appears twice; its last id is used for text",)


def test_integer_scores_and_no_types(spm_metadata: Metadata) -> None:
    spm_metadata[GGML + "scores"] = Entry(np.arange(269, dtype=np.int32))
    del spm_metadata[GGML + "token_type"]
    vocabulary = Vocabulary.from_metadata(spm_metadata)
    assert vocabulary.scores == tuple(map(float, range(269)))
    assert vocabulary.types == (1, 1, 3) + (1,) * 265 + (3,)


def test_phi3_by_name(spm_metadata: Metadata) -> None:
    spm_metadata["general.name"] = Entry(b"My Phi-3 tune")
    assert Vocabulary.from_metadata(spm_metadata).rstrip_ids == (2, 268)


def _nan(n: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.full(n, np.nan, np.float32)


@pytest.mark.parametrize(
    ("key", "value", "id"),
    [
        (GGML + "model", None, "TEXT002"),
        (GGML + "model", 3, "TEXT002"),
        (GGML + "model", b"\xff", "TEXT002"),
        (GGML + "model", b"none", "TEXT001"),
        (GGML + "model", b"gpt2", "TEXT006"),  # no merges
        (GGML + "tokens", None, "TEXT003"),
        (GGML + "tokens", [], "TEXT003"),
        (GGML + "tokens", [b"x" * 65536], "TEXT003"),
        (GGML + "tokens", np.arange(269), "TEXT002"),
        (GGML + "tokens", [b"<s>"] * 268, "TEXT002"),
        (GGML + "scores", np.zeros(3, np.float32), "TEXT002"),
        (GGML + "scores", np.zeros(269, np.uint8), "TEXT002"),
        (GGML + "scores", _nan(269), "TEXT005"),
        (GGML + "token_type", np.ones(269, np.uint8), "TEXT002"),
        (GGML + "token_type", np.full(269, 99, np.int32), "TEXT004"),
        (GGML + "token_type", np.full(269, 6, np.int32), "TEXT004"),
        (GGML + "bos_token_id", 269, "TEXT007"),
        (GGML + "eos_token_id", -2, "TEXT007"),
        (GGML + "eos_token_id", True, "TEXT002"),
        (GGML + "add_bos_token", 1, "TEXT002"),
        ("tokenizer.chat_template", [b"a"], "TEXT002"),
    ],
)
def test_refuses(spm_metadata: Metadata, key: str, value: object, id: str) -> None:
    spm_metadata[key] = Entry(value)
    if value is None:
        del spm_metadata[key]
    with pytest.raises(MdstError) as caught:
        Vocabulary.from_metadata(spm_metadata)
    assert caught.value.id == id
    assert isinstance(caught.value, UnsupportedError if id == "TEXT001" else MalformedError)


@pytest.mark.parametrize("merge", [b"nospace", b"a  b c", b"", b" b", b"a "])
def test_refuses_merge(bpe_metadata: Metadata, merge: bytes) -> None:
    bpe_metadata[GGML + "merges"] = Entry([b"a b", merge])
    with pytest.raises(MalformedError, match="merge 1") as caught:
        Vocabulary.from_metadata(bpe_metadata)
    assert caught.value.id == "TEXT006"


def test_refuses_bos_that_is_wanted_and_missing(bpe_metadata: Metadata) -> None:
    del bpe_metadata[GGML + "bos_token_id"]
    bpe_metadata[GGML + "add_bos_token"] = Entry(True)
    with pytest.raises(MalformedError, match="bos_token_id") as caught:
        Vocabulary.from_metadata(bpe_metadata)
    assert caught.value.id == "TEXT007"


def test_byte_of() -> None:
    assert (byte_of(b"<0x0A>"), byte_of(b"<0xff>")) == (10, 255)
    assert [byte_of(t) for t in (b"<0x_1>", b"<0x1>", b"a", b"(0x0A>")] == [None] * 4
