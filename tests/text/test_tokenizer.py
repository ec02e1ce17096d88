from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mdst.errors import UsageError
from mdst.text import StreamDecoder, Tokenizer, Vocabulary

PER_TEST = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def encode(vocabulary: Vocabulary, text: str, *, special: bool = False) -> list[int]:
    return Tokenizer(vocabulary).encode(text, add_special=special, parse_special=special)


@PER_TEST
@given(text=st.text())
def test_byte_level_round_trip(bpe: Vocabulary, text: str) -> None:
    assert Tokenizer(bpe).decode(encode(bpe, text)) == text.encode()


@PER_TEST
@given(text=st.text(st.characters(exclude_characters="▁", exclude_categories=["Cs"])))
def test_sentencepiece_round_trip(spm: Vocabulary, text: str) -> None:
    assert Tokenizer(spm).decode_text(encode(spm, text), whole=True) == text


def test_bos_and_eos(bpe: Vocabulary, spm: Vocabulary) -> None:
    assert encode(bpe, "a", special=True) == [97]
    both = replace(bpe, add_bos=True, add_eos=True)
    assert encode(both, "a", special=True) == [264, 97, 264]
    assert encode(both, "a", special=False) == [97]
    assert encode(spm, "", special=True) == [1]
    assert encode(spm, "a", special=True) == [1, 265]


def test_space_prefix_at_the_beginning_and_after_special_tokens(spm: Vocabulary) -> None:
    assert encode(spm, "a<|im_end|>a</s></s>a", special=True) == [1, 265, 268, 265, 2, 2, 265]
    bare = replace(spm, add_space_prefix=False)
    assert encode(bare, "a<|im_end|>a", special=True) == [1, 260, 268, 260]


def test_user_text_cannot_end_a_turn(spm: Vocabulary) -> None:
    assert 2 not in encode(spm, "</s>", special=False)


def test_surrogates_as_javascripts_text_encoder(bpe: Vocabulary) -> None:
    assert encode(bpe, "\ud83d\ude00") == encode(bpe, "\U0001f600")
    assert encode(bpe, "a\ud83db\udc00") == encode(bpe, "a\ufffdb\ufffd")


def test_decode_shows_what_is_text(bpe: Vocabulary, spm: Vocabulary) -> None:
    tokenizer = Tokenizer(bpe)
    ids = [258, 264, 265]
    assert tokenizer.decode_text(ids) == " the<tool>"
    assert tokenizer.decode_text(ids, special=True) == " the<|eot_id|><tool>"
    tokenizer = Tokenizer(spm)
    assert tokenizer.decode([1, 265, 3 + 0xFF, 0]) == b" a\xff"
    assert tokenizer.decode([1, 265, 3 + 0xFF, 0], special=True) == b"<s> a\xff<unk>"
    assert tokenizer.decode([1, 265, 265], whole=True) == b"a a"
    assert tokenizer.decode_text([3 + 0xC3]) == "\ufffd"


def test_unused_tokens_give_nothing(bpe: Vocabulary) -> None:
    unused = replace(bpe, types=(*bpe.types[:-1], 5))
    assert Tokenizer(unused).decode([266], special=True) == b""


@pytest.mark.parametrize("id", [-1, 267])
def test_unknown_id(bpe: Vocabulary, id: int) -> None:
    with pytest.raises(UsageError) as caught:
        Tokenizer(bpe).decode([id])
    assert caught.value.id == "TEXT009"


@PER_TEST
@given(ids=st.lists(st.integers(0, 266)))
def test_stream_is_the_text(bpe: Vocabulary, ids: list[int]) -> None:
    tokenizer = Tokenizer(bpe)
    stream = StreamDecoder(tokenizer)
    assert "".join([*map(stream.push, ids), stream.flush()]) == tokenizer.decode_text(ids)


def test_stream_waits_for_whole_characters(bpe: Vocabulary) -> None:
    stream = StreamDecoder(Tokenizer(bpe))
    parts = [stream.push(byte) for byte in "a😀é".encode()]
    assert parts == ["a", "", "", "", "😀", "", "é"]
    assert stream.flush() == ""
    assert [stream.push(0xF0), stream.flush(), stream.push(97)] == ["", "\ufffd", "a"]


def test_stream_shows_special_tokens_on_request(bpe: Vocabulary) -> None:
    assert StreamDecoder(Tokenizer(bpe)).push(264) == ""
    assert StreamDecoder(Tokenizer(bpe), special=True).push(264) == "<|eot_id|>"
