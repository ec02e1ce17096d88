"""PLaMo 2: the cheapest of all cuts, bytes for what no token covers."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pytest

from mdst.errors import MalformedError
from mdst.text import Tokenizer, Vocabulary
from mdst.text.plamo2 import CheapestTokens, cost


@dataclass(frozen=True)
class Entry:
    value: object


Pieces = dict[str, float]


def made(pieces: Pieces, **more: object) -> Vocabulary:
    texts = ["<unk>", "<bos>", "<eos>", *(f"<0x{b:02X}>" for b in range(256)), *pieces]
    keys = {
        "model": b"plamo2",
        "tokens": [text.encode() for text in texts],
        "scores": np.array([*[0.0] * 259, *pieces.values()], np.float32),
        "token_type": np.array([2, 3, 3, *[6] * 256, *[1] * len(pieces)], np.int32),
        **more,
    }
    return Vocabulary.from_metadata({f"tokenizer.ggml.{k}": Entry(v) for k, v in keys.items()})


def encode(vocabulary: Vocabulary, text: str) -> list[str]:
    return [vocabulary.tokens[id].decode() for id in CheapestTokens(vocabulary).encode(text)]


def test_the_cheapest_of_all_cuts(rng: np.random.Generator) -> None:
    for _ in range(100):
        texts = ["".join(rng.choice(list("ab한"), rng.integers(2, 5))) for _ in range(12)]
        pieces = {text: float(rng.integers(-400, 0)) for text in [*"ab한", *texts]}
        text = "".join(rng.choice(list("ab한"), 9))
        chosen = encode(made(pieces), text)
        assert "".join(chosen) == text
        cuts = (
            [text[i:j] for i, j in itertools.pairwise((0, *places, len(text)))]
            for n in range(len(text))
            for places in itertools.combinations(range(1, len(text)), n)
        )
        best = max(sum(pieces[p] for p in cut) for cut in cuts if all(p in pieces for p in cut))
        assert sum(pieces[piece] for piece in chosen) == best


def test_of_equal_costs_the_longest_first_token() -> None:
    assert encode(made({"a": -1, "aa": -2, "aaa": -3}), "aaaa") == ["aaa", "a"]


def test_bytes_for_what_no_token_covers() -> None:
    vocabulary = made({"a": -1, "ab": -2})
    assert encode(vocabulary, "é") == ["<0xC3>", "<0xA9>"]
    assert encode(vocabulary, "abba") == ["ab", "<0x62>", "a"]
    # A token that costs more than bytes would, and one that costs too much to be one.
    assert encode(made({"a": -1001}), "a") == ["<0x61>"]
    assert encode(made({"aa": -1999}), "aa") == ["aa"]
    assert encode(made({"aa": -2000}), "aa") == ["<0x61>", "<0x61>"]


def test_a_byte_order_mark_goes() -> None:
    assert encode(made({"a": -1}), "\ufeffa") == ["a"]


def test_user_text_cannot_end_a_turn() -> None:
    assert "<eos>" not in encode(made({"<": -1, "eos>": -1}), "<eos>")


def test_texts_are_shown_as_they_are() -> None:
    vocabulary = made({"▁a": -1})
    tokenizer = Tokenizer(vocabulary)
    ids = tokenizer.encode("▁aé", add_special=True, parse_special=False)
    assert tokenizer.decode_text(ids, whole=True) == "▁aé"


def test_costs_are_rounded_away_from_zero() -> None:
    assert [cost(x) for x in (-0.00005, 0.00005, -1.5, 0.0, -2e-5)] == [1, -1, 15000, 0, 0]


def test_every_byte_is_needed() -> None:
    tokens = [b"<0x%02X>" % b for b in range(255)] + [b"x"]
    types = np.array([6] * 255 + [1], np.int32)
    scores = np.zeros(256, np.float32)
    with pytest.raises(MalformedError, match="<0xFF>") as caught:
        made({}, tokens=tokens, token_type=types, scores=scores)
    assert caught.value.id == "TEXT004"
