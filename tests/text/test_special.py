from __future__ import annotations

from dataclasses import replace

from mdst.text import Vocabulary
from mdst.text.special import SpecialTokens

EOT, TOOL, TOOL_X = 264, 265, 266


def test_control_tokens_on_request_only(bpe: Vocabulary) -> None:
    special = SpecialTokens(bpe)
    assert special.partition("a<|eot_id|>b", parse_special=False) == ["a<|eot_id|>b"]
    assert special.partition("a<|eot_id|>b", parse_special=True) == ["a", EOT, "b"]


def test_user_defined_tokens_always(bpe: Vocabulary) -> None:
    special = SpecialTokens(bpe)
    assert special.partition("<tool><tool>", parse_special=False) == [TOOL, TOOL]


def test_longest_first_wherever_it_stands(bpe: Vocabulary) -> None:
    special = SpecialTokens(bpe)
    assert special.partition("<tool> <tool>x", parse_special=True) == [TOOL, " ", TOOL_X]


def test_normal_tokens_are_text(bpe: Vocabulary) -> None:
    assert SpecialTokens(bpe).partition("hello", parse_special=True) == ["hello"]
    assert SpecialTokens(bpe).partition("", parse_special=True) == []


def test_rstrip(bpe: Vocabulary) -> None:
    special = SpecialTokens(replace(bpe, rstrip_ids=(EOT,)))
    text = " <|eot_id|>\n\t <|eot_id|>\u00a0b<tool> c"
    expected = [" ", EOT, EOT, "\u00a0b", TOOL, " c"]
    assert special.partition(text, parse_special=True) == expected


def test_lstrip(bpe: Vocabulary) -> None:
    special = SpecialTokens(replace(bpe, lstrip_ids=(EOT,)))
    text = " \n<|eot_id|> \t<|eot_id|>\u00a0b <tool> c "
    expected = [EOT, EOT, "\u00a0b ", TOOL, " c "]
    assert special.partition(text, parse_special=True) == expected


def test_token_that_is_not_utf8_is_found_nowhere(bpe: Vocabulary) -> None:
    special = SpecialTokens(
        replace(bpe, tokens=(*bpe.tokens[:EOT], b"\xff", *bpe.tokens[EOT + 1 :]))
    )
    assert special.partition("\ufffd", parse_special=True) == ["\ufffd"]
