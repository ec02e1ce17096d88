"""files.json: the name, size and SHA-256 of every file of a bundle, and of the list itself.

It marks a folder as ours, and lets `--verify` find any byte that changed. There is exactly one way
to write a given list (sorted, no spaces), and reading accepts only that way, so a changed byte in
the list either breaks the form or one of its hashes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import CannotReadError, MalformedError, printable

LISTING = "files.json"
FORMAT = "mdst-files-1"

_MAX_LISTING = 64 << 20
_CHUNK = 1 << 20
_SHOWN = 5
_PART = "[a-z0-9_-][a-z0-9._-]*"
_NAME = re.compile(f"{_PART}(/{_PART})*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Entry:
    """Size in bytes and SHA-256 in lower-case hex of one file."""

    size: int
    sha256: str


def is_bundle_name(relative: str) -> bool:
    """Whether a path is made of a-z 0-9 . _ - / alone, with no empty, hidden or upward part."""
    return _NAME.fullmatch(relative) is not None


def encode_listing(files: Mapping[str, Entry]) -> bytes:
    """The one canonical text of a list."""
    body = {
        "files": {
            name: {"sha256": files[name].sha256, "size": files[name].size} for name in sorted(files)
        },
        "format": FORMAT,
    }
    return _canonical(body | {"sha256": hashlib.sha256(_canonical(body)).hexdigest()})


def decode_listing(data: bytes) -> dict[str, Entry]:
    """Inverse of `encode_listing`. Raises MalformedError (BUNDLE002) on anything else."""
    try:
        files = {
            name: Entry(item["size"], item["sha256"])
            for name, item in json.loads(data)["files"].items()
        }
        canonical = encode_listing(files) == data
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        canonical = False
    if not canonical or not all(map(is_bundle_name, files)):
        raise MalformedError("BUNDLE002", f"{LISTING}: damaged, or not written by this version")
    return files


def read_listing(out: Path) -> dict[str, Entry]:
    """The list of the bundle `out`.

    Raises CannotReadError (BUNDLE001) if it cannot be read, MalformedError (BUNDLE002) if the
    folder has none or it is damaged.
    """
    path = out / LISTING
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise OSError("not a regular file")
            data = file.read(_MAX_LISTING)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and out.is_dir():
            raise MalformedError(
                "BUNDLE002", f"{printable(str(out), limit=400)} has no {LISTING}"
            ) from error
        raise CannotReadError(
            "BUNDLE001", f"{printable(str(path), limit=400)}: {error.strerror or error}"
        ) from error
    return decode_listing(data)


def present(out: Path) -> Iterator[str]:
    """Relative names of all that lies under `out` and is not a folder, links included."""
    for folder, folders, names in os.walk(out, onerror=_raise):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in names + links:
            yield os.path.relpath(os.path.join(folder, name), out)


def verify_tree(out: Path, wanted: Callable[[str], bool] = lambda name: True) -> int:
    """Reads every file of the bundle again, or those whose names are `wanted`, and returns how many
    there are.

    Raises MalformedError (BUNDLE003) that names files changed, missing or not listed; and what
    `read_listing` raises.
    """
    files = {name: entry for name, entry in read_listing(out).items() if wanted(name)}
    try:
        found = set(filter(wanted, present(out))) - {LISTING}
        problems = [(name, "not in the list") for name in found - files.keys()]
        for name, entry in files.items():
            problem = _problem(out / name, entry) if name in found else "missing"
            if problem:
                problems.append((name, problem))
    except OSError as error:
        raise CannotReadError(
            "BUNDLE001", f"{printable(str(error.filename or out), limit=400)}: {error.strerror}"
        ) from error
    if problems:
        shown = [f"{printable(name)}: {problem}" for name, problem in sorted(problems)[:_SHOWN]]
        more = len(problems) - len(shown)
        raise MalformedError("BUNDLE003", "; ".join(shown) + (f"; and {more} more" if more else ""))
    return len(files) + 1


def _problem(path: Path, entry: Entry) -> str | None:
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        return "not a regular file"
    if status.st_size != entry.size:
        return f"{status.st_size} bytes, expected {entry.size}"
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return None if digest.hexdigest() == entry.sha256 else "content differs from its SHA-256"


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def _raise(error: OSError) -> None:
    raise error
