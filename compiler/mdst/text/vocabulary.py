"""GGUF tokenizer metadata → `Vocabulary`: what encoding, decoding and stopping need, checked.

Keys and defaults: llama.cpp, src/llama-vocab.cpp (`llama_vocab::impl::load`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import MalformedError, UnsupportedError, printable
from . import metadata as md
from .charsmap import read_charsmap
from .end_tokens import find_end_tokens
from .rules import BERT_PATTERNS, DEFAULT, RULES, Rule
from .special_ids import SpecialIds, read_lstrip_ids, read_rstrip_ids, read_special_ids
from .tokens import (
    Merge,
    check_every_byte,
    read_merges,
    read_scores,
    read_tokens,
    read_types,
)

GPT2, LLAMA, BERT, T5, RWKV, PLAMO2 = "gpt2", "llama", "bert", "t5", "rwkv", "plamo2"
MODELS = (GPT2, LLAMA, BERT, T5, RWKV, PLAMO2)
_GEMMA4 = "gemma4"
"""A model in the metadata: 'gpt2' with the pre-tokenizer of that name."""

_RULES = {
    LLAMA: Rule((), byte_level=False, add_bos=True),
    BERT: Rule(BERT_PATTERNS, byte_level=False, add_bos=True, needs_bos=True),
    T5: Rule((), byte_level=False, add_eos=True),
    RWKV: Rule((), byte_level=False),
    PLAMO2: Rule((), byte_level=False),
}


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A tokenizer as data.

    `model`: 'gpt2' is BPE by merges, 'llama' BPE by scores (SentencePiece), 'bert' WordPiece, 't5'
    unigram, 'rwkv' the longest token, 'plamo2' the cheapest tokens. `byte_level`: tokens of 'gpt2'
    are spelled in GPT-2's alphabet of 256 printable characters; else `▁` is a space in them.
    `tokens`: texts as the file stores them, those of 'rwkv' as bytes. `scores`: float32 values,
    only for 'llama', 't5' and 'plamo2'. `types`: llama.cpp's token types. `merges`: (left id, right
    id, id of both joined), best first, only for 'gpt2'. `sep` goes behind a text of 'bert'.
    `patterns`, `whole_words` and `whole_line_feeds`: see `rules.Rule` and `wordpiece`.
    `merge_spaces`: a run of spaces counts as one, none at the ends ('t5'). `lowercase` and
    `strip_accents`: what 'bert' does to a text first; `charsmap`: what 't5' does, see that module.
    `lstrip_ids`, `rstrip_ids`: special tokens that swallow the ASCII white space before and after
    them. `end_ids`: tokens that end a generation, ascending. `warnings`: what the user should know
    about the file; not part of what the vocabulary is.
    """

    model: str
    pre: str
    tokens: tuple[bytes, ...]
    scores: tuple[float, ...] | None
    types: tuple[int, ...]
    merges: tuple[Merge, ...]
    bos: int | None
    eos: int | None
    eot: int | None
    eom: int | None
    unk: int | None
    pad: int | None
    sep: int | None
    add_bos: bool
    add_eos: bool
    add_space_prefix: bool
    whole_words: bool
    whole_line_feeds: bool
    byte_level: bool
    merge_spaces: bool
    lowercase: bool
    strip_accents: bool
    patterns: tuple[str, ...]
    charsmap: bytes
    lstrip_ids: tuple[int, ...]
    rstrip_ids: tuple[int, ...]
    end_ids: tuple[int, ...]
    chat_template: str | None
    warnings: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def from_metadata(cls, metadata: md.Metadata) -> Vocabulary:
        """Reads `tokenizer.ggml.*` and `tokenizer.chat_template`.

        Raises UnsupportedError TEXT001 (a model other than MODELS and 'gemma4') and MalformedError:
        TEXT002 key missing or of the wrong type, TEXT003 tokens, TEXT004 token types, TEXT005
        scores, TEXT006 merges, TEXT007 an id that no token has, TEXT011 the character map.
        """
        model, pre = _model(metadata)
        warnings: list[str] = []
        rule = _RULES.get(model) or _rule(pre, warnings)
        pre = pre or "default"
        tokens = read_tokens(metadata, warnings, escaped=model == RWKV)
        ids = {token: id for id, token in enumerate(tokens)}
        special = read_special_ids(metadata, model, tokens)
        ends = find_end_tokens(metadata, ids, read_types(metadata, tokens), special.eos)
        if model == PLAMO2:
            check_every_byte(tokens, ends.types)
        lowercase = md.flag(metadata, "tokenizer.ggml.normalizer.lowercase", True)
        accents = md.flag(metadata, "tokenizer.ggml.normalizer.strip_accents", lowercase)
        scored = model in (LLAMA, T5, PLAMO2)
        add_bos = md.flag(metadata, "tokenizer.ggml.add_bos_token", rule.add_bos) or rule.needs_bos
        add_eos = md.flag(metadata, "tokenizer.ggml.add_eos_token", rule.add_eos) and model != BERT
        _check_added(special, add_bos, add_eos, model == BERT)
        return cls(
            model=model,
            pre=pre,
            tokens=tokens,
            scores=read_scores(metadata, len(tokens), needed=model != LLAMA) if scored else None,
            types=ends.types,
            merges=read_merges(metadata, ids, warnings) if model == GPT2 else (),
            bos=special.bos,
            eos=special.eos,
            eot=ends.eot,
            eom=ends.eom,
            unk=special.unk,
            pad=special.pad,
            sep=special.sep if model == BERT else None,
            add_bos=add_bos,
            add_eos=add_eos,
            add_space_prefix=model in (LLAMA, T5)
            and md.flag(metadata, "tokenizer.ggml.add_space_prefix", model == LLAMA),
            whole_words=rule.whole_words,
            whole_line_feeds=rule.whole_line_feeds,
            byte_level=rule.byte_level,
            merge_spaces=model == T5
            and md.flag(metadata, "tokenizer.ggml.remove_extra_whitespaces", False),
            lowercase=model == BERT and lowercase,
            strip_accents=model == BERT and accents,
            patterns=rule.patterns,
            charsmap=read_charsmap(metadata) if model == T5 else b"",
            lstrip_ids=read_lstrip_ids(metadata, pre, tokens),
            rstrip_ids=read_rstrip_ids(metadata, tokens, ends.types),
            end_ids=ends.end_ids,
            chat_template=md.text(metadata, "tokenizer.chat_template"),
            warnings=tuple(warnings),
        )


