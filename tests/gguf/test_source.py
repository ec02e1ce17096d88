"""What the file system can do to a reader: odd files, errors, changes while it reads."""

from __future__ import annotations

import errno
import os
import signal
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from mdst.errors import CannotReadError, MalformedError
from mdst.gguf import GgufFile, read_gguf


def content(*data: bytes) -> bytes:
    """A file with one 1-dimensional f32 tensor `t0`, `t1`, … for each of `data`."""
    header = b"GGUF" + struct.pack("<IQQ", 3, len(data), 0)
    offset = 0
    for index, item in enumerate(data):
        name = b"t%d" % index
        header += struct.pack("<Q", len(name)) + name
        header += struct.pack("<IQIQ", 1, len(item) // 4, 0, offset)
        offset += len(item)  # each is a multiple of 32, the alignment
    return header + bytes(-len(header) % 32) + b"".join(data)


DATA = bytes(range(32))


@contextmanager
def opened(folder: Path, *data: bytes) -> Iterator[GgufFile]:
    path = folder / "x.gguf"
    path.write_bytes(content(*data))
    with read_gguf(path) as file:
        yield file


@contextmanager
def no_longer_than(seconds: int) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TimeoutError(f"still running after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def special(folder: Path, kind: str) -> Path:
    path = folder / kind
    if kind == "directory":
        path.mkdir()
    elif kind == "FIFO":
        os.mkfifo(path)
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "device":
        path = Path("/dev/zero")
    elif kind == "NUL":
        path = folder / "a\0b"
    return path


@pytest.mark.parametrize("kind", ["missing", "directory", "FIFO", "device", "loop", "NUL"])
def test_what_is_not_a_regular_file_cannot_be_read(tmp_path: Path, kind: str) -> None:
    with no_longer_than(5), pytest.raises(CannotReadError) as caught:
        read_gguf(special(tmp_path, kind))
    assert caught.value.id == "GGUF001"
    assert caught.value.message.isprintable()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_file_without_permission_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(content(DATA))
    path.chmod(stat.S_IWUSR)
    with pytest.raises(CannotReadError):
        read_gguf(path)


def test_file_names_are_escaped(tmp_path: Path) -> None:
    path = tmp_path / "a\n\x1b[31m\u202egguf"
    path.write_bytes(b"")
    with pytest.raises(MalformedError) as caught:
        read_gguf(path)
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("change", ["shrink", "grow", "touch"])
def test_change_while_open_is_noticed(tmp_path: Path, change: str) -> None:
    with opened(tmp_path, DATA) as file:
        info = file.tensors["t0"]
        assert file.read(info).tobytes() == DATA
        if change == "shrink":
            os.truncate(file.path, info.offset + 5)
        elif change == "grow":
            os.truncate(file.path, file.size + 1)
        else:
            os.utime(file.path, ns=(0, 0))
        with pytest.raises(CannotReadError) as caught:
            file.read(info)
        assert caught.value.id == "GGUF002"


def test_read_error_of_the_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    with opened(tmp_path, DATA) as file:
        monkeypatch.setattr(os, "pread", broken)
        with pytest.raises(CannotReadError) as caught:
            file.read(file.tensors["t0"])
    assert caught.value.id == "GGUF002"
    assert "Input/output error" in caught.value.message


def test_reads_that_come_in_pieces_are_joined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, n, offset: whole(fd, min(n, 5), offset))
    data = np.random.default_rng().bytes(32)
    with opened(tmp_path, data) as file:
        assert file.read(file.tensors["t0"]).tobytes() == data


def test_renaming_another_file_over_it_does_no_harm(tmp_path: Path) -> None:
    with opened(tmp_path, DATA) as file:
        other = tmp_path / "other"
        other.write_bytes(b"something else")
        other.replace(file.path)
        assert file.read(file.tensors["t0"]).tobytes() == DATA


def test_ranges_outside_of_a_tensor_are_errors_of_the_caller(tmp_path: Path) -> None:
    with opened(tmp_path, DATA, DATA) as file:
        info = file.tensors["t0"]
        for start, length in ((0, 33), (33, None), (-1, 1), (32, 1), (5, -2)):
            with pytest.raises(ValueError, match="not in tensor"):
                file.read(info, start, length)
        assert file.read(info, 32).size == 0
    with pytest.raises(ValueError, match="closed"):
        file.read(info)


def test_tensor_of_another_file_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path, DATA * 2) as large:
        foreign = large.tensors["t0"]
    with opened(tmp_path, DATA) as small:
        with pytest.raises(ValueError, match="not in tensor"):
            small.read(foreign, 0, 4)


def test_descriptors_are_closed_after_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(content(DATA)[:-1])
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with pytest.raises(MalformedError):
            read_gguf(path)
    assert len(os.listdir("/proc/self/fd")) == before
