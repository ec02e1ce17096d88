"""Vocabulary ↔ the one file of a bundle that hosts read for text. Equal input, equal bytes.

Little endian. Header of 84 bytes, all fields 4 bytes:

    offset  field
    0       magic "MDTV"
    4       u32 version, 2
    8       u32 model: place in `vocabulary.MODELS`
    12      u32 flags: 1 add_bos · 2 add_eos · 4 add_space_prefix · 8 whole_words · 16 has scores
            · 32 has chat template · 64 byte_level · 128 whole_line_feeds · 256 merge_spaces
            · 512 lowercase · 1024 strip_accents; no others
    16      i32 bos, eos, eot, eom, unk, pad, sep: ids, −1 = none
    44      u32 n_tokens, n_merges, n_end_ids, n_lstrip_ids, n_rstrip_ids, n_patterns
    68      u32 token_bytes, pre_bytes, template_bytes, charsmap_bytes: lengths of the last sections

then the sections, each without a gap behind the one before, widest elements first, so that typed
arrays can be laid over them:

    u32[n_merges]   left parts of the merges, best merge first
    u32[n_merges]   right parts
    u32[n_merges]   results
    u32[n_end_ids]  end tokens, ascending
    u32[n_lstrip_ids], u32[n_rstrip_ids]
    u32[n_patterns] lengths of the patterns in bytes
    f32[n_tokens]   scores, only with flag 16
    u16[n_tokens]   lengths of the token texts in bytes
    u8[n_tokens]    types
    u8[token_bytes] token texts, joined; then UTF-8: pre, patterns joined, chat template
    u8[charsmap_bytes]  see `charsmap`

Merges are ids of tokens; `Vocabulary.from_metadata` leaves out those of texts that are no tokens.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterable
from typing import Any

from ..errors import MalformedError
from .tokens import Merge
from .vocabulary import MODELS, Vocabulary

_MAGIC, _VERSION = b"MDTV", 2
_HEADER = struct.Struct("<4s3I7i10I")
_IDS = ("bos", "eos", "eot", "eom", "unk", "pad", "sep")
_FLAGS = {
    "add_bos": 1,
    "add_eos": 2,
    "add_space_prefix": 4,
    "whole_words": 8,
    "byte_level": 64,
    "whole_line_feeds": 128,
    "merge_spaces": 256,
    "lowercase": 512,
    "strip_accents": 1024,
}
_SCORES, _TEMPLATE, _ALL = 16, 32, 2047


def compact(vocabulary: Vocabulary) -> bytes:
    """The file's bytes. `vocabulary.warnings` are not kept."""
    v = vocabulary
    patterns = [pattern.encode() for pattern in v.patterns]
    flags = sum(bit for name, bit in _FLAGS.items() if getattr(v, name))
    flags |= (_SCORES * (v.scores is not None)) | (_TEMPLATE * (v.chat_template is not None))
    ids = (getattr(v, name) for name in _IDS)
    blob, pre, template = b"".join(v.tokens), v.pre.encode(), (v.chat_template or "").encode()
    lists = (v.tokens, v.merges, v.end_ids, v.lstrip_ids, v.rstrip_ids, patterns)
    header = _HEADER.pack(
        _MAGIC,
        _VERSION,
        MODELS.index(v.model),
        flags,
        *(-1 if id is None else id for id in ids),
        *map(len, lists),
        *map(len, (blob, pre, template, v.charsmap)),
    )
    return b"".join(
        (
            header,
            *(_pack("I", (merge[part] for merge in v.merges)) for part in range(3)),
            *(_pack("I", ids) for ids in (v.end_ids, v.lstrip_ids, v.rstrip_ids)),
            _pack("I", map(len, patterns)),
            _pack("f", v.scores or ()),
            _pack("H", map(len, v.tokens)),
            bytes(v.types),
            blob,
            pre,
            *patterns,
            template,
            v.charsmap,
        )
    )


