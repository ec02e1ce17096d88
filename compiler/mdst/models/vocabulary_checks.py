"""Checks that the vocabulary in a file's metadata is whole and consistent."""

from __future__ import annotations

import numpy as np
from gguf.constants import GGUFValueType, TokenType

from ..errors import printable
from .metadata import Metadata

SUPPORTED_TOKENIZERS = (b"gpt2", b"gemma4", b"llama", b"bert", b"t5", b"rwkv", b"plamo2")
"""Values of tokenizer.ggml.model: BPE by merges (the first two), BPE by scores as in SentencePiece,
WordPiece, unigram, RWKV's and PLaMo 2's own."""

_BY_MERGES = (b"gpt2", b"gemma4")
_BY_SCORES = (b"t5", b"plamo2")

_MODEL = "tokenizer.ggml.model"
_TOKENS = "tokenizer.ggml.tokens"
_SCORES = "tokenizer.ggml.scores"
_TYPES = "tokenizer.ggml.token_type"
_MERGES = "tokenizer.ggml.merges"
_MUST_EXIST = ("tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id")


def check_vocabulary(metadata: Metadata) -> tuple[int, list[str]]:
    """The number of tokens, and warnings.

    Raises MalformedError where arrays do not belong together or hold impossible values, and
    UnsupportedError (CONF020) for a tokenizer other than SUPPORTED_TOKENIZERS.
    """
    model = metadata.required(_MODEL, metadata.text(_MODEL), "string")
    if model not in SUPPORTED_TOKENIZERS:
        names = ", ".join(name.decode() for name in SUPPORTED_TOKENIZERS)
        text = f"tokenizer {printable(model)} is not supported; supported: {names}"
        raise metadata.unsupported("CONF020", _MODEL, text)
    tokens = metadata.required(_TOKENS, metadata.texts(_TOKENS), "array of string")
    if not tokens:
        raise metadata.malformed("CONF021", _TOKENS, "the vocabulary has no tokens")
    _check_scores(metadata, len(tokens))
    _check_types(metadata, len(tokens))
    warnings = _check_duplicates(metadata, tokens) + _check_ids(metadata, len(tokens))
    if model in _BY_MERGES:
        _check_merges(metadata)
    elif model in _BY_SCORES:
        metadata.required(_SCORES, metadata.values.get(_SCORES), "array of float32")
    elif model == b"llama" and _SCORES not in metadata.values:
        warnings.append(f"{metadata.file}: key '{_SCORES}' is missing; every score counts as 0")
    return len(tokens), warnings


def _check_length(metadata: Metadata, key: str, length: int, n_tokens: int) -> None:
    if length != n_tokens:
        raise metadata.malformed("CONF022", key, f"{length} values for {n_tokens} tokens")


def _check_scores(metadata: Metadata, n_tokens: int) -> None:
    scores = metadata.numbers(_SCORES, GGUFValueType.FLOAT32)
    if scores is None:
        return
    _check_length(metadata, _SCORES, len(scores), n_tokens)
    wrong = np.flatnonzero(~np.isfinite(scores))
    if wrong.size:
        text = f"score of token {wrong[0]} is {scores[wrong[0]]}; must be finite"
        raise metadata.malformed("CONF023", _SCORES, text)


def _check_types(metadata: Metadata, n_tokens: int) -> None:
    types = metadata.numbers(_TYPES, GGUFValueType.INT32)
    if types is None:
        return
    _check_length(metadata, _TYPES, len(types), n_tokens)
    # 0 is llama.cpp's LLAMA_TOKEN_TYPE_UNDEFINED.
    wrong = np.flatnonzero((types < 0) | (types > max(TokenType)))
    if wrong.size:
        text = f"type of token {wrong[0]} is {types[wrong[0]]}; must be 0 to {int(max(TokenType))}"
        raise metadata.malformed("CONF024", _TYPES, text)


def _check_duplicates(metadata: Metadata, tokens: list[bytes]) -> list[str]:
    last = {token: index for index, token in enumerate(tokens)}
    repeats = len(tokens) - len(last)
    if not repeats:
        return []
    index, token = next(pair for pair in enumerate(tokens) if last[pair[1]] != pair[0])
    text = f"{repeats} of the tokens repeat others; token {index}, {printable(token)}, comes again"
    return [f"{metadata.place(_TOKENS)}: {text}"]


def _check_ids(metadata: Metadata, n_tokens: int) -> list[str]:
    """BOS and EOS must exist where they are named. Others, such as padding, are out of range in
    published files: llama.cpp leaves them out, and so must whoever reads them."""
    warnings = []
    for key in metadata.values:
        if not (key.startswith("tokenizer.ggml.") and key.endswith("_token_id")):
            continue
        token = metadata.token_id(key)
        if token is None or 0 <= token < n_tokens:
            continue
        text = f"token {token} is not in the vocabulary of {n_tokens} tokens"
        if key in _MUST_EXIST:
            raise metadata.malformed("CONF025", key, text)
        warnings.append(f"{metadata.place(key)}: {text} and is ignored")
    return warnings


def _check_merges(metadata: Metadata) -> None:
    merges = metadata.required(_MERGES, metadata.texts(_MERGES), "array of string")
    for rank, merge in enumerate(merges):
        # Tokens are spelled in the byte-level alphabet, where a space is another character.
        if merge.count(b" ") != 1 or merge.startswith(b" ") or merge.endswith(b" "):
            text = f"merge {rank} is {printable(merge)}; must be two parts with a space between"
            raise metadata.malformed("CONF026", _MERGES, text)
