"""What a compile tells while it runs; how that looks is the caller's matter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import CannotWriteError, printable


class Reporter:
    """Receives news of a compile; this one drops them."""

    def warn(self, message: str) -> None:
        """Something that the user should know; the compile goes on."""

    def phase(self, name: str, total: int) -> None:
        """A part of the work begins: `total` units of it (kernels, bytes)."""

    def advance(self, units: int) -> None:
        """`units` more of the current part are done."""


class Dump:
    """Texts of the stages of a compile, as files in a directory; nothing without one."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        if folder:
            with _writing(folder):
                folder.mkdir(parents=True, exist_ok=True)

    def __call__(self, name: str, text: str) -> None:
        if self._folder:
            with _writing(self._folder / name):
                (self._folder / name).write_text(text, encoding="utf-8")


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise CannotWriteError("DUMP001", f"{printable(str(path), limit=400)}: {reason}") from error
