"""Keys `tokenizer.ggml.*_token_id` → the tokens that have a role, by llama.cpp's defaults.

`llama_vocab::impl::load` in src/llama-vocab.cpp.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from . import metadata as md
from .end_tokens import CONTROL, UNKNOWN, USER_DEFINED

_KEYS = {"bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding", "sep": "seperator"}
_DEFAULTS: Mapping[str, Mapping[str, int]] = {
    "llama": {"bos": 1, "eos": 2, "unk": 0},
    "bert": {"bos": 101, "unk": 100, "sep": 102, "pad": 0},
    "t5": {"eos": 1, "unk": 2, "pad": 0},
    "plamo2": {"bos": 1, "eos": 2, "unk": 0, "pad": 3},
}
# Phi-3 swallows the white space after its special tokens, but not after these.
_KEEPS_SPACE = (b"<unk>", b"<s>", b"<|endoftext|>")


@dataclass(frozen=True, slots=True)
class SpecialIds:
    """None: there is no such token."""

    bos: int | None
    eos: int | None
    unk: int | None
    pad: int | None
    sep: int | None


def read_special_ids(metadata: md.Metadata, model: str, tokens: Sequence[bytes]) -> SpecialIds:
    """The keys' ids, else the model's defaults; BERT's BOS is its CLS.

    llama.cpp takes 11 for a 'gpt2' file without keys, which is Falcon's <|endoftext|>. We do so
    where 11 is that token: elsewhere it is a comma or a letter, and would end every answer.
    Raises MalformedError (TEXT007) for a BOS or EOS that no token has; other ids of no token count
    as not given, as in llama.cpp (`models.vocabulary_checks` warns of them).
    """
    defaults = dict(_DEFAULTS.get(model, {}))
    if model == "gpt2" and tokens[11:12] == (b"<|endoftext|>",):
        defaults = {"bos": 11, "eos": 11}
    if model == "bert":
        cls = md.token_id(metadata, "tokenizer.ggml.cls_token_id", len(tokens), strict=False)
        defaults["bos"] = defaults["bos"] if cls is None else cls
    ids: dict[str, int | None] = {}
    for name, key in _KEYS.items():
        strict = name in ("bos", "eos")
        id = md.token_id(metadata, f"tokenizer.ggml.{key}_token_id", len(tokens), strict=strict)
        default = defaults.get(name, len(tokens))
        ids[name] = id if id is not None or default >= len(tokens) else default
    return SpecialIds(**ids)


def read_rstrip_ids(
    metadata: md.Metadata, tokens: Sequence[bytes], types: Sequence[int]
) -> tuple[int, ...]:
    """Special tokens that swallow the ASCII white space after them.

    GGUF has no place for this property of a token; llama.cpp goes by the model's name.
    """
    name = md.text(metadata, "general.name") or ""
    if "phi-3" not in name.lower() and "phi3" not in name.lower():
        return ()
    special = (CONTROL, USER_DEFINED, UNKNOWN)
    return tuple(
        id
        for id, (token, type) in enumerate(zip(tokens, types, strict=True))
        if (type in special or token == b"</s>") and token not in _KEEPS_SPACE
    )


def read_lstrip_ids(metadata: md.Metadata, pre: str, tokens: Sequence[bytes]) -> tuple[int, ...]:
    """Special tokens that swallow the ASCII white space before them: the mask of some encoders,
    which llama.cpp knows by their pre-tokenizer, architecture or name."""
    architecture = md.text(metadata, "general.architecture") or ""
    name = (md.text(metadata, "general.name") or "").lower()
    jina = any(part in pre for part in ("jina-v2-de", "jina-v2-es", "jina-v2-code"))
    if jina or any(part in architecture for part in ("nomic-bert-moe", "jina-bert-v3")):
        mask = b"<mask>"
    elif "modern-bert" in name:
        mask = b"[MASK]"
    else:
        return ()
    return tuple(id for id, token in enumerate(tokens) if token == mask)
