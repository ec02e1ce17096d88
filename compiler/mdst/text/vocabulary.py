"""GGUF tokenizer metadata → `Vocabulary`: what encoding, decoding and stopping need, checked.

Keys and defaults: llama.cpp, src/llama-vocab.cpp (`llama_vocab::impl::load`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..errors import MalformedError, UnsupportedError, printable
from . import metadata as md
from .end_tokens import (
    BYTE,
    CONTROL,
    NORMAL,
    UNKNOWN,
    UNUSED,
    USER_DEFINED,
    find_end_tokens,
)
from .pretokenize import DEFAULT, RULES, Rule

GPT2, LLAMA = "gpt2", "llama"
MODELS = (GPT2, LLAMA)
TOKEN_BYTES = 65535

_TYPES = (NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE)
_SPM = Rule((), add_bos=True)
# Phi-3 swallows the white space after its special tokens, but not after these.
_KEEPS_SPACE = (b"<unk>", b"<s>", b"<|endoftext|>")

Merge = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A tokenizer as data.

    `tokens`: texts as the file stores them (byte-level BPE: in GPT-2's alphabet of 256 printable
    characters). `scores`: float32 values, only for 'llama'. `types`: llama.cpp's token types.
    `merges`: (left id, right id, id of both joined), best first, only for 'gpt2'.
    `patterns` and `whole_words`: see `pretokenize.Rule`. `rstrip_ids`: special tokens that swallow
    the ASCII white space after them. `end_ids`: tokens that end a generation, ascending.
    `warnings`: what the user should know about the file; not part of what the vocabulary is.
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
    add_bos: bool
    add_eos: bool
    add_space_prefix: bool
    whole_words: bool
    patterns: tuple[str, ...]
    rstrip_ids: tuple[int, ...]
    end_ids: tuple[int, ...]
    chat_template: str | None
    warnings: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def from_metadata(cls, metadata: md.Metadata) -> Vocabulary:
        """Reads `tokenizer.ggml.*` and `tokenizer.chat_template`.

        Raises UnsupportedError TEXT001 (a model other than 'gpt2' and 'llama') and MalformedError:
        TEXT002 key missing or of the wrong type, TEXT003 tokens, TEXT004 token types, TEXT005
        scores, TEXT006 merges, TEXT007 an id that no token has.
        """
        model = _model(metadata)
        pre = md.text(metadata, "tokenizer.ggml.pre") or "default"
        warnings: list[str] = []
        rule = _SPM if model == LLAMA else _rule(pre, warnings)
        tokens = _tokens(metadata, warnings)
        ids = {token: id for id, token in enumerate(tokens)}
        special = _special_ids(metadata, model, tokens)
        ends = find_end_tokens(metadata, ids, _types(metadata, tokens), special["eos"])
        add_bos = md.flag(metadata, "tokenizer.ggml.add_bos_token", rule.add_bos)
        add_eos = md.flag(metadata, "tokenizer.ggml.add_eos_token", False)
        for name, wanted in (("bos", add_bos), ("eos", add_eos)):
            if wanted and special[name] is None:
                key = f"tokenizer.ggml.{name}_token_id"
                raise MalformedError("TEXT007", f"{printable(key)} is needed and missing")
        return cls(
            model=model,
            pre=pre,
            tokens=tokens,
            scores=_scores(metadata, len(tokens)) if model == LLAMA else None,
            types=ends.types,
            merges=_merges(metadata, ids, warnings) if model == GPT2 else (),
            bos=special["bos"],
            eos=special["eos"],
            eot=ends.eot,
            eom=ends.eom,
            unk=special["unk"],
            pad=special["pad"],
            add_bos=add_bos,
            add_eos=add_eos,
            add_space_prefix=model == LLAMA
            and md.flag(metadata, "tokenizer.ggml.add_space_prefix", True),
            whole_words=rule.whole_words,
            patterns=rule.patterns,
            rstrip_ids=_rstrip_ids(metadata, tokens, ends.types),
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


def _model(metadata: md.Metadata) -> str:
    model = md.text(metadata, "tokenizer.ggml.model")
    if model is None:
        raise MalformedError("TEXT002", "'tokenizer.ggml.model' is missing")
    if model not in MODELS:
        raise UnsupportedError(
            "TEXT001",
            f"tokenizer model {printable(model)} is not supported",
            hint=f"supported: {', '.join(MODELS)} (byte-level BPE, SentencePiece BPE)",
        )
    return model


def _rule(pre: str, warnings: list[str]) -> Rule:
    if pre not in RULES:
        warnings.append(
            f"pre-tokenizer {printable(pre)} is unknown; text is split as 'default' does, "
            "which may tokenize it worse than the model was trained for"
        )
    return RULES.get(pre, DEFAULT)


def _tokens(metadata: md.Metadata, warnings: list[str]) -> tuple[bytes, ...]:
    key = "tokenizer.ggml.tokens"
    tokens = md.strings(metadata, key)
    if not tokens:
        raise MalformedError("TEXT003", f"{printable(key)} is missing or empty")
    for id, token in enumerate(tokens):
        if len(token) > TOKEN_BYTES:
            raise MalformedError(
                "TEXT003",
                f"token {id} has {len(token)} bytes; the limit is {TOKEN_BYTES}",
            )
    # As llama.cpp names them: an empty text would be found everywhere.
    named = tuple(token or b"[EMPTY_%d]" % id for id, token in enumerate(tokens))
    if len(set(named)) < len(named):
        twice = next(token for token, count in Counter(named).items() if count > 1)
        warnings.append(f"token {printable(twice)} appears twice; its last id is used for text")
    return named


def _types(metadata: md.Metadata, tokens: Sequence[bytes]) -> Sequence[int]:
    key = "tokenizer.ggml.token_type"
    array = md.numbers(metadata, key, len(tokens), ("int32",))
    if array is None:
        return [NORMAL] * len(tokens)
    types: list[int] = array.tolist()
    for id, (token, type) in enumerate(zip(tokens, types, strict=True)):
        if type not in _TYPES:
            raise MalformedError("TEXT004", f"token {id} has the unknown type {type}")
        if type == BYTE and byte_of(token) is None:
            message = f"token {id} is a byte by type, but its text is {printable(token)}"
            raise MalformedError("TEXT004", message)
    return types


def byte_of(token: bytes) -> int | None:
    """The byte that a token text `<0xXX>` stands for."""
    if len(token) != 6 or token[:3] != b"<0x" or token[5:] != b">":
        return None
    digits = token[3:5].decode("latin-1")
    return int(digits, 16) if all(c in "0123456789abcdefABCDEF" for c in digits) else None


def _scores(metadata: md.Metadata, n_tokens: int) -> tuple[float, ...] | None:
    key = "tokenizer.ggml.scores"
    array = md.numbers(metadata, key, n_tokens, ("float32", "int32"))
    if array is None:
        return None
    if not np.isfinite(array).all():
        id = int(np.flatnonzero(~np.isfinite(array))[0])
        raise MalformedError("TEXT005", f"the score of token {id} is {array[id]}")
    return tuple(array.astype(np.float32).tolist())


def _merges(
    metadata: md.Metadata, ids: Mapping[bytes, int], warnings: list[str]
) -> tuple[Merge, ...]:
    """Merges as ids. One whose parts or result are no tokens could only make text that has no id:
    it is left out, with a warning."""
    key = "tokenizer.ggml.merges"
    lines = md.strings(metadata, key)
    if lines is None:
        raise MalformedError("TEXT006", f"{printable(key)} is missing")
    merges: list[Merge] = []
    for index, line in enumerate(lines):
        left, _, right = line.partition(b" ")
        if not left or not right or b" " in right:
            raise MalformedError("TEXT006", f"merge {index} is not a pair: {printable(line)}")
        merge = ids.get(left), ids.get(right), ids.get(left + right)
        if merge[0] is not None and merge[1] is not None and merge[2] is not None:
            merges.append((merge[0], merge[1], merge[2]))
    if len(merges) < len(lines):
        lost = len(lines) - len(merges)
        warnings.append(f"{lost} of {len(lines)} merges are of texts that are no tokens; left out")
    return tuple(merges)


def _special_ids(
    metadata: md.Metadata, model: str, tokens: tuple[bytes, ...]
) -> dict[str, int | None]:
    """The keys' ids, else llama.cpp's defaults.

    llama.cpp takes 11 for a 'gpt2' file without keys, which is Falcon's <|endoftext|>. We do so
    where 11 is that token: elsewhere it is a comma or a letter, and would end every answer.
    """
    defaults: dict[str, int] = {"bos": 1, "eos": 2, "unk": 0} if model == LLAMA else {}
    if model == GPT2 and tokens[11:12] == (b"<|endoftext|>",):
        defaults = {"bos": 11, "eos": 11}
    keys = {"bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding"}
    special: dict[str, int | None] = {}
    for name, key in keys.items():
        id = md.token_id(metadata, f"tokenizer.ggml.{key}_token_id", len(tokens))
        if id is None and defaults.get(name, len(tokens)) < len(tokens):
            id = defaults[name]
        special[name] = id
    return special


def _rstrip_ids(
    metadata: md.Metadata, tokens: Sequence[bytes], types: Sequence[int]
) -> tuple[int, ...]:
    """GGUF has no place for this property of a token; llama.cpp goes by the model's name."""
    name = md.text(metadata, "general.name") or ""
    if "phi-3" not in name.lower() and "phi3" not in name.lower():
        return ()
    special = (CONTROL, USER_DEFINED, UNKNOWN)
    return tuple(
        id
        for id, (token, type) in enumerate(zip(tokens, types, strict=True))
        if (type in special or token == b"</s>") and token not in _KEEPS_SPACE
    )
