"""Every way a compile or a run can fail on purpose, as one line with an id and an exit code.

The text of an error says what is wrong and where (file, key or tensor, byte offset); `hint` says
what to do. The command line prints `mdst-compile: error[ID]: MESSAGE` and, if any, `hint: HINT`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar


class MdstError(Exception):
    """An expected failure. `id` names it for good (tests and scripts rely on it)."""

    exit_code: ClassVar[int] = 70

    def __init__(self, id: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.id = id
        self.message = message
        self.hint = hint


class UsageError(MdstError):
    """The request makes no sense, or `out/` is not ours to replace."""

    exit_code = 2


class CannotReadError(MdstError):
    """The input is missing, not a regular file, or changed while it was read."""

    exit_code = 3


class MalformedError(MdstError):
    """The file breaks its format."""

    exit_code = 4


class UnsupportedError(MdstError):
    """The file is valid, but asks for what this version does not do."""

    exit_code = 5


class CannotWriteError(MdstError):
    """The output could not be written; what was there before is untouched."""

    exit_code = 6


class InternalError(MdstError):
    """A check of our own failed: a bug here, never in the file."""

    exit_code = 70


@contextmanager
def naming(file: str) -> Iterator[None]:
    """Puts `file` (already printable) in front of errors about its content that do not name it."""
    try:
        yield
    except (MalformedError, UnsupportedError) as error:
        if file not in error.message:
            error.message = f"{file}: {error.message}"
        raise


def printable(name: str | bytes, limit: int = 80) -> str:
    """`name` in quotes for one line of a terminal: controls, bidi marks and invalid UTF-8 escaped,
    cut at `limit` characters."""
    text = name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else name
    cut = text[:limit]
    safe = "".join(
        c if c == " " or unicodedata.category(c)[0] not in "CZ" else f"\\u{ord(c):04x}" for c in cut
    )
    return f"'{safe}'" + ("…" if len(text) > limit else "")