def expand(data: bytes) -> Vocabulary:
    """The vocabulary that `compact` wrote. Raises MalformedError (TEXT008) for anything else."""
    try:
        return _expand(data)
    except struct.error:
        raise _malformed("ends too early") from None
    except UnicodeDecodeError:
        raise _malformed("holds text that is not UTF-8") from None


def _expand(data: bytes) -> Vocabulary:
    magic, version, model, flags, *fields = _HEADER.unpack_from(data)
    if magic != _MAGIC or version != _VERSION:
        raise _malformed("is not one of this version")
    if model >= len(MODELS) or flags > _ALL:
        raise _malformed("has an unknown model or flag")
    special = [None if id == -1 else id for id in fields[:7]]
    n_tokens, n_merges, n_ends, n_lstrip, n_rstrip, n_patterns = fields[7:13]
    token_bytes, pre_bytes, template_bytes, charsmap_bytes = fields[13:]
    cursor = _Cursor(data)
    parts = [cursor.numbers("I", n_merges) for _ in range(3)]
    end_ids, lstrip_ids, rstrip_ids = (cursor.numbers("I", n) for n in (n_ends, n_lstrip, n_rstrip))
    pattern_lengths = cursor.numbers("I", n_patterns)
    scores = cursor.floats(n_tokens) if flags & _SCORES else None
    token_lengths = cursor.numbers("H", n_tokens)
    types = cursor.numbers("B", n_tokens)
    if sum(token_lengths) != token_bytes or 0 in token_lengths:
        raise _malformed("has an empty token, or lengths that do not add up")
    tokens = tuple(cursor.take(length) for length in token_lengths)
    pre = cursor.take(pre_bytes).decode()
    patterns = tuple(cursor.take(length).decode() for length in pattern_lengths)
    template = cursor.take(template_bytes).decode()
    charsmap = cursor.take(charsmap_bytes)
    cursor.end()
    given = (id for id in special if id is not None)
    ids = itertools.chain(*parts, end_ids, lstrip_ids, rstrip_ids, given)
    if not all(0 <= id < n_tokens for id in ids):
        raise _malformed("names an id that no token has")
    if not all(1 <= type <= 6 for type in types):
        raise _malformed("has an unknown token type")
    merges: tuple[Merge, ...] = tuple(zip(*parts, strict=True))
    more: dict[str, Any] = dict(zip(_IDS, special, strict=True))
    more |= {name: bool(flags & bit) for name, bit in _FLAGS.items()}
    return Vocabulary(
        model=MODELS[model],
        pre=pre,
        tokens=tokens,
        scores=scores,
        types=types,
        merges=merges,
        patterns=patterns,
        charsmap=charsmap,
        lstrip_ids=lstrip_ids,
        rstrip_ids=rstrip_ids,
        end_ids=end_ids,
        chat_template=template if flags & _TEMPLATE else None,
        **more,
    )


class _Cursor:
    """Reads sections in order; never past the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = _HEADER.size

    def take(self, length: int) -> bytes:
        if length > len(self._data) - self._at:
            raise _malformed("ends too early")
        self._at += length
        return self._data[self._at - length : self._at]

    def numbers(self, code: str, count: int) -> tuple[int, ...]:
        return struct.unpack(f"<{count}{code}", self.take(count * struct.calcsize(f"<{code}")))

    def floats(self, count: int) -> tuple[float, ...]:
        return struct.unpack(f"<{count}f", self.take(count * 4))

    def end(self) -> None:
        if self._at != len(self._data):
            raise _malformed(f"has {len(self._data) - self._at} bytes too many")


def _pack(code: str, values: Iterable[float]) -> bytes:
    listed = list(values)
    return struct.pack(f"<{len(listed)}{code}", *listed)


def _malformed(what: str) -> MalformedError:
    return MalformedError("TEXT008", f"the vocabulary file {what}")
