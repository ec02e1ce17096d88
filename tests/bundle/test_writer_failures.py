"""Whatever fails while a bundle is written, or is written beside it, the old one stays."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from written import beside, compile_into, text_of

from mdst.bundle import swap
from mdst.bundle.listing import verify_tree
from mdst.bundle.writer import BundleWriter
from mdst.errors import CannotWriteError

PACKAGE_ROOT = Path(__file__).resolve().parents[2] / "compiler"


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ValueError])
def test_an_exception_leaves_the_old_bundle(out: Path, stop: type[BaseException]) -> None:
    compile_into(out, "old")
    with pytest.raises(stop), BundleWriter(out, force=False) as writer:
        writer.write("index.html", b"new")
        raise stop
    assert text_of(out) == "old"
    assert not beside(out)


def test_errors_of_reading_are_not_called_errors_of_writing(out: Path) -> None:
    with (
        pytest.raises(FileNotFoundError),
        BundleWriter(out, force=False) as writer,
        writer.file("a") as file,
    ):
        file.write(Path(out / "no-such-input").read_bytes())


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """No file of this process may grow over `size` bytes: writing fails like on a full disk.

    That holds for the log of the tests too, so the block is short.
    """
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_no_room(out: Path) -> None:
    compile_into(out, "old")
    with (
        pytest.raises(CannotWriteError, match=r"out/index\.html': File too large") as caught,
        files_up_to(10_000),
    ):
        compile_into(out, "x" * 10_001)
    assert caught.value.exit_code == 6
    assert text_of(out) == "old"
    assert not beside(out)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_disk_that_fails_at_fsync(
    out: Path, code: int, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    compile_into(out, "old")
    left = int(rng.integers(5))  # three files and two folders are synced before the swap
    calls = iter([None] * left)

    def fsync(fd: int) -> None:
        if next(calls, "full") == "full":
            raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(CannotWriteError, match=os.strerror(code)):
        compile_into(out)
    assert text_of(out) == "old"
    assert not beside(out)


def test_a_failed_swap_puts_the_old_bundle_back(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compile_into(out, "old")
    rename = Path.rename

    def fails(path: Path, target: Path) -> Path:
        if path.name.endswith("-new"):
            raise OSError(errno.EIO, "broken")
        return rename(path, target)

    monkeypatch.setattr(swap, "exchange", lambda a, b: False)
    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(CannotWriteError, match="broken"):
        compile_into(out)
    assert text_of(out) == "old"
    assert not beside(out)


def test_a_parent_that_is_missing_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for parent in ("nowhere", "file"):
        with pytest.raises(CannotWriteError, match=f"there is no folder '.*{parent}'"):
            compile_into(tmp_path / parent / "out")
    assert os.listdir(tmp_path) == ["file"]


def test_a_read_only_parent(out: Path) -> None:
    out.parent.chmod(0o555)
    try:
        if os.access(out.parent, os.W_OK):
            pytest.skip("permissions do not bind this user (root)")
        with pytest.raises(CannotWriteError, match="Permission denied"):
            compile_into(out)
    finally:
        out.parent.chmod(0o755)


def test_the_second_of_two_writers_is_refused(out: Path) -> None:
    with BundleWriter(out, force=False) as first:
        first.write("index.html", b"first")
        with pytest.raises(CannotWriteError, match="is being written by another process") as caught:
            compile_into(out, "second")
        assert caught.value.id == "WRITE004"
    assert text_of(out) == "first"
    assert not beside(out)


def test_two_outputs_in_one_folder_do_not_meet(tmp_path: Path) -> None:
    with BundleWriter(tmp_path / "a", force=False) as first:
        first.write("index.html", b"a")
        compile_into(tmp_path / "b", "b")
    assert (text_of(tmp_path / "a"), text_of(tmp_path / "b")) == ("a", "b")


def test_what_a_dead_run_left_goes_at_the_next(out: Path) -> None:
    for name in (".out.mdst-new", ".out.mdst-old"):
        (out.parent / name).mkdir()
        (out.parent / name / "junk").write_text("")
    (out.parent / ".out.mdst-lock").write_text("")
    out.mkdir()
    compile_into(out)
    assert text_of(out) == "new"
    assert not beside(out)


def test_a_crash_between_two_renames_is_undone(out: Path) -> None:
    compile_into(out, "old")
    out.rename(out.with_name(".out.mdst-old"))
    with pytest.raises(ValueError, match="stop"), BundleWriter(out, force=False):
        raise ValueError("stop")
    assert text_of(out) == "old"
    assert not beside(out)


WRITE_FOREVER = """
import itertools, sys
from pathlib import Path
from mdst.bundle import swap
from mdst.bundle.writer import BundleWriter
if sys.argv[2] == "two renames":
    swap.exchange = lambda a, b: False
print("ready", flush=True)
for n in itertools.count():
    with BundleWriter(Path(sys.argv[1]), force=False) as writer:
        writer.write("index.html", b"%d" % n)
        for shard in range(n % 7):
            writer.write(f"weights/{shard}.bin", b"%d" % n * 20000)
"""


@pytest.mark.parametrize("how", ["exchange", "two renames"])
def test_killed_at_any_moment(out: Path, how: str, rng: np.random.Generator) -> None:
    seen = 0
    for _ in range(10):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITE_FOREVER, str(out), how],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(PACKAGE_ROOT)},
        )
        with child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(rng.uniform(0, 0.08))
            child.kill()
        assert child.returncode == -signal.SIGKILL
        if out.exists():
            verify_tree(out)
            seen += 1
    assert seen
    compile_into(out, "after")
    assert text_of(out) == "after"
    assert not beside(out)
