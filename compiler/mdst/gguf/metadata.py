"""Metadata records → named Values."""

from __future__ import annotations

import struct

import numpy as np
from gguf.constants import GGUFValueType

from ..errors import printable
from . import limits
from .cursor import Cursor
from .types import Value, type_name

_SCALARS = {
    GGUFValueType.UINT8: struct.Struct("<B"),
    GGUFValueType.INT8: struct.Struct("<b"),
    GGUFValueType.UINT16: struct.Struct("<H"),
    GGUFValueType.INT16: struct.Struct("<h"),
    GGUFValueType.UINT32: struct.Struct("<I"),
    GGUFValueType.INT32: struct.Struct("<i"),
    GGUFValueType.FLOAT32: struct.Struct("<f"),
    GGUFValueType.UINT64: struct.Struct("<Q"),
    GGUFValueType.INT64: struct.Struct("<q"),
    GGUFValueType.FLOAT64: struct.Struct("<d"),
}
_ARRAYS = {kind: np.dtype(scalar.format) for kind, scalar in _SCALARS.items()} | {
    GGUFValueType.BOOL: np.dtype("u1")
}
_KINDS = {kind.value: kind for kind in GGUFValueType}


def read_metadata(cursor: Cursor, count: int) -> dict[str, Value]:
    """The next `count` key-value records, in file order. Raises MalformedError."""
    metadata: dict[str, Value] = {}
    for index in range(count):
        offset = cursor.begin(f"metadata key {index + 1} of {count}")
        key = read_name(cursor, "GGUF010", limits.KEY_BYTES)
        cursor.place = f"key {printable(key)}"
        if key in metadata:
            first = metadata[key].offset
            raise cursor.malformed("GGUF011", f"appears twice, first at byte {first}")
        metadata[key] = _read_value(cursor, offset)
    return metadata


def read_name(cursor: Cursor, id: str, limit: int) -> str:
    """A metadata key or tensor name: 1 to `limit` bytes of printable UTF-8, else the error `id`."""
    length = cursor.u64()
    if not 1 <= length <= limit:
        raise cursor.malformed(id, f"name of {length} bytes; must be 1 to {limit}")
    raw = cursor.take(length)
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise cursor.malformed(id, f"name {printable(raw)} is not UTF-8") from None
    if not name.isprintable():
        raise cursor.malformed(id, f"name {printable(name)} has characters that do not print")
    return name


def _read_value(cursor: Cursor, offset: int) -> Value:
    number = cursor.u32()
    kind = _KINDS.get(number)
    if kind is None:
        raise cursor.malformed("GGUF012", f"value type {number} is unknown")
    if kind is GGUFValueType.ARRAY:
        return _read_array(cursor, offset)
    if kind is GGUFValueType.STRING:
        return Value(kind, cursor.string(), None, offset)
    if kind is GGUFValueType.BOOL:
        return Value(kind, _read_bool(cursor), None, offset)
    scalar = _SCALARS[kind]
    return Value(kind, scalar.unpack(cursor.take(scalar.size))[0], None, offset)


def _read_bool(cursor: Cursor) -> bool:
    byte = cursor.take(1)[0]
    if byte > 1:
        raise cursor.malformed("GGUF016", f"bool is {byte}; must be 0 or 1")
    return byte == 1


def _read_array(cursor: Cursor, offset: int) -> Value:
    number, count = cursor.u32(), cursor.u64()
    element = _KINDS.get(number)
    if element is None:
        raise cursor.malformed("GGUF014", f"array element type {number} is unknown")
    if element is GGUFValueType.ARRAY:
        # The format allows it; no model uses it, and depth is a way to exhaust a reader.
        raise cursor.malformed("GGUF014", "array of arrays; nested arrays are not read")
    is_text = element is GGUFValueType.STRING
    least = 8 if is_text else _ARRAYS[element].itemsize
    fits = cursor.remaining // least
    if count > min(fits, limits.ARRAY_ELEMENTS):
        raise cursor.malformed(
            "GGUF015",
            f"array of {count} {type_name(element)}; the limit is {limits.ARRAY_ELEMENTS} "
            f"and the rest of the file holds at most {fits}",
        )
    if is_text:
        return Value(GGUFValueType.ARRAY, cursor.strings(count), element, offset)
    array = np.frombuffer(cursor.take(count * least), _ARRAYS[element])
    if element is GGUFValueType.BOOL:
        if array.max(initial=0) > 1:
            raise cursor.malformed("GGUF016", f"bool is {array.max()}; must be 0 or 1")
        array = array.view(np.bool_)
    return Value(GGUFValueType.ARRAY, array, element, offset)
