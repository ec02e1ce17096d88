"""runtime_js/ and templates/page/ → the files of a bundle that do not depend on the model.

Modules ship without comments, which makes them half as large, joined into few files, and those
minified, which saves an eighth of what compression leaves. A module that does not parse never
ships.
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
_BEFORE, _AFTER = "<script type=module>", "</script>"
_COMMENT = re.compile(r"^ */\*.*?\*/\n", re.DOTALL | re.MULTILINE)
"""A comment on lines of its own, as the transform leaves it in the bodies of classes."""


def runtime_files(report: Reporter | None = None) -> dict[str, bytes]:
    """Names in a bundle → contents, sorted by name: mdst.js, mdst.d.ts, runtime/… and the page.

    Where no wheel of esbuild-py can be had, `report` is warned and modules stay apart; where there
    is none of minify-html, they are not minified. Raises InternalError for a module that does not
    parse, and for a name that is there twice.
    """
    report = report or Reporter()
    strip = _transform(report)
    minify = _minifier(report)
    files: dict[str, bytes] = {}
    for name, path in _sources():
        if name in files:
            raise InternalError("RUNTIME002", f"{name} is in runtime_js and in templates/page")
        files[name] = path.read_bytes()
    names = sorted(name for name in files if name.endswith(".js"))
    modules = {name: files.pop(name).decode() for name in names}
    if strip is not None:
        stripped = {name: strip(name, text) for name, text in modules.items()}
        modules = join_modules(stripped, [_PUBLIC])
    if minify is not None:
        modules = {name: minify(text) for name, text in modules.items()}
    files |= {name: text.encode() for name, text in modules.items()}
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


def _transform(report: Reporter) -> Callable[[str, str], str] | None:
    try:  # needs distutils, which setuptools gives from Python 3.12 on
        from esbuild_py import transform
    except ImportError:
        report.warn("esbuild-py is not available: the page's modules ship with their comments")
        return None

    def strip(name: str, text: str) -> str:
        """`text` printed anew without comments; '' is the transform's word for a syntax error."""
        once: str = transform(text)
        if not once:
            raise InternalError("RUNTIME001", f"{name} is not valid JavaScript")
        bare = _COMMENT.sub("", once)
        again: str = once if bare == once else transform(bare)
        return again

    return strip


def _minifier(report: Reporter) -> Callable[[str], str] | None:
    try:
        from minify_html import minify
    except ImportError:
        report.warn("minify-html is not available: the page's modules are larger than need be")
        return None

    def minify_module(text: str) -> str:
        """A module that parses → the same in fewer bytes; names stay. Minified as the script of a
        page, which is how that package takes modules."""
        page = minify(f"{_BEFORE}{text}{_AFTER}", minify_js=True)
        if _AFTER in text or not (page.startswith(_BEFORE) and page.endswith(_AFTER)):
            raise InternalError("RUNTIME003", "a module cannot stand in a page as a script")
        return page.removeprefix(_BEFORE).removesuffix(_AFTER) + "\n"

    return minify_module
