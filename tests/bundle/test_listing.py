"""The list of files: one form only, and every changed byte of a bundle is found and named."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mdst.bundle.listing import (
    LISTING,
    Entry,
    decode_listing,
    encode_listing,
    is_bundle_name,
    present,
    verify_tree,
)
from mdst.bundle.writer import BundleWriter
from mdst.errors import CannotReadError, MalformedError


@pytest.fixture
def out(tmp_path: Path, rng: np.random.Generator) -> Path:
    """A bundle of random files, an empty one among them."""
    with BundleWriter(tmp_path / "out", force=False) as writer:
        writer.write("index.html", rng.bytes(700))
        writer.write("empty.txt", b"")
        for _ in range(3):
            data = rng.bytes(int(rng.integers(1, 5000)))
            writer.write(f"weights/{hashlib.sha256(data).hexdigest()}.bin", data)
    return tmp_path / "out"


def flip(path: Path, at: int, mask: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= mask
    path.write_bytes(data)


def test_a_good_bundle_passes(out: Path) -> None:
    assert verify_tree(out) == 6


def test_the_list_comes_back(rng: np.random.Generator) -> None:
    files = {
        f"a{n}/b": Entry(int(rng.integers(2**60)), hashlib.sha256(rng.bytes(4)).hexdigest())
        for n in rng.permutation(9)
    }
    assert decode_listing(encode_listing(files)) == files
    assert encode_listing(dict(sorted(files.items()))) == encode_listing(files)


def test_a_flipped_byte_in_any_file_is_named(out: Path, rng: np.random.Generator) -> None:
    for name in sorted(set(present(out)) - {LISTING, "empty.txt"}):
        at, mask = int(rng.integers((out / name).stat().st_size)), 1 << int(rng.integers(8))
        flip(out / name, at, mask)
        with pytest.raises(MalformedError, match=rf"^'{name}': content differs") as caught:
            verify_tree(out)
        assert caught.value.id == "BUNDLE003"
        flip(out / name, at, mask)
    assert verify_tree(out) == 6


def test_every_flipped_bit_of_the_list_is_found(out: Path) -> None:
    good = (out / LISTING).read_bytes()
    for at in range(len(good)):
        for bit in range(8):
            bad = bytearray(good)
            bad[at] ^= 1 << bit
            with pytest.raises(MalformedError, match=LISTING):
                decode_listing(bytes(bad))


def test_the_list_cut_or_padded_is_found(out: Path) -> None:
    good = (out / LISTING).read_bytes()
    for bad in [*(good[:n] for n in range(len(good))), good + b"\n", b" " + good, b"[" * 10**6]:
        with pytest.raises(MalformedError):
            decode_listing(bad)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda out: (out / "index.html").unlink(), "'index.html': missing"),
        (lambda out: (out / "extra.js").write_text("x"), "'extra.js': not in the list"),
        (lambda out: (out / "weights/x").symlink_to("/"), "'weights/x': not in the list"),
        (lambda out: (out / "empty.txt").write_text("x"), "'empty.txt': 1 bytes, expected 0"),
        (lambda out: os.truncate(out / "index.html", 9), "'index.html': 9 bytes, expected 700"),
        (lambda out: (out / LISTING).unlink(), "has no files.json"),
        (lambda out: shutil.rmtree(out / "weights"), "missing; 'weights/"),
    ],
)
def test_missing_extra_and_cut_files_are_named(
    out: Path, change: Callable[[Path], None], problem: str
) -> None:
    change(out)
    with pytest.raises(MalformedError, match=problem):
        verify_tree(out)


def test_a_link_in_place_of_a_file_is_found(out: Path) -> None:
    (out / "index.html").rename(out.parent / "elsewhere")
    (out / "index.html").symlink_to(out.parent / "elsewhere")
    with pytest.raises(MalformedError, match=r"'index\.html': not a regular file"):
        verify_tree(out)


def test_many_problems_are_counted(out: Path) -> None:
    for n in range(9):
        (out / f"extra{n}").write_text("")
    with pytest.raises(MalformedError, match=r"'extra4': not in the list; and 4 more$"):
        verify_tree(out)


def test_no_folder_at_all_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CannotReadError, match=r"files\.json': No such file"):
        verify_tree(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["a", "a-b_c.9", "weights/0.bin", "_x/-y"])
def test_names_of_our_alphabet(name: str) -> None:
    assert is_bundle_name(name)


@pytest.mark.parametrize(
    "name",
    ["", "/a", "a/", "a//b", ".", "../a", "a/../b", ".hidden", "A", "ä", "a b", "a\n", "a\\b"],
)
def test_other_names(name: str) -> None:
    assert not is_bundle_name(name)


def test_a_list_with_a_path_upward_is_refused() -> None:
    with pytest.raises(MalformedError):
        decode_listing(encode_listing({"../../etc/passwd": Entry(0, "0" * 64)}))
