"""What ships beside the model's own files."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from mdst.bundle import runtime_files as module
from mdst.bundle.listing import is_bundle_name
from mdst.bundle.runtime_files import runtime_files
from mdst.errors import InternalError
from mdst.report import Reporter

MAX_GZIPPED = 60_000
MAX_GZIPPED_ON_DEMAND = {
    "runtime/grammar/": 18_000,
    "runtime/template/": 17_000,
    "runtime/text/rare/": 4_000,
    "runtime/text/sentencepiece.js": 1_000,
    "runtime/profile.js": 2_500,
    "page/story.js": 2_500,
}
"""What a page imports only for some models or when it is asked for."""


class Warnings(Reporter):
    def __init__(self) -> None:
        self.messages: list[str] = []

    def warn(self, message: str) -> None:
        self.messages.append(message)


def test_modules_and_page_ship_under_names_of_a_bundle() -> None:
    files = runtime_files()
    assert {"mdst.js", "mdst.d.ts", "runtime/worker.js", "page/chat/chat.js"} <= set(files)
    assert list(files) == sorted(files)
    assert all(is_bundle_name(name) for name in files)
    assert not any(name.endswith(("deno.json", "manifest.d.ts")) for name in files)


def test_every_import_is_relative_and_ships() -> None:
    files = runtime_files()
    for name, data in files.items():
        if not name.endswith(".js"):
            continue
        text = data.decode()
        for target in re.findall(r'(?:from |import |import\()"([^"]+)"', text):
            assert target.startswith("."), f"{name} imports {target}"
            parts = (Path(name).parent / target).as_posix()
            assert Path(parts).as_posix() in files or _resolved(parts) in files, (name, target)


def _resolved(path: str) -> str:
    """`a/b/../c` → `a/c`."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def test_the_whole_is_small() -> None:
    pytest.importorskip("esbuild_py", reason="modules ship as written where there is no esbuild-py")
    shipped = {n: d for n, d in runtime_files().items() if not n.endswith(".d.ts")}
    sizes = {name: len(gzip.compress(data, 9)) for name, data in shipped.items()}
    for folder, most in MAX_GZIPPED_ON_DEMAND.items():
        inside = [sizes.pop(name) for name in list(sizes) if name.startswith(folder)]
        assert 0 < sum(inside) <= most
    assert sum(sizes.values()) <= MAX_GZIPPED


def test_comments_do_not_ship_and_strings_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("esbuild_py")
    source = (
        "/** a */\nexport class A {\n  /** b\n   * c */\n  f() { return 'https://x /* d */'; }\n}\n"
    )
    _replace(tmp_path, monkeypatch, source)
    text = runtime_files()["mdst.js"].decode()
    assert "https://x /* d */" in text
    assert not re.search(r"\* [ac]|b\n", text)


def test_a_module_that_does_not_parse_never_ships(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("esbuild_py")
    _replace(tmp_path, monkeypatch, "export const = 5;\n")
    with pytest.raises(InternalError, match=r"mdst\.js"):
        runtime_files()


def test_without_esbuild_modules_ship_as_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "/** kept */\nexport const a = 5;\n"
    _replace(tmp_path, monkeypatch, source)
    monkeypatch.setitem(__import__("sys").modules, "esbuild_py", None)
    warnings = Warnings()
    assert runtime_files(warnings)["mdst.js"].decode() == source
    assert len(warnings.messages) == 1


def _replace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    """Stands in for the real folders: one module and no page."""
    (tmp_path / "runtime_js/runtime").mkdir(parents=True)
    (tmp_path / "templates/page").mkdir(parents=True)
    (tmp_path / "runtime_js/mdst.js").write_text(source)
    (tmp_path / "runtime_js/mdst.d.ts").write_text("export {};\n")
    monkeypatch.setattr(module, "folder", lambda name: tmp_path / name)
