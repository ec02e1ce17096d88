"""Puts a finished folder in the place of another; the place never holds half of anything."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_NOT_HERE = {errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP}


def replace_folder(new: Path, out: Path, aside: Path) -> Path:
    """Renames the folder `new` to `out`, which exists, and returns where the old one is now.

    The three lie on one file system. Where the kernel can exchange two names, `out` is the old or
    the new folder at every instant; elsewhere the old one stands at `aside` for an instant, and is
    put back if the second rename fails (`recover` does it after a crash). Raises OSError.
    """
    if exchange(new, out):
        return new
    out.rename(aside)
    try:
        new.rename(out)
    except BaseException:
        recover(out, aside)
        raise
    return aside


def recover(out: Path, aside: Path) -> None:
    """Undoes a `replace_folder` that was cut off between its two renames. Raises OSError."""
    if os.path.lexists(aside) and not os.path.lexists(out):
        aside.rename(out)


def exchange(a: Path, b: Path) -> bool:
    """Swaps two names in one step (Linux: renameat2(2)); False where the system cannot.

    Raises OSError if it can, but not with these two.
    """
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    if renameat2(_AT_FDCWD, os.fsencode(a), _AT_FDCWD, os.fsencode(b), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _NOT_HERE:
        return False
    raise OSError(code, os.strerror(code), str(a), None, str(b))
