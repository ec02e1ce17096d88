from __future__ import annotations

import itertools
import time
from dataclasses import replace

import numpy as np
import pytest

from mdst.text import Vocabulary
from mdst.text.sentencepiece import SentencePieceBpe


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        (" abc", [265, 264]),  # bc −0.5, then ▁a −2 before abc −3
        ("abc", [266]),  # bc −0.5, then abc −3
        ("aaa", [267, 260]),  # equal scores: leftmost first
        (" b", [259, 261]),
        ("é", [3 + 0xC3, 3 + 0xA9]),
        ("<s>", [3 + 0x3C, 3 + 0x73, 3 + 0x3E]),
        ("", []),
    ],
)
def test_encode(spm: Vocabulary, text: str, ids: list[int]) -> None:
    assert SentencePieceBpe(spm).encode(text) == ids


def test_without_byte_tokens(spm: Vocabulary) -> None:
    tokens = (*spm.tokens[:3], *(b"-%d" % i for i in range(256)), *spm.tokens[259:])
    vocabulary = replace(spm, tokens=tokens)
    assert SentencePieceBpe(vocabulary).encode("aé") == [260, 0, 0]
    assert SentencePieceBpe(replace(vocabulary, unk=None)).encode("aé") == [260]


def test_equals_the_plain_algorithm(spm: Vocabulary, rng: np.random.Generator) -> None:
    """Against: look at all neighbours, join the best-scored leftmost pair, repeat."""
    for _ in range(200):
        words = {"".join(rng.choice(list("abc▁"), rng.integers(2, 6))) for _ in range(60)}
        tokens = (*"abc▁", *sorted(words))
        ids = {token: id for id, token in enumerate(tokens)}
        scores = tuple(map(float, rng.integers(0, 9, len(tokens))))
        text = "".join(rng.choice(list("abc "), 60))
        pieces = list(text.replace(" ", "▁"))
        while True:
            joined = [left + right for left, right in itertools.pairwise(pieces)]
            found = [(-scores[ids[text]], at) for at, text in enumerate(joined) if text in ids]
            if not found:
                break
            at = min(found)[1]
            pieces[at : at + 2] = [joined[at]]
        stored = tuple(token.encode() for token in tokens)
        encoder = SentencePieceBpe(replace(spm, tokens=stored, scores=scores))
        assert encoder.encode(text) == [ids[piece] for piece in pieces]


def test_missing_scores_are_zero(spm: Vocabulary) -> None:
    assert SentencePieceBpe(replace(spm, scores=None)).encode("abc") == [266]
    assert SentencePieceBpe(replace(spm, scores=None)).encode("abb") == [263, 261]


def test_long_text_does_not_hang(spm: Vocabulary) -> None:
    start = time.process_time()
    assert len(SentencePieceBpe(spm).encode("a" * 200_000)) == 100_000
    assert time.process_time() - start < 5
