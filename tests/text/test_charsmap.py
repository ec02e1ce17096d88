"""The character map: as SentencePiece writes it, and broken in every way."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdst.errors import MalformedError
from mdst.text.charsmap import CharsMap, pairs, read_charsmap

KEY = "tokenizer.ggml.precompiled_charsmap"
VECTORS = json.loads((Path(__file__).parent / "vectors/sentencepiece_unigram.json").read_text())
DATA = base64.b64decode(VECTORS["charsmap"])


@dataclass(frozen=True)
class Entry:
    value: object


def read(data: bytes, dtype: str = "uint8") -> bytes:
    return read_charsmap({KEY: Entry(np.frombuffer(data, dtype))})


def units(*trie: int, texts: bytes = b"x\0") -> bytes:
    return np.array([4 * len(trie), *trie], "<u4").tobytes() + texts


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_reads_what_sentencepiece_wrote(dtype: str) -> None:
    assert read(DATA, dtype) == DATA
    assert dict(pairs(DATA)) == dict(map(tuple, VECTORS["rules"]))


def test_the_longest_text_counts() -> None:
    charsmap = CharsMap(DATA)
    for text, replacement in VECTORS["rules"]:
        data = text.encode()
        assert charsmap.longest(b"-" + data, 1) == (replacement.encode(), 1 + len(data))
    assert charsmap.longest("①①①".encode(), 0) == (b"eleven", 6)
    assert charsmap.longest("①①①".encode(), 6) == (b"1", 9)
    assert charsmap.longest("①a①".encode(), 0) == (b"1", 3)
    assert charsmap.longest(b"the", 0) is None
    assert charsmap.longest("e\u0301".encode()[:-1], 0) is None


def test_no_key_no_map() -> None:
    assert read_charsmap({}) == b""


def test_a_trie_by_hand() -> None:
    # The root's offset is 1, so 'a' (0x61) leads to unit 0x60; its offset 1 to its value at 0x61.
    trie = [0] * 0x62
    trie[0], trie[0x60], trie[0x61] = 1 << 10, 1 << 10 | 1 << 8 | 0x61, 1 << 31 | 2
    assert pairs(read(units(*trie, texts=b"x\0yz\0"))) == [("a", "yz")]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "0 bytes"),
        (b"\4\0\0", "3 bytes"),
        (units(0, texts=b""), "8 bytes"),
        (units(0)[:-3], "7 bytes"),
        (b"\5" + units(0)[1:], "5 of them"),
        (b"\xff\xff\xff\xff" + units(0)[4:], "4294967295"),
    ],
)
def test_lengths_that_do_not_fit(data: bytes, words: str) -> None:
    with pytest.raises(MalformedError, match=words) as caught:
        read(data)
    assert caught.value.id == "TEXT011"
    assert KEY in caught.value.message


def test_broken_tries() -> None:
    trie = [0] * 0x62
    trie[0] = 1 << 10

    def message(**texts: bytes) -> str:
        with pytest.raises(MalformedError) as caught:
            read(units(*trie, **texts))
        return caught.value.message

    trie[0x60], trie[0x61] = 1 << 10 | 1 << 8 | 0x61, 1 << 31 | 9
    assert "ends" in message()
    trie[0x61] = 1 << 31
    assert "ends" in message(texts=b"x")
    assert "UTF-8" in message(texts=b"\xff\0")
    trie[0x60] = 0x3FF << 10 | 1 << 8 | 0x61
    assert "outside" in message()
    # 'a' again leads back to where it came from.
    trie[0x60] = 0x61 << 10 | 0x61
    assert "loop" in message()


@settings(deadline=None)
@given(st.data())
def test_broken_bytes_never_break_us(data: st.DataObject) -> None:
    broken = bytearray(DATA)
    for _ in range(data.draw(st.integers(1, 6))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    text = b"the " + "①①é".encode()
    for start in range(len(text)):
        found = CharsMap(bytes(broken)).longest(text, start)
        assert found is None or start < found[1] <= len(text)
    try:
        kept = pairs(read(bytes(broken)))
    except MalformedError:
        return
    assert all(text and "\0" not in text + replacement for text, replacement in kept)


@pytest.mark.parametrize("value", [b"abc", np.zeros(8, np.int32), [b"a"]])
def test_wrong_type(value: object) -> None:
    with pytest.raises(MalformedError) as caught:
        read_charsmap({KEY: Entry(value)})
    assert caught.value.id == "TEXT002"
