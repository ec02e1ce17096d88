"""An open file, read by position, that notices when it changes underneath."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ..errors import CannotReadError, printable


class Source:
    """A regular file held open. Reads are by position, so one Source may serve several threads."""

    def __init__(self, path: Path) -> None:
        """Open `path`. Raises CannotReadError (GGUF001) unless it is a readable regular file."""
        self.path = path
        self.name = printable(path.name or str(path))
        place = printable(str(path), limit=400)
        try:
            # Without O_NONBLOCK, opening a FIFO waits for a writer, possibly for ever.
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            message = f"{place}: cannot be opened: {_why(error)}"
            raise CannotReadError("GGUF001", message) from None
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(fd)
            kind = _KINDS.get(stat.S_IFMT(status.st_mode), "a special file")
            raise CannotReadError("GGUF001", f"{place}: is {kind}, not a regular file")
        # The file object closes the descriptor even when nobody calls close().
        self._file = os.fdopen(fd, "rb", buffering=0)
        self._identity = _identity(status)
        self.size = status.st_size

    def read(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset`; the caller has checked them against `size`.

        Raises CannotReadError (GGUF002) on a read error, at an early end, and when the file is no
        longer the one that was opened.
        """
        pieces: list[bytes] = []
        missing = length
        while missing:
            try:
                piece = os.pread(self._file.fileno(), missing, offset + length - missing)
            except OSError as error:
                raise CannotReadError(
                    "GGUF002", f"{self.name}: reading at byte {offset} failed: {_why(error)}"
                ) from None
            if not piece:
                raise self._changed()
            pieces.append(piece)
            missing -= len(piece)
        # After the read: a change before it shows as well.
        if _identity(os.fstat(self._file.fileno())) != self._identity:
            raise self._changed()
        return b"".join(pieces)

    def close(self) -> None:
        """Close the file; reading afterwards is a ValueError. Closing twice is harmless."""
        self._file.close()

    def _changed(self) -> CannotReadError:
        return CannotReadError(
            "GGUF002",
            f"{self.name}: the file changed while it was read",
            hint="wait until the download or copy is complete, then start again",
        )


_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _why(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
