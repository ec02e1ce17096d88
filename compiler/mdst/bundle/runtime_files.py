"""runtime_js/ and templates/page/ → the files of a bundle that do not depend on the model.

Modules ship without comments, which makes them half as large, and joined into few files; a
module that does not parse never ships.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import InternalError
from ..report import Reporter
from ..resources import folder
from .join import join_modules

_SHIPPED = {".js", ".html", ".css", ".svg", ".png", ".ico"}
_PUBLIC_TYPES = "mdst.d.ts"
_PUBLIC = "mdst.js"
_COMMENT = re.compile(r"^ */\*.*?\*/\n", re.DOTALL | re.MULTILINE)
"""A comment on lines of its own, as the transform leaves it in the bodies of classes."""


def runtime_files(report: Reporter | None = None) -> dict[str, bytes]:
    """Names in a bundle → contents, sorted by name: mdst.js, mdst.d.ts, runtime/… and the page.

    Where no wheel of esbuild-py can be had, `report` is warned and modules ship as written. Raises
    InternalError for a module that does not parse, or a name that is there twice.
    """
    transform = _transform(report or Reporter())
    files: dict[str, bytes] = {}
    for name, path in _sources():
        if name in files:
            raise InternalError("RUNTIME002", f"{name} is in runtime_js and in templates/page")
        data = path.read_bytes()
        files[name] = data
    if transform is not None:
        scripts = [name for name in files if name.endswith(".js")]
        texts = {name: files.pop(name).decode() for name in sorted(scripts)}
        modules = {name: _stripped(transform, name, text) for name, text in texts.items()}
        joined = join_modules(modules, [_PUBLIC])
        files |= {name: _flat(transform, text).encode() for name, text in joined.items()}
    return dict(sorted(files.items()))


def _sources() -> Iterator[tuple[str, Path]]:
    runtime = folder("runtime_js")
    yield _PUBLIC_TYPES, runtime / _PUBLIC_TYPES
    yield _PUBLIC, runtime / _PUBLIC
    for path in (runtime / "runtime").rglob("*.js"):
        yield path.relative_to(runtime).as_posix(), path
    page = folder("templates") / "page"
    for path in page.rglob("*"):
        if path.suffix in _SHIPPED:
            yield path.relative_to(page).as_posix(), path


def _transform(report: Reporter) -> Callable[[str], str] | None:
    try:  # needs distutils, which setuptools gives from Python 3.12 on
        from esbuild_py import transform
    except ImportError:
        report.warn("esbuild-py is not available: the page's modules ship with their comments")
        return None

    return transform  # type: ignore[no-any-return]


def _stripped(transform: Callable[[str], str], name: str, text: str) -> str:
    """`text` printed anew without comments; '' is the transform's word for a syntax error."""
    result = transform(_COMMENT.sub("", transform(text)))
    if not result:
        raise InternalError("RUNTIME001", f"{name} is not valid JavaScript")
    return result


def _flat(transform: Callable[[str], str], text: str) -> str:
    """`text` without indentation, where that changes nothing but how it looks."""
    flat = re.sub(r"\n +", "\n", text)
    return flat if transform(flat) == transform(text) else text
