"""A bundle appears whole or not at all, whatever happens while it is written."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from mdst.bundle import swap
from mdst.bundle.listing import verify_tree
from mdst.bundle.writer import BundleWriter
from mdst.errors import CannotWriteError, InternalError, UsageError

PACKAGE_ROOT = Path(__file__).resolve().parents[2] / "compiler"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture(params=["exchange", "two renames"])
def each_swap(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs the test on a kernel that can exchange names, and as on one that cannot."""
    if request.param == "two renames":
        monkeypatch.setattr(swap, "exchange", lambda a, b: False)


def compile_into(out: Path, text: str = "new", *, force: bool = False) -> BundleWriter:
    with BundleWriter(out, force=force) as writer:
        writer.write("index.html", text.encode())
        with writer.file("weights/0.bin") as file:
            file.write(b"front,")
            file.write(memoryview(text.encode()))
    return writer


def text_of(out: Path) -> str:
    verify_tree(out)
    return (out / "index.html").read_text()


def beside(out: Path) -> set[str]:
    return {path.name for path in out.parent.iterdir()} - {out.name}


@pytest.mark.usefixtures("each_swap")
def test_absent_then_replaced(out: Path) -> None:
    compile_into(out, "first")
    assert text_of(out) == "first"
    compile_into(out, "second")
    assert text_of(out) == "second"
    assert (out / "weights/0.bin").read_bytes() == b"front,second"
    assert not beside(out)


def test_an_array_is_written_as_its_bytes(out: Path, rng: np.random.Generator) -> None:
    values = rng.standard_normal((3, 5)).astype(np.float32)
    with BundleWriter(out, force=False) as writer:
        writer.write("a.bin", values.data)
        writer.write("empty.bin", np.zeros((0, 4), np.float32).data)
    assert (out / "a.bin").read_bytes() == values.tobytes()
    assert verify_tree(out) == 3


def test_two_runs_write_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        compile_into(tmp_path / name)
    assert (tmp_path / "a/files.json").read_bytes() == (tmp_path / "b/files.json").read_bytes()


def test_an_empty_folder_counts_as_absent(out: Path) -> None:
    out.mkdir()
    compile_into(out)
    assert text_of(out) == "new"
    assert not beside(out)


@pytest.mark.parametrize("name", ["../up", "A.html", "/etc/x", "files.json", "index.html"])
def test_a_bad_or_repeated_name_is_a_bug(out: Path, name: str) -> None:
    with (
        pytest.raises(InternalError, match="bad or repeated file name"),
        BundleWriter(out, force=False) as writer,
    ):
        writer.write("index.html", b"")
        writer.write(name, b"")
    assert not out.exists()
    assert not beside(out)


def test_the_root_folder_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot write a bundle to '/'"):
        BundleWriter(Path("/"), force=True)


# -- what is not ours -----------------------------------------------------------------------------


def a_folder(out: Path) -> None:
    out.mkdir()
    (out / "thesis.txt").write_text("precious")


def a_file(out: Path) -> None:
    out.write_text("precious")


def a_link(out: Path) -> None:
    (out.parent / "elsewhere").mkdir()
    (out.parent / "elsewhere/thesis.txt").write_text("precious")
    out.symlink_to("elsewhere")


def a_broken_link(out: Path) -> None:
    out.symlink_to("nowhere")


def a_bundle_with_a_guest(out: Path) -> None:
    compile_into(out, "old")
    (out / "thesis.txt").write_text("precious")


def a_bundle_with_a_damaged_list(out: Path) -> None:
    compile_into(out, "old")
    (out / "files.json").write_text("{}")


FOREIGN = [
    a_folder,
    a_file,
    a_link,
    a_broken_link,
    a_bundle_with_a_guest,
    a_bundle_with_a_damaged_list,
]


def snapshot(folder: Path) -> dict[str, bytes | str]:
    """Contents of all files and targets of all links under a folder."""
    return {
        str(path.relative_to(folder)): os.readlink(path) if path.is_symlink() else path.read_bytes()
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


@pytest.mark.parametrize("make", FOREIGN)
def test_what_is_not_ours_is_refused_untouched(out: Path, make: Callable[[Path], None]) -> None:
    make(out)
    before = snapshot(out.parent)
    with pytest.raises(UsageError) as caught:
        compile_into(out)
    assert caught.value.id == "WRITE001"
    assert "--force" in str(caught.value.hint)
    assert snapshot(out.parent) == before


@pytest.mark.parametrize("make", FOREIGN)
def test_force_moves_it_aside(out: Path, make: Callable[[Path], None]) -> None:
    make(out)
    (out.parent / "out.old-1").write_text("taken")
    before = snapshot(out.parent)
    aside = compile_into(out, force=True).moved_aside
    assert aside == out.parent / "out.old-2"
    assert text_of(out) == "new"
    assert not out.is_symlink()
    after = snapshot(out.parent)
    for name, data in before.items():
        moved = "out.old-2" + name[3:] if name.split("/")[0] == "out" else name
        assert after[moved] == data


def test_force_on_our_own_bundle_moves_nothing(out: Path) -> None:
    compile_into(out, "old")
    assert compile_into(out, force=True).moved_aside is None
    assert not beside(out)


def test_a_guest_that_comes_during_the_compile_is_not_lost(out: Path) -> None:
    compile_into(out, "old")
    with (
        pytest.raises(UsageError, match="holds 'notes', which mdst did not write"),
        BundleWriter(out, force=False) as writer,
    ):
        writer.write("index.html", b"new")
        (out / "notes").write_text("precious")
    assert (out / "notes").read_text() == "precious"
    assert (out / "index.html").read_text() == "old"
    assert not beside(out)


# -- failures -------------------------------------------------------------------------------------


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
    for parent, reason in (("nowhere", "No such file"), ("file", "Not a directory")):
        with pytest.raises(CannotWriteError, match=reason):
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


# -- other processes ------------------------------------------------------------------------------


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
