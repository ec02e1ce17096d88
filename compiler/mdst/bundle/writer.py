"""Writes a bundle: files go to a hidden folder beside `out`, which takes its place once complete.

    .out.mdst-new    the bundle being written (after the swap: the old one, about to be deleted)
    .out.mdst-old    the old bundle, for an instant, where two names cannot be swapped in one step
    .out.mdst-lock   held by the process that writes; what lies there without it is from a dead run

Whatever happens, `out` is absent, the old bundle, or the new one. What we did not write is never
deleted: without `force` we refuse to start, with it we move it aside.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

from ..errors import CannotWriteError, InternalError, MdstError, UsageError, printable
from .interrupts import uninterrupted
from .listing import LISTING, Entry, encode_listing, is_bundle_name, present, read_listing
from .lock import Lock
from .swap import recover, replace_folder


class OutputFile:
    """One file of the bundle, open for writing; keeps size and SHA-256 of what went in."""

    def __init__(self, path: Path, raw: FileIO) -> None:
        self._path = path
        self._raw = raw
        self._digest = hashlib.sha256()
        self._size = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Appends `data` (contiguous). Raises CannotWriteError (WRITE003)."""
        self._digest.update(data)
        rest = memoryview(data).cast("B") if len(data) else memoryview(b"")
        self._size += rest.nbytes
        with _system_errors(self._path):
            while rest.nbytes:
                rest = rest[self._raw.write(rest) :]

    def entry(self) -> Entry:
        """Size and hash so far."""
        return Entry(self._size, self._digest.hexdigest())


class BundleWriter:
    """Context manager: a normal end puts the bundle in place, an exception leaves `out` as it was.

    `moved_aside` is where something that was not ours went (only with `force`), else None.

    Errors: UsageError (WRITE001 what is at `out` is not ours, WRITE002 `out` has no name);
    CannotWriteError (WRITE003 from the system, WRITE004 another process writes the same `out`);
    InternalError (WRITE005 a file name outside our alphabet, or used twice).
    """

    def __init__(self, out: Path, *, force: bool) -> None:
        self._out = Path(os.path.abspath(out))
        self._force = force
        self._files: dict[str, Entry] = {}
        self._lock: Lock | None = None
        self.moved_aside: Path | None = None
        if not self._out.name:
            raise UsageError("WRITE002", f"cannot write a bundle to {printable(str(out))}")
        self._new, self._old, self._lock_file = (
            self._out.with_name(f".{self._out.name}.mdst-{role}") for role in ("new", "old", "lock")
        )

    @property
    def folder(self) -> Path:
        """Where the files are while the bundle is written: what is checked before it counts."""
        return self._new

    @property
    def entries(self) -> Mapping[str, Entry]:
        """Names, sizes and hashes of what was written so far."""
        return dict(self._files)

    def __enter__(self) -> Self:
        try:
            with uninterrupted(), _system_errors(self._out):
                self._begin()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                with uninterrupted(), _system_errors(self._out):
                    self._commit()
        finally:
            self._end()

    @contextmanager
    def file(self, relative: str) -> Iterator[OutputFile]:
        """A new file of the bundle, written from front to end; on disk when the block ends."""
        if not is_bundle_name(relative) or relative in self._files or relative == LISTING:
            raise InternalError("WRITE005", f"bad or repeated file name {printable(relative)}")
        with self._open(relative) as output:
            yield output
        self._files[relative] = output.entry()

    def write(self, relative: str, data: bytes | bytearray | memoryview) -> None:
        """A whole file of the bundle at once."""
        with self.file(relative) as file:
            file.write(data)

    @contextmanager
    def _open(self, relative: str) -> Iterator[OutputFile]:
        path, shown = self._new / relative, self._out / relative
        with _system_errors(shown):
            path.parent.mkdir(parents=True, exist_ok=True)
            raw = FileIO(path, "x")
        with raw:
            yield OutputFile(shown, raw)
            with _system_errors(shown):
                os.fsync(raw.fileno())

    def _begin(self) -> None:
        if not self._out.parent.is_dir():
            message = f"{_shown(self._out)}: there is no folder {_shown(self._out.parent)}"
            raise CannotWriteError("WRITE003", message)
        try:
            self._lock = Lock(self._lock_file)
        except BlockingIOError:
            raise CannotWriteError(
                "WRITE004", f"{_shown(self._out)} is being written by another process"
            ) from None
        recover(self._out, self._old)
        for left in (self._new, self._old):  # by a dead run: the lock is ours
            if os.path.lexists(left):
                shutil.rmtree(left)
        self._refuse_foreign()
        self._new.mkdir()

    def _end(self) -> None:
        with uninterrupted():
            if self._lock:
                shutil.rmtree(self._new, ignore_errors=True)
                self._lock.release()

    def _refuse_foreign(self) -> str | None:
        """Why `out` is not ours to replace, or None. Raises UsageError instead without `force`."""
        reason = foreign(self._out)
        if reason and not self._force:
            raise UsageError(
                "WRITE001",
                f"{_shown(self._out)} {reason}",
                hint="choose another folder, or let --force move it aside",
            )
        return reason

    def _commit(self) -> None:
        with self._open(LISTING) as listing:
            listing.write(encode_listing(self._files))
        for folder, _, _ in os.walk(self._new):
            _sync(Path(folder))
        if self._refuse_foreign():  # again: a compile takes long enough for others to move in
            self.moved_aside = _free_name(self._out)
            self._out.rename(self.moved_aside)
        try:
            if os.path.lexists(self._out):
                shutil.rmtree(replace_folder(self._new, self._out, self._old), ignore_errors=True)
            else:
                self._new.rename(self._out)
        except BaseException:
            if self.moved_aside:
                recover(self._out, self.moved_aside)
            raise
        _sync(self._out.parent)


def foreign(out: Path) -> str | None:
    """What keeps us from replacing `out`; None for nothing, an empty folder or a bundle of ours.

    A bundle of ours is a folder whose list is whole and names every file in it.
    """
    if not os.path.lexists(out):
        return None
    if out.is_symlink() or not out.is_dir():
        return "is a symbolic link" if out.is_symlink() else "is not a folder"
    names = set(present(out))
    if not names:
        return None
    try:
        extra = names - read_listing(out).keys() - {LISTING}
    except MdstError:
        return "is a folder that mdst did not write"
    return f"holds {printable(min(extra))}, which mdst did not write" if extra else None


def _free_name(out: Path) -> Path:
    names = (out.with_name(f"{out.name}.old-{n}") for n in itertools.count(1))
    return next(name for name in names if not os.path.lexists(name))


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _shown(path: Path) -> str:
    return printable(str(path), limit=400)


@contextmanager
def _system_errors(path: Path) -> Iterator[None]:
    """No space, no permission, quota, … : the system's own words and our exit code."""
    try:
        yield
    except OSError as error:
        raise CannotWriteError("WRITE003", f"{_shown(path)}: {error.strerror or error}") from error
