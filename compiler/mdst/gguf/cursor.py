"""Reads the fields of a GGUF header one after the other, every length checked before it is used."""

from __future__ import annotations

import struct
from typing import Final

from ..errors import MalformedError
from . import limits
from .source import Source

CUT_SHORT: Final = "the file may be cut short: compare its size with the source's"
"""Hint for all that an unfinished download leads to."""

CHUNK: Final = 1 << 20
"""Bytes fetched at a time; strings shorter than this are cut from the buffer without a check of
their own (CHUNK < limits.STRING_BYTES)."""

_U64 = struct.Struct("<Q")


class Cursor:
    """A position in the header of `source`. `place` names the record that is being read."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.place = "header"
        self.record_start = 0
        self._base = 0  # offset in the file of the buffer's first byte
        self._buffer = b""
        self._at = 0

    @property
    def offset(self) -> int:
        """Byte of the file that is read next."""
        return self._base + self._at

    @property
    def remaining(self) -> int:
        """Bytes from here to the end of the file."""
        return self.source.size - self.offset

    def begin(self, place: str) -> int:
        """Start a record here, named `place` in errors; returns its first byte."""
        self.place = place
        self.record_start = self.offset
        return self.record_start

    def malformed(self, id: str, text: str, *, hint: str | None = None) -> MalformedError:
        """The error `text` about the current record."""
        where = f"{self.source.name}: {self.place} (at byte {self.record_start})"
        return MalformedError(id, f"{where}: {text}", hint=hint)

    def take(self, length: int) -> bytes:
        """The next `length` bytes. Raises MalformedError if the file or the limit ends before."""
        if self._at + length > len(self._buffer):
            self._fill(length)
        start = self._at
        self._at = start + length
        return self._buffer[start : self._at]

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "little")

    def u64(self) -> int:
        return int.from_bytes(self.take(8), "little")

    def string(self) -> bytes:
        """A u64 length and that many bytes."""
        return self.take(self._string_length(self.u64()))

    def strings(self, count: int) -> list[bytes]:
        """`count` strings; `string()` in a loop, without the calls (a vocabulary has 262,144)."""
        found: list[bytes] = []
        for _ in range(count):
            start = self._at + 8
            if start > len(self._buffer):
                self._fill(8)
                start = 8
            (length,) = _U64.unpack_from(self._buffer, start - 8)
            end = start + length
            if end <= len(self._buffer) and length <= CHUNK:
                found.append(self._buffer[start:end])
                self._at = end
            else:
                self._at = start
                found.append(self.take(self._string_length(length)))
        return found

    def _string_length(self, length: int) -> int:
        if length > limits.STRING_BYTES:
            limit = limits.STRING_BYTES
            raise self.malformed("GGUF013", f"string of {length} bytes; at most {limit} are read")
        return length

    def _fill(self, length: int) -> None:
        """Fetch a new buffer that begins here and holds at least `length` bytes."""
        offset, size = self.offset, self.source.size
        if length > size - offset:
            raise self.malformed(
                "GGUF006",
                f"needs {length} bytes at byte {offset}, but the file ends at byte {size}",
                hint=CUT_SHORT,
            )
        end = min(size, limits.HEADER_BYTES)
        if offset + length > end:
            raise self.malformed("GGUF008", f"header of more than {end} bytes")
        self._buffer = self.source.read(offset, min(max(length, CHUNK), end - offset))
        self._base, self._at = offset, 0
