from __future__ import annotations

import itertools
import time
from dataclasses import replace

import numpy as np
import pytest

from mdst.text import Vocabulary
from mdst.text.bpe import ALPHABET, Bpe, token_bytes
from mdst.text.tokens import Merge


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        (" the", [258]),
        ("the", [ord("t"), 257]),
        ("abc", [ord("a"), 260]),  # "b c" ranks before "a b"
        ("aaa", [262, ord("a")]),  # equal ranks: leftmost first
        ("aaabc", [262, ord("a"), 260]),
        ("hello", [257, ord("l"), ord("l"), ord("o")]),
        ("é", [0xC3, 0xA9]),
        ("", []),
    ],
)
def test_encode(bpe: Vocabulary, text: str, ids: list[int]) -> None:
    assert Bpe(bpe).encode(text) == ids


def test_whole_words(bpe: Vocabulary) -> None:
    encoder = Bpe(replace(bpe, whole_words=True))
    assert encoder.encode("hello hello") == [263, 32, 257, 108, 108, 111]


def test_byte_without_token_gives_nothing_and_joins_nothing(bpe: Vocabulary) -> None:
    tokens = (*bpe.tokens[:98], b"other", *bpe.tokens[99:])  # no "b"
    assert Bpe(replace(bpe, tokens=tokens)).encode("aba") == [97, 97]


def test_first_of_equal_merges_counts(bpe: Vocabulary) -> None:
    again: Merge = (97, 98, 259)
    encoder = Bpe(replace(bpe, merges=(again, *bpe.merges)))
    assert encoder.encode("abc") == [261]


def test_alphabet() -> None:
    assert (ALPHABET[ord("a")], ALPHABET[ord(" ")], ALPHABET[0xAD]) == ("a", "Ġ", "Ń")
    assert token_bytes(ALPHABET.encode()) == bytes(range(256))
    assert len(set(ALPHABET)) == 256


def test_added_token_is_itself() -> None:
    assert token_bytes(b"a b") == b"a b"
    assert token_bytes("｜".encode()) == "｜".encode()
    assert token_bytes(b"\xff") == b"\xff"


def test_characters(tiny: dict[str, Vocabulary]) -> None:
    vocabulary = tiny["characters"]

    def pieces(text: str, vocabulary: Vocabulary = vocabulary) -> list[str]:
        return [vocabulary.tokens[id].decode() for id in Bpe(vocabulary).encode(text)]

    assert pieces("abc a") == ["abc", "▁a"]
    assert pieces("a\n\nb\n\n\n") == ["a", "\n\n", "b", "\n", "\n", "\n"]
    assert pieces("aéb") == ["a", "<0xC3>", "<0xA9>", "b"]
    assert pieces("한😀") == ["한", "<0xF0>", "<0x9F>", "<0x98>", "<0x80>"]
    # Bytes without token give nothing; lines that are tokens are merged all the same.
    lacking = tuple(token.replace(b"<0xA9>", b"(0xA9)") for token in vocabulary.tokens)
    assert pieces("é", replace(vocabulary, tokens=lacking)) == ["<0xC3>"]
    without = replace(vocabulary, whole_line_feeds=False)
    assert pieces("\n\n", without) == ["\n", "\n"]


def test_equals_the_plain_algorithm(rng: np.random.Generator) -> None:
    """Against: find the best pair anywhere, join its leftmost occurrence, repeat."""
    for _ in range(200):
        texts, merges = list("abc"), list[Merge]()
        for left, right in rng.integers(0, range(3, 43), (2, 40)).T.tolist():
            joined = texts[left % len(texts)] + texts[right % len(texts)]
            if len(joined) < 6 and joined not in texts:
                merges.append((left % len(texts), right % len(texts), len(texts)))
                texts.append(joined)
        merges = [merges[i] for i in rng.permutation(len(merges))]
        ids = rng.integers(0, 3, 60).tolist()
        encoded = Bpe(_vocabulary(texts, merges)).encode("".join(texts[id] for id in ids))
        while True:
            pairs = list(itertools.pairwise(ids))
            best = next((merge for merge in merges if merge[:2] in pairs), None)
            if best is None:
                break
            at = pairs.index(best[:2])
            ids[at : at + 2] = [best[2]]
        assert encoded == ids


def test_long_word_does_not_hang(bpe: Vocabulary) -> None:
    start = time.process_time()
    assert len(Bpe(bpe).encode("a" * 200_000)) == 100_000
    assert time.process_time() - start < 5


def _vocabulary(texts: list[str], merges: list[Merge]) -> Vocabulary:
    return Vocabulary(
        model="gpt2",
        pre="",
        tokens=tuple(text.encode() for text in texts),
        scores=None,
        types=(1,) * len(texts),
        merges=tuple(merges),
        bos=None,
        eos=None,
        eot=None,
        eom=None,
        unk=None,
        pad=None,
        sep=None,
        add_bos=False,
        add_eos=False,
        add_space_prefix=False,
        whole_words=False,
        whole_line_feeds=False,
        byte_level=True,
        merge_spaces=False,
        lowercase=False,
        strip_accents=False,
        patterns=(),
        charsmap=b"",
        lstrip_ids=(),
        rstrip_ids=(),
        end_ids=(),
        chat_template=None,
    )
