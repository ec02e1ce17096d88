"""The arrays of `tokenizer.ggml.*` → tuples of one entry a token (or merge), checked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from ..errors import MalformedError, printable
from . import metadata as md
from .end_tokens import BYTE, CONTROL, NORMAL, UNKNOWN, UNUSED, USER_DEFINED

TOKEN_BYTES = 65535

Merge = tuple[int, int, int]

_TYPES = (NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE)
# llama.cpp's LLAMA_TOKEN_TYPE_UNDEFINED: a token that has an id and shows nothing.
_UNDEFINED = 0
_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|[^x])", re.DOTALL)
_CONTROLS = {b"t": b"\t", b"n": b"\n", b"r": b"\r"}


def read_tokens(
    metadata: md.Metadata, warnings: list[str], *, escaped: bool = False
) -> tuple[bytes, ...]:
    """`escaped`: texts are spelled as RWKV's are, bytes as `\\xHH`, `\\t`, `\\n`, `\\r`."""
    key = "tokenizer.ggml.tokens"
    tokens = md.strings(metadata, key)
    if not tokens:
        raise MalformedError("TEXT003", f"{printable(key)} is missing or empty")
    if escaped:
        tokens = [_unescaped(token, id) for id, token in enumerate(tokens)]
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


def _unescaped(token: bytes, id: int) -> bytes:
    if b"\\" in _ESCAPE.sub(b"", token):
        message = f"token {id}, {printable(token)}, has a backslash that escapes nothing"
        raise MalformedError("TEXT003", message)

    def byte(match: re.Match[bytes]) -> bytes:
        what = match[1]
        return bytes.fromhex(what[1:].decode()) if len(what) > 1 else _CONTROLS.get(what, what)

    return _ESCAPE.sub(byte, token)


def read_types(metadata: md.Metadata, tokens: Sequence[bytes]) -> Sequence[int]:
    key = "tokenizer.ggml.token_type"
    array = md.numbers(metadata, key, len(tokens), ("int32",))
    if array is None:
        return [NORMAL] * len(tokens)
    types: list[int] = np.where(array == _UNDEFINED, UNUSED, array).tolist()
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


def check_every_byte(tokens: Sequence[bytes], types: Sequence[int]) -> None:
    """Raises MalformedError (TEXT004) unless each of the 256 bytes is a token of that type."""
    bytes_ = {byte_of(token) for token, type in zip(tokens, types, strict=True) if type == BYTE}
    missing = next((byte for byte in range(256) if byte not in bytes_), None)
    if missing is not None:
        raise MalformedError("TEXT004", f"the byte token '<0x{missing:02X}>' is missing")


def read_scores(metadata: md.Metadata, n_tokens: int, *, needed: bool) -> tuple[float, ...] | None:
    """float32 values, finite. `needed`: text cannot be cut without them."""
    key = "tokenizer.ggml.scores"
    array = md.numbers(metadata, key, n_tokens, ("float32", "int32"))
    if array is None:
        if needed:
            raise MalformedError("TEXT005", f"{printable(key)} is missing")
        return None
    if not np.isfinite(array).all():
        id = int(np.flatnonzero(~np.isfinite(array))[0])
        raise MalformedError("TEXT005", f"the score of token {id} is {array[id]}")
    return tuple(array.astype(np.float32).tolist())


def read_merges(
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
