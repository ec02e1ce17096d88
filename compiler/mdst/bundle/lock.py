"""A lock that one process at a time holds, that dies with it, and that leaves no file behind."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class Lock:
    """An flock(2) on a file of its own; the kernel drops it when the process ends in any way."""

    def __init__(self, path: Path) -> None:
        """Takes the lock. Raises BlockingIOError if another process has it, or another OSError."""
        self._path = path
        while True:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self._is_current():
                    return
            except BaseException:
                os.close(self._fd)
                raise
            os.close(self._fd)

    def release(self) -> None:
        """Gives the lock up; the name goes first, so whoever opened the old file looks again."""
        self._path.unlink(missing_ok=True)
        os.close(self._fd)

    def _is_current(self) -> bool:
        """Whether the file that is locked is still the one under that name."""
        try:
            return os.path.samestat(os.fstat(self._fd), self._path.lstat())
        except FileNotFoundError:
            return False
