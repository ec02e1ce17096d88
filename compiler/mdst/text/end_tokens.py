"""Tokens and their types → which tokens end a generation, and which types the file got wrong.

llama.cpp recognises these tokens by their text (src/llama-vocab.cpp, `llama_vocab::impl::load`),
since converters long wrote neither keys nor types for them. We decide the same, so that a model
stops here where it stops there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from . import metadata as md

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6


@dataclass(frozen=True, slots=True)
class _Role:
    """A token known by metadata keys (the last one present counts) or else by its text."""

    keys: tuple[str, ...]
    texts: tuple[str, ...]
    ends: bool


_ROLES: Mapping[str, _Role] = {
    "eot": _Role(
        ("eot_token_id",),
        (
            "<|eot_id|>",
            "<|im_end|>",
            "<|end|>",
            "<end_of_turn>",
            "<|endoftext|>",
            "<|end_of_text|>",
            "<EOT>",
            "_<EOT>",
            "[EOT]",
            "<｜end▁of▁sentence｜>",
            "<end_of_utterance>",
        ),
        ends=True,
    ),
    "eom": _Role(("eom_token_id",), ("<|eom_id|>",), ends=True),
    "fim_pre": _Role(
        ("fim_pre_token_id", "prefix_token_id"),
        (
            "<|fim_prefix|>",
            "<fim-prefix>",
            "<fim_prefix>",
            "<｜fim▁begin｜>",
            "<PRE>",
            "▁<PRE>",
            "<|code_prefix|>",
            "<|prefix|>",
        ),
        ends=False,
    ),
    "fim_suf": _Role(
        ("fim_suf_token_id", "suffix_token_id"),
        (
            "<|fim_suffix|>",
            "<fim-suffix>",
            "<fim_suffix>",
            "<｜fim▁hole｜>",
            "<SUF>",
            "▁<SUF>",
            "<|code_suffix|>",
            "<|suffix|>",
        ),
        ends=False,
    ),
    "fim_mid": _Role(
        ("fim_mid_token_id", "middle_token_id"),
        (
            "<|fim_middle|>",
            "<fim-middle>",
            "<fim_middle>",
            "<｜fim▁end｜>",
            "<MID>",
            "▁<MID>",
            "<|code_middle|>",
            "<|middle|>",
        ),
        ends=False,
    ),
    "fim_pad": _Role(
        ("fim_pad_token_id",),
        ("<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"),
        ends=True,
    ),
    "fim_rep": _Role(
        ("fim_rep_token_id",),
        ("<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"),
        ends=True,
    ),
    "fim_sep": _Role(("fim_sep_token_id",), ("<|file_sep|>",), ends=True),
}

_ENDING_TEXTS = (
    *_ROLES["eot"].texts,
    *_ROLES["eom"].texts,
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "</s>",
    "[EOS]",
    "<eos>",
    "<turn|>",
    "<|tool_response>",
    "[e~[",
)
# Harmony's channel marks are content to its readers, whatever type the file gives them.
_ALWAYS_SHOWN = ("<|channel|>", "<|message|>", "<|start|>", "<|constrain|>")


@dataclass(frozen=True, slots=True)
class EndTokens:
    """`types` are the file's, corrected; `end_ids` ascend."""

    eot: int | None
    eom: int | None
    end_ids: tuple[int, ...]
    types: tuple[int, ...]


def find_end_tokens(
    metadata: md.Metadata, ids: Mapping[bytes, int], types: Sequence[int], eos: int | None
) -> EndTokens:
    """`ids` maps the texts of tokens to their ids, `types` is one type for each token.

    A key with the id of no token counts as not given. Raises MalformedError (TEXT002) for one that
    is no integer.
    """
    found = list(types)
    roles: dict[str, int | None] = {}
    for name, role in _ROLES.items():
        known = _by_key(metadata, role, len(types))
        if known is None:
            known = next((ids[t.encode()] for t in role.texts if t.encode() in ids), None)
            if known is not None:
                found[known] = CONTROL
        roles[name] = known
    by_text = [ids[text.encode()] for text in _ENDING_TEXTS if text.encode() in ids]
    for ending in by_text:
        found[ending] = CONTROL
    for text in _ALWAYS_SHOWN:
        if text.encode() in ids:
            found[ids[text.encode()]] = USER_DEFINED
    ends = {roles[name] for name, role in _ROLES.items() if role.ends} | {eos, *by_text}
    end_ids = {end for end in ends if end is not None}
    _take_back(end_ids, ids, found)
    return EndTokens(roles["eot"], roles["eom"], tuple(sorted(end_ids)), tuple(found))


def _take_back(end_ids: set[int], ids: Mapping[bytes, int], types: list[int]) -> None:
    """Harmony and Solar end messages, not turns, with `<|end|>`; Gemma 4 has an idle `</s>`."""

    def ends(*texts: str) -> bool:
        return any(ids.get(text.encode()) in end_ids for text in texts)

    calls = ends("<|call|>", "<|calls|>") and ends("<|return|>", "<|flush|>")
    if calls and ends("<|end|>"):
        end_ids.remove(ids[b"<|end|>"])
        types[ids[b"<|end|>"]] = USER_DEFINED
    if ends("<|tool_response>") and ends("</s>"):
        end_ids.remove(ids[b"</s>"])
        types[ids[b"</s>"]] = NORMAL


def _by_key(metadata: md.Metadata, role: _Role, n_tokens: int) -> int | None:
    given = [
        md.token_id(metadata, f"tokenizer.ggml.{key}", n_tokens, strict=False) for key in role.keys
    ]
    return next((known for known in reversed(given) if known is not None), None)
