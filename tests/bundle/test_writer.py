"""A bundle appears whole or not at all, whatever happens while it is written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from written import beside, compile_into, text_of

from mdst.bundle.listing import verify_tree
from mdst.bundle.writer import BundleWriter
from mdst.errors import InternalError, UsageError

PACKAGE_ROOT = Path(__file__).resolve().parents[2] / "compiler"


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
