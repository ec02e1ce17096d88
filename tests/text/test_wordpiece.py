"""WordPiece: words, accents, marks, and what is no word of the vocabulary."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from mdst.errors import MalformedError
from mdst.text import Tokenizer, Vocabulary, compact, expand

TEXTS = "[PAD] [UNK] [CLS] [SEP] ▁the ▁walk ing s ▁! ▁a b ▁b c ▁中 ▁ᄒ ᅡ ᆫ ▁σ ▁c ▁É ▁E ▁$".split()


@dataclass(frozen=True)
class Entry:
    value: object


def made(**keys: object) -> Vocabulary:
    ids = {"cls_token_id": 2, "seperator_token_id": 3, "unknown_token_id": 1}
    types = np.array([3, 2, 3, 3] + [1] * (len(TEXTS) - 4), np.int32)
    tokens = [text.encode() for text in TEXTS]
    given = {"model": b"bert", "tokens": tokens, "token_type": types, **ids, **keys}
    return Vocabulary.from_metadata({f"tokenizer.ggml.{k}": Entry(v) for k, v in given.items()})


def pieces(text: str, vocabulary: Vocabulary) -> list[str]:
    ids = Tokenizer(vocabulary).encode(text, add_special=False, parse_special=False)
    return [vocabulary.tokens[id].decode() for id in ids]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", []),
        (" \t\n\u3000", []),
        ("The WALKING", ["▁the", "▁walk", "ing"]),
        ("walks!walk", ["▁walk", "s", "▁!", "▁walk"]),
        ("abc", ["▁a", "b", "c"]),
        ("zoo the zoo", ["[UNK]", "▁the", "[UNK]"]),
        ("walkz", ["[UNK]"]),
        ("àb\u0301c", ["▁a", "b", "c"]),
        ("中a中", ["▁中", "▁a", "▁中"]),
        ("한", ["▁ᄒ", "ᅡ", "ᆫ"]),
        ("Σ Σ", ["▁σ", "▁σ"]),
        ("a\u200bb\x00\ufffd\x07c", ["▁a", "b", "c"]),
        ("a\x85b\u2028a", ["▁a", "▁b", "▁a"]),
        ("$a$", ["▁$", "▁a", "▁$"]),
    ],
)
def test_words(text: str, wanted: list[str]) -> None:
    assert pieces(text, made()) == wanted


def test_case_and_accents_are_choices() -> None:
    assert pieces("É E c", made(**{"normalizer.lowercase": False})) == ["▁É", "▁E", "▁c"]
    stripped = made(**{"normalizer.lowercase": False, "normalizer.strip_accents": True})
    assert pieces("É E", stripped) == ["▁E", "▁E"]
    assert pieces("à", made(**{"normalizer.strip_accents": False})) == ["[UNK]"]


def test_cls_and_sep_are_always_added() -> None:
    vocabulary = expand(compact(made(add_bos_token=False, add_eos_token=True, eos_token_id=0)))
    tokenizer = Tokenizer(vocabulary)
    ids = tokenizer.encode("the walk", add_special=True, parse_special=False)
    assert ids == [2, 4, 5, 3]
    assert tokenizer.decode_text(ids, whole=True) == "the walk"
    assert tokenizer.encode("the[SEP]a", add_special=False, parse_special=True) == [4, 3, 9]


def test_without_the_unknown_token() -> None:
    assert pieces("zoo the", replace(made(), unk=None)) == ["▁the"]


def test_defaults_are_berts() -> None:
    tokens = [b"[%d]" % id for id in range(200)]
    metadata = {"model": b"bert", "tokens": tokens}
    vocabulary = Vocabulary.from_metadata(
        {f"tokenizer.ggml.{key}": Entry(value) for key, value in metadata.items()}
    )
    assert (vocabulary.bos, vocabulary.eos, vocabulary.sep) == (101, None, 102)
    assert (vocabulary.unk, vocabulary.pad) == (100, 0)


@pytest.mark.parametrize("missing", ["cls_token_id", "seperator_token_id"])
def test_what_is_added_must_exist(missing: str) -> None:
    with pytest.raises(MalformedError) as caught:
        made(**{missing: 10**6})
    assert caught.value.id == "TEXT007"
