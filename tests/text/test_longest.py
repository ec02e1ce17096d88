"""RWKV's vocabulary: escaped texts, the longest token, every byte."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from mdst.errors import MalformedError
from mdst.text import StreamDecoder, Tokenizer, Vocabulary, compact, expand

BYTES = [b"\\x%02x" % byte for byte in range(256)]


@dataclass(frozen=True)
class Entry:
    value: object


def made(*more: bytes) -> Vocabulary:
    tokens = [b"<s>", *BYTES, *more]
    keys = {"model": b"rwkv", "tokens": tokens}
    return Vocabulary.from_metadata(
        {f"tokenizer.ggml.{key}": Entry(value) for key, value in keys.items()}
    )


def encode(vocabulary: Vocabulary, text: str) -> list[int]:
    return Tokenizer(vocabulary).encode(text, add_special=True, parse_special=False)


def test_texts_are_unescaped() -> None:
    vocabulary = made(b"\\t\\n\\r\\'\\\\n", b"\\xe4\\xbd", "é\\x0a".encode())
    assert vocabulary.tokens[1:257] == tuple(bytes([byte]) for byte in range(256))
    assert vocabulary.tokens[257:] == (b"\t\n\r'\\n", b"\xe4\xbd", "é\n".encode())
    assert expand(compact(vocabulary)) == vocabulary


@pytest.mark.parametrize("token", [b"a\\", b"\\xg0", b"\\x1", b"\\\\\\"])
def test_bad_escapes(token: bytes) -> None:
    with pytest.raises(MalformedError, match="token 257") as caught:
        made(token)
    assert caught.value.id == "TEXT003"


def test_the_longest_token_that_comes_next() -> None:
    vocabulary = made(b"ab", b"abcd", b"bcd", b"\\xe4\\xbd")
    assert encode(vocabulary, "abc") == [257, 1 + ord("c")]
    assert encode(vocabulary, "abcdab") == [258, 257]
    assert encode(vocabulary, "xbcd") == [1 + ord("x"), 259]
    assert encode(vocabulary, "你") == [260, 1 + 0xA0]
    assert encode(vocabulary, "") == []


def test_decodes_bytes_and_streams_characters() -> None:
    vocabulary = made(b"\\xe4\\xbd")
    tokenizer = Tokenizer(vocabulary)
    ids = encode(vocabulary, "a你▁😀\n")
    assert tokenizer.decode_text(ids) == "a你▁😀\n"
    stream = StreamDecoder(tokenizer)
    assert [stream.push(id) for id in ids][:3] == ["a", "", "你"]


def test_bytes_without_token() -> None:
    vocabulary = made()
    lacking = replace(vocabulary, tokens=(*vocabulary.tokens[:98], b"zz", *vocabulary.tokens[99:]))
    assert encode(lacking, "bab") == [99, 99]
    assert encode(replace(lacking, unk=0), "bab") == [99, 0, 99]
