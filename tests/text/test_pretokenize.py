from __future__ import annotations

import time

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from mdst.errors import MalformedError
from mdst.text.pretokenize import Pretokenizer
from mdst.text.rules import RULES

CLASS = r"\[(?:\\.|[^\]\\])*\]"


def split(pre: str, text: str) -> list[str]:
    return Pretokenizer(RULES[pre].patterns).split(text)


@pytest.mark.parametrize(
    ("pre", "text", "words"),
    [
        ("gpt-2", "I'll go  home", ["I", "'ll", " go", " ", " home"]),
        ("gpt-2", "x1234 y\n\nz", ["x", "1234", " y", "\n", "\n", "z"]),
        ("starcoder", "a1234", ["a", "1", "2", "3", "4"]),
        ("llama-bpe", "I'LL a1234", ["I", "'LL", " a", "123", "4"]),
        ("llama-bpe", "b!\n\n  c \n ", ["b", "!\n\n", " ", " c", " \n", " "]),
        ("qwen2", "a1234", ["a", "1", "2", "3", "4"]),
        ("falcon", "a 12345", ["a", " ", "123", "45"]),
        ("default", "a$$b 1234", ["a", "$$", "b", " ", "123", "4"]),
        ("deepseek-coder", "a b12\n龥x", ["a", " b", "1", "2", "\n", "龥", "x"]),
        ("deepseek-llm", "ab 12 ", ["ab", " ", "12", " "]),
        ("deepseek-v3", "1234中文.ab", ["123", "4", "中文", ".ab"]),
        ("gpt-4o", "helloWorld's X", ["hello", "World's", " X"]),
        ("tekken", "helloWorld12", ["hello", "World", "1", "2"]),
        ("seed-coder", "a!\nb", ["a", "!", "\n", "b"]),
        ("bailingmoe", "We'LL 12\n\nx", ["We", "'LL", " ", "1", "2", "\n\n", "x"]),
        ("exaone-moe", "to be,\n\n 12", ["to be", ",\n", "\n", " ", "1", "2"]),
        ("ufakzeka", "Ali'nin 12", ["Ali", "'nin", " ", "1", "2"]),
        ("laguna", "a\n\n b 12", ["a", "\n\n", " b", " ", "1", "2"]),
        ("jais-2", "a" + " " * 8 + "b", ["a", " " * 4, "  ", " ", " b"]),
        ("jais-2", "a" + " " * 1025, ["a", " " * 512, " " * 512, " "]),
        ("spark2_5", "ab!\n\n1234", ["ab", "!", "\n", "\n", "1", "2", "3", "4"]),
        (
            "afmoe",
            "a  1234 12345 1 123ไทยx",
            [
                *("a", "  ", "1", "234", " ", "12", "345", " ", "1", " ", "123", "ไ", "ทยx"),
            ],
        ),
        ("youtu", "myName's 12 한글。x", ["my", "Name's", " ", "1", "2", " ", "한글", "。", "x"]),
        (
            "tiny_aya",
            "1234567 1234, 1234x",
            [
                *("1", "234", "567", " ", "1", "234", ",", " ", "123", "4", "x"),
            ],
        ),
        ("kimi-k2", "Hi中文字's!ab'S 1234", ["Hi", "中文字", "'s", "!ab'S", " ", "123", "4"]),
        ("superbpe", "By the way 1234567", ["By the way ", "1", "234", "567"]),
        (
            "chameleon",
            "a12\tIMGIMGABZ<sentinel:3>",
            [
                *("a", "1", "2", "\t", "IMGIMGABZ", "<", "sentinel", ":", "3", ">"),
            ],
        ),
        ("gemma4", "a  b\n\nc", ["a  b", "\n\n", "c"]),
        ("viking", "ab cd, e5", ["ab", " cd", ",", " e", "5"]),
    ],
)
def test_split(pre: str, text: str, words: list[str]) -> None:
    assert split(pre, text) == words


def test_white_space_is_unicodes() -> None:
    # U+0085 is white space to Unicode but not to JavaScript's \s, U+FEFF the other way round.
    assert split("gpt-2", "a\u0085b\ufeffc") == ["a", "\u0085", "b", "\ufeff", "c"]


@given(st.text())
def test_words_are_the_text(text: str) -> None:
    for rule in {id(rule): rule for rule in RULES.values()}.values():
        assert "".join(Pretokenizer(rule.patterns).split(text)) == text


@pytest.mark.parametrize("unit", ["a", "A", "aA", " ", "\n", "1", "!", "中", "'", "\u0301", "a "])
def test_time_is_linear_in_the_text(unit: str) -> None:
    # A quadratic pattern would take minutes.
    start = time.process_time()
    for patterns in {rule.patterns for rule in RULES.values()}:
        Pretokenizer(patterns).split(unit * 20_000)
        Pretokenizer(patterns).split(unit * 20_000 + "x")
    assert time.process_time() - start < 10


def test_patterns_avoid_what_javascript_reads_otherwise() -> None:
    for rule in RULES.values():
        for pattern in rule.patterns:
            assert not regex.search(r"\\[sSwWdDbB]", pattern)
            plain = regex.sub(r"\\p\{[\w=]+\}", "x", pattern, flags=regex.IGNORECASE)
            for marks in regex.findall(CLASS, plain):
                # In a class, flag v reserves these bare and every doubled mark.
                assert not regex.search(r"(?<!\\)[(){}\/|\[]", marks[1:-1])
                assert not regex.search(r"([&!#$%*+,.:;<=>?@^`~])\1", marks)
            outside = regex.sub(CLASS, "[]", plain)
            assert not regex.search(r"[*+?}][+]|\(\?(?!<?[=!]|:)|\$", outside)


def test_invalid_pattern() -> None:
    with pytest.raises(MalformedError) as caught:
        Pretokenizer(["(a"])
    assert caught.value.id == "TEXT008"
