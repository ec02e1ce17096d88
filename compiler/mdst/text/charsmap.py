"""SentencePiece's precompiled character map: texts → their replacements, the longest text first.

`tokenizer.ggml.precompiled_charsmap` is a u32 length in bytes, a double array of that length and
the replacements, each ended by a zero byte. The double array is a trie over UTF-8 packed in u32
units as Darts-clone does (github.com/s-yata/darts-clone, dictionary-unit.h):

    bits 0–7    the byte that leads here; bit 31 is set in units that hold a value
    bit 8       a text ends here: the unit at this one's offset holds its value
    bits 10–31  offset to the children, times 256 where bit 9 is set
    bits 0–30   of a value: where the replacement begins

Child of unit u over byte c: u ^ offset(u) ^ c. NFKC alone has 225,276 texts in 240,007 bytes, so
hosts get the map as it is.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..errors import MalformedError, printable
from . import metadata as md

_KEY = "tokenizer.ggml.precompiled_charsmap"
_VALUE = 1 << 31
_LONGEST_TEXT = 255
_MOST_VISITS = 1_000_000

_Units = npt.NDArray[np.uint32]


class CharsMap:
    """Looks texts up; what a broken map has not is not found."""

    def __init__(self, data: bytes) -> None:
        units, self._texts = _split(data)
        self._units: list[int] = units.tolist()

    def longest(self, text: bytes, start: int) -> tuple[bytes, int] | None:
        """The replacement of the longest text of the map at `start`, and where that text ends."""
        units, found = self._units, None
        at = _offset(units[0]) if units else 0
        for end in range(start + 1, len(text) + 1):
            at ^= text[end - 1]
            if at >= len(units) or units[at] & (_VALUE | 0xFF) != text[end - 1]:
                break
            ends = units[at] >> 8 & 1
            at ^= _offset(units[at])
            if ends and at < len(units):
                found = units[at] & (_VALUE - 1), end
        if found is None:
            return None
        return self._texts[found[0] :].partition(b"\0")[0], found[1]


def read_charsmap(metadata: md.Metadata) -> bytes:
    """The map; empty without the key.

    Raises MalformedError (TEXT011) where the trie leaves its array or never ends, where a
    replacement is not ended, and where either is not UTF-8.
    """
    data = md.byte_array(metadata, _KEY)
    if data is None:
        return b""
    size = int.from_bytes(data[:4], "little")
    if len(data) < 4 or size % 4 or size + 4 >= len(data):
        raise _malformed(f"has {len(data)} bytes, and says that {size} of them are its trie")
    pairs(data)
    return data


def pairs(data: bytes) -> list[tuple[str, str]]:
    """All texts and their replacements. Raises as `read_charsmap`."""
    units, texts = _split(data)
    return [(_decoded(text), _replacement(texts, at)) for text, at in _walk(units)]


def _split(data: bytes) -> tuple[_Units, bytes]:
    """Units and replacements; no more units than there are."""
    count = min(int.from_bytes(data[:4], "little"), max(len(data) - 4, 0)) // 4
    units = np.frombuffer(data, "<u4", count, 4) if count else np.empty(0, np.uint32)
    return units, data[4 + 4 * count :]


def _walk(units: _Units) -> list[tuple[bytes, int]]:
    """Texts of the trie and their values, level by level. Texts that end alike share units, so a
    unit that is met again is no loop yet."""
    found: list[tuple[bytes, int]] = []
    labels = np.arange(1, 256, dtype=np.uint32)
    level: list[tuple[int, bytes]] = [(0, b"")] if len(units) else []
    visits = 0
    while level:
        visits += len(level)
        if visits > _MOST_VISITS or len(level[0][1]) > _LONGEST_TEXT:
            raise _malformed("has a trie with a loop, or one far larger than any language needs")
        bases = [at ^ _offset(int(units[at])) for at, _ in level]
        for (at, prefix), base in zip(level, bases, strict=True):
            if prefix and int(units[at]) >> 8 & 1:
                found.append((prefix, _value(units, base)))
        places = np.array(bases, np.uint32)[:, None] ^ labels
        inside = places < len(units)
        met = units[np.where(inside, places, 0)] & np.uint32(_VALUE | 0xFF)
        parents, columns = np.nonzero(inside & (met == labels))
        level = [
            (int(places[parent, column]), level[parent][1] + bytes((column + 1,)))
            for parent, column in zip(parents.tolist(), columns.tolist(), strict=True)
        ]
    return found


def _offset(unit: int) -> int:
    return unit >> 10 << ((unit & 1 << 9) >> 6)


def _value(units: _Units, at: int) -> int:
    if at >= len(units):
        raise _malformed("has an end outside its trie")
    return int(units[at]) & (_VALUE - 1)


def _replacement(texts: bytes, at: int) -> str:
    end = texts.find(b"\0", at)
    if end < 0:
        raise _malformed(f"has no replacement that begins at byte {at} and ends")
    return _decoded(texts[at:end])


def _decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise _malformed(f"holds {printable(text)}, which is not UTF-8") from None


def _malformed(what: str) -> MalformedError:
    return MalformedError("TEXT011", f"{printable(_KEY)} {what}")