def ids_by_text(vocabulary: Vocabulary) -> dict[str, int]:
    """Token texts → ids, the last id of equal texts. Texts that are not UTF-8 occur in no str."""
    ids: dict[str, int] = {}
    for id, token in enumerate(vocabulary.tokens):
        try:
            ids[token.decode()] = id
        except UnicodeDecodeError:
            continue
    return ids


def _model(metadata: md.Metadata) -> tuple[str, str | None]:
    """Model, and pre-tokenizer where one is named."""
    model = md.text(metadata, "tokenizer.ggml.model")
    if model is None:
        raise MalformedError("TEXT002", "'tokenizer.ggml.model' is missing")
    if model == _GEMMA4:
        return GPT2, _GEMMA4
    if model not in MODELS:
        raise UnsupportedError(
            "TEXT001",
            f"tokenizer model {printable(model)} is not supported",
            hint=f"supported: {', '.join((*MODELS, _GEMMA4))}",
        )
    return model, md.text(metadata, "tokenizer.ggml.pre")


def _rule(pre: str | None, warnings: list[str]) -> Rule:
    if pre is None or pre not in RULES:
        what = "key 'tokenizer.ggml.pre' is missing"
        if pre is not None:
            what = f"pre-tokenizer {printable(pre)} is unknown"
        warnings.append(
            f"{what}; text is split as 'default' does, which may tokenize it worse than the model "
            "was trained for"
        )
        return DEFAULT
    return RULES[pre]


def _check_added(special: SpecialIds, bos: bool, eos: bool, sep: bool) -> None:
    """Raises MalformedError (TEXT007) where a token that texts get is missing."""
    for key, wanted, id in (
        ("bos", bos, special.bos),
        ("eos", eos, special.eos),
        ("seperator", sep, special.sep),
    ):
        if wanted and id is None:
            key = f"tokenizer.ggml.{key}_token_id"
            raise MalformedError("TEXT007", f"{printable(key)} is needed and missing")
