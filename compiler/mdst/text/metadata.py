"""GGUF metadata → Python values of the expected type; MalformedError (TEXT002) names the key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from ..errors import MalformedError, printable


class Value(Protocol):
    """What the reader gives for a key: an int, float, bool, bytes, numpy array or list of bytes."""

    @property
    def value(self) -> object: ...


Metadata = Mapping[str, Value]


def text(metadata: Metadata, key: str) -> str | None:
    """The UTF-8 string under `key`, or None when there is none."""
    value = _value(metadata, key)
    if value is None:
        return None
    if not isinstance(value, bytes):
        raise _wrong(key, "a string")
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise MalformedError(
            "TEXT002", f"{printable(key)} is not UTF-8: {error.reason} at byte {error.start}"
        ) from None


def flag(metadata: Metadata, key: str, default: bool) -> bool:
    value = _value(metadata, key)
    if value is None:
        return default
    if not isinstance(value, (bool, np.bool_)):
        raise _wrong(key, "a boolean")
    return bool(value)


def token_id(metadata: Metadata, key: str, n_tokens: int, *, strict: bool = True) -> int | None:
    """The token id under `key`. When no token has it: MalformedError (TEXT007), or None where not
    `strict`."""
    value = _value(metadata, key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise _wrong(key, "an integer")
    if not 0 <= int(value) < n_tokens:
        if not strict:
            return None
        raise MalformedError(
            "TEXT007", f"{printable(key)} is {int(value)}, but there are {n_tokens} tokens"
        )
    return int(value)


def strings(metadata: Metadata, key: str) -> list[bytes] | None:
    value = _value(metadata, key)
    if value is None:
        return None
    if not isinstance(value, (list, tuple)) or not all(isinstance(v, bytes) for v in value):
        raise _wrong(key, "an array of strings")
    return list(value)


def numbers(
    metadata: Metadata, key: str, length: int, dtypes: tuple[str, ...]
) -> np.ndarray[Any, np.dtype[Any]] | None:
    """The array under `key`, of `length` elements and one of the dtypes named, e.g. 'int32'."""
    value = _value(metadata, key)
    if value is None:
        return None
    if not isinstance(value, np.ndarray) or value.ndim != 1 or value.dtype.name not in dtypes:
        raise _wrong(key, f"an array of {' or '.join(dtypes)}")
    if len(value) != length:
        raise MalformedError(
            "TEXT002", f"{printable(key)} has {len(value)} elements for {length} tokens"
        )
    return value


def byte_array(metadata: Metadata, key: str) -> bytes | None:
    """The bytes of the array of int8 or uint8 under `key`."""
    value = _value(metadata, key)
    if value is None:
        return None
    if not isinstance(value, np.ndarray) or value.dtype.name not in ("int8", "uint8"):
        raise _wrong(key, "an array of int8 or uint8")
    return value.tobytes()


def _value(metadata: Metadata, key: str) -> object:
    entry = metadata.get(key)
    return None if entry is None else entry.value


def _wrong(key: str, wanted: str) -> MalformedError:
    return MalformedError("TEXT002", f"{printable(key)} is not {wanted}")
