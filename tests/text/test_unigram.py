"""Unigram: SentencePiece's own ids, the best sum among all ways to cut, and llama.cpp's edges."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mdst.errors import MalformedError
from mdst.text import Tokenizer, Vocabulary
from mdst.text.unigram import Unigram

MetadataOf = Callable[[str], Any]
Made = Callable[[dict[str, float]], Vocabulary]

VECTORS = json.loads((Path(__file__).parent / "vectors/sentencepiece_unigram.json").read_text())


@pytest.mark.parametrize("name", VECTORS["models"])
def test_sentencepieces_own_ids(name: str, unigram_metadata: MetadataOf) -> None:
    tokenizer = Tokenizer(Vocabulary.from_metadata(unigram_metadata(name)))
    encoded = VECTORS["models"][name]["encoded"]
    assert len(encoded) > 40
    for text, ids in encoded:
        assert tokenizer.encode(text, add_special=False, parse_special=False) == ids, text


def test_defaults(unigram_metadata: MetadataOf) -> None:
    vocabulary = Vocabulary.from_metadata(unigram_metadata("merged"))
    assert (vocabulary.bos, vocabulary.eos, vocabulary.unk, vocabulary.pad) == (None, 1, 2, 0)
    assert (vocabulary.add_bos, vocabulary.add_eos) == (False, True)
    tokenizer = Tokenizer(vocabulary)
    ids = tokenizer.encode("river", add_special=True, parse_special=False)
    assert [vocabulary.tokens[id].decode() for id in ids] == ["▁river", "</s>"]
    assert tokenizer.decode_text(ids, whole=True) == "river"


def test_user_defined_tokens_stand_alone(unigram_metadata: MetadataOf) -> None:
    vocabulary = Vocabulary.from_metadata(unigram_metadata("prefix"))
    ids = Tokenizer(vocabulary).encode("<tool>the <tool>", add_special=False, parse_special=False)
    assert [vocabulary.tokens[id].decode() for id in ids] == ["<tool>", "▁the", "▁", "<tool>"]


def test_no_space_in_front_of_spaces_alone(unigram_metadata: MetadataOf) -> None:
    vocabulary = Vocabulary.from_metadata(unigram_metadata("prefix"))
    ids = Tokenizer(vocabulary).encode("  ", add_special=False, parse_special=False)
    assert [vocabulary.tokens[id].decode() for id in ids] == ["▁", "▁"]


def test_scores_are_needed(unigram_metadata: MetadataOf) -> None:
    keys = unigram_metadata("plain")
    del keys["tokenizer.ggml.scores"]
    with pytest.raises(MalformedError, match="scores") as caught:
        Vocabulary.from_metadata(keys)
    assert caught.value.id == "TEXT005"


@pytest.fixture
def made(unigram_metadata: MetadataOf) -> Made:
    """A vocabulary of ids 0 to 2 and these pieces."""
    vocabulary = Vocabulary.from_metadata(unigram_metadata("plain"))
    return lambda pieces: replace(
        vocabulary,
        tokens=(*vocabulary.tokens[:3], *(piece.encode() for piece in pieces)),
        scores=(0.0, 0.0, 0.0, *pieces.values()),
        types=(3, 3, 2, *(1,) * len(pieces)),
        charsmap=b"",
    )


def test_the_best_of_all_cuts(rng: np.random.Generator, made: Made) -> None:
    for _ in range(100):
        texts = ["".join(rng.choice(list("abc"), rng.integers(2, 5))) for _ in range(12)]
        # Multiples of 1/4 add up without rounding.
        pieces = {text: float(rng.integers(-40, 0)) / 4 for text in [*"abc", *texts]}
        vocabulary = made(pieces)
        text = "".join(rng.choice(list("abc"), 9))
        ids = Unigram(vocabulary).encode(text)
        chosen = [vocabulary.tokens[id].decode() for id in ids]
        assert "".join(chosen) == text
        cuts = (
            [text[i:j] for i, j in itertools.pairwise((0, *places, len(text)))]
            for n in range(len(text))
            for places in itertools.combinations(range(1, len(text)), n)
        )
        best = max(sum(pieces[p] for p in cut) for cut in cuts if all(p in pieces for p in cut))
        assert sum(pieces[piece] for piece in chosen) == best


def test_unknown_characters(made: Made) -> None:
    vocabulary = made({"a": -1.0, "ab": -2.0})
    assert Unigram(vocabulary).encode("xya") == [2, 3]
    assert Unigram(vocabulary).encode("abb") == [4, 2]
    assert Unigram(replace(vocabulary, unk=None)).encode("xyax") == [3]
    # Never worse than unknown: control tokens and bytes are no pieces.
    assert Unigram(replace(vocabulary, types=(3, 3, 2, 3, 6))).encode("ab") == [2]


def test_long_text_does_not_hang(made: Made) -> None:
    start = time.process_time()
    assert len(Unigram(made({"a": -3.0, "aa": -4.0})).encode("a" * 200_000)) == 100_000
    assert time.process_time() - start < 5
