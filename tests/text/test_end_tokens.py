from __future__ import annotations

from dataclasses import dataclass

from mdst.text.end_tokens import CONTROL, NORMAL, USER_DEFINED, EndTokens, find_end_tokens


@dataclass(frozen=True)
class Entry:
    value: object


def find(*texts: str, eos: int | None = None, **keys: int) -> EndTokens:
    ids = {text.encode(): id for id, text in enumerate(texts)}
    metadata = {f"tokenizer.ggml.{key}_token_id": Entry(id) for key, id in keys.items()}
    return find_end_tokens(metadata, ids, [NORMAL] * len(texts), eos)


def test_by_text() -> None:
    found = find("a", "<|eom_id|>", "<|eot_id|>", "<eos>", "b")
    assert (found.eot, found.eom) == (2, 1)
    assert found.end_ids == (1, 2, 3)
    assert found.types == (NORMAL, CONTROL, CONTROL, CONTROL, NORMAL)


def test_by_key() -> None:
    found = find("a", "b", "c", eos=2, eot=0, eom=1)
    assert (found.eot, found.eom, found.end_ids) == (0, 1, (0, 1, 2))
    assert found.types == (NORMAL,) * 3


def test_first_text_of_the_list_is_eot_but_all_end() -> None:
    found = find("<|endoftext|>", "<|im_end|>")
    assert (found.eot, found.end_ids) == (1, (0, 1))


def test_fill_in_the_middle() -> None:
    found = find("<|fim_prefix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<PRE>")
    assert found.end_ids == (1, 2, 3)
    assert found.types == (CONTROL,) * 4 + (NORMAL,)
    assert find("a", "b", fim_pad=0, prefix=1).end_ids == (0,)


def test_harmony_ends_messages_with_end() -> None:
    found = find("<|end|>", "<|return|>", "<|call|>", "<|channel|>")
    assert found.end_ids == (1, 2)
    assert found.types == (USER_DEFINED, CONTROL, CONTROL, USER_DEFINED)
    assert find("<|end|>", "<|return|>").end_ids == (0, 1)


def test_tool_response_frees_s() -> None:
    found = find("</s>", "<|tool_response>")
    assert (found.end_ids, found.types) == ((1,), (NORMAL, CONTROL))
    assert find("</s>").end_ids == (0,)


def test_a_key_out_of_range_counts_as_not_given() -> None:
    assert find("a", "<|fim_pad|>", fim_pad=2).end_ids == (1,)
    assert find("a", fim_pad=1).end_ids == ()
