from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mdst.errors import MalformedError
from mdst.text import Tokenizer, Vocabulary, compact, expand
from mdst.text.rules import BERT_PATTERNS
from mdst.text.vocabulary import MODELS


def full(bpe: Vocabulary) -> Vocabulary:
    """Every optional part is there."""
    return replace(
        bpe,
        lstrip_ids=(265, 266),
        rstrip_ids=(264,),
        add_eos=True,
        pad=3,
        sep=4,
        charsmap=b"\4\0\0\0 any bytes",
    )


def test_identity(bpe: Vocabulary, spm: Vocabulary) -> None:
    for vocabulary in (bpe, spm, full(bpe)):
        assert expand(compact(vocabulary)) == vocabulary


def test_every_flag_has_its_bit(spm: Vocabulary) -> None:
    off = replace(spm, scores=None, add_bos=False, add_eos=False, add_space_prefix=False)
    changed = (
        off,
        replace(off, add_bos=True),
        replace(off, add_eos=True),
        replace(off, add_space_prefix=True),
        replace(off, whole_words=True),
        replace(off, scores=spm.scores),
        replace(off, chat_template=""),
        replace(off, byte_level=True),
        replace(off, whole_line_feeds=True),
        replace(off, merge_spaces=True),
        replace(off, lowercase=True),
        replace(off, strip_accents=True),
    )
    for bit, vocabulary in enumerate(changed):
        assert struct.unpack_from("<I", compact(vocabulary), 12) == (1 << bit >> 1,)
        assert expand(compact(vocabulary)) == vocabulary


def test_layout_is_as_documented(spm: Vocabulary, bpe: Vocabulary) -> None:
    data = compact(bpe)
    assert data[:4] == b"MDTV"
    assert struct.unpack_from("<3I", data, 4) == (2, 0, 32 | 64)
    assert struct.unpack_from("<7i", data, 16) == (264, 264, 264, -1, -1, -1, -1)
    assert struct.unpack_from("<6I", data, 44) == (267, 7, 1, 0, 0, 1)
    lefts, rights, results = (struct.unpack_from("<7I", data, 84 + 28 * i) for i in range(3))
    assert tuple(zip(lefts, rights, results, strict=True)) == bpe.merges
    scores = struct.unpack_from("<269f", compact(spm), 84 + 4 * len(spm.end_ids))
    assert scores == spm.scores
    assert data.endswith(b"gpt-2" + bpe.patterns[0].encode() + "{{ 'ü' }}".encode())
    assert compact(replace(bpe, charsmap=b"\xff\0"))[len(data) :] == b"\xff\0"


def test_warnings_are_not_kept(bpe: Vocabulary) -> None:
    assert compact(replace(bpe, warnings=("odd",))) == compact(bpe)


def test_every_cut_is_refused(bpe: Vocabulary) -> None:
    data = compact(bpe)
    for length in range(len(data)):
        with pytest.raises(MalformedError):
            expand(data[:length])
    with pytest.raises(MalformedError):
        expand(data + b"\0")


@pytest.mark.parametrize(
    ("offset", "field"),
    [
        (0, b"MDTW"),
        (4, struct.pack("<I", 1)),
        (8, struct.pack("<I", 6)),
        (12, struct.pack("<I", 2048)),
        (16, struct.pack("<i", 267)),
        (16, struct.pack("<i", -2)),
        (44, struct.pack("<I", 2**32 - 1)),
        (68, struct.pack("<I", 1)),
        (84, struct.pack("<I", 267)),
        (-1, b"\xff"),
    ],
)
def test_wrong_field_is_refused(bpe: Vocabulary, offset: int, field: bytes) -> None:
    data = bytearray(compact(bpe))
    offset %= len(data)
    data[offset : offset + len(field)] = field
    with pytest.raises(MalformedError) as caught:
        expand(bytes(data))
    assert caught.value.id == "TEXT008"


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_broken_file_never_breaks_us(bpe: Vocabulary, spm: Vocabulary, data: st.DataObject) -> None:
    model = data.draw(st.sampled_from(MODELS))
    broken = bytearray(compact(as_model(model, bpe, spm)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(broken) - 1))
        broken[at] = data.draw(st.integers(0, 255))
    try:
        vocabulary = expand(bytes(broken))
        tokenizer = Tokenizer(vocabulary)
    except MalformedError:
        return
    ids = tokenizer.encode("a bc</s>é", add_special=True, parse_special=True)
    assert all(0 <= id < len(vocabulary.tokens) for id in ids)
    tokenizer.decode(range(len(vocabulary.tokens)))


def as_model(model: str, bpe: Vocabulary, spm: Vocabulary) -> Vocabulary:
    if model == "gpt2":
        return full(bpe)
    patterns = BERT_PATTERNS if model == "bert" else ()
    return replace(spm, model=model, patterns=patterns, charsmap=full(bpe).charsmap)
