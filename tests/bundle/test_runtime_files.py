"""What ships beside the model's own files."""

from __future__ import annotations

import gzip
import os
import posixpath
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mdst.bundle import runtime_files as module
from mdst.bundle.listing import is_bundle_name
from mdst.bundle.runtime_files import runtime_files
from mdst.errors import InternalError
from mdst.report import Reporter

MAX_GZIPPED = 60_000
"""What a model's page fetches of the runtime, with its WASM module."""
MAX_CHAT = 60_000
"""The same on a GPU with the page's own scripts, for a conversation in most templates."""
MAX_WITH_GRAMMAR = 60_000
"""On a GPU, without the page, when answers are to be JSON by a schema."""
MAX_WASM = 12_000
"""Of the largest module; `tests/codegen/wasm/` holds real ones to it."""
PAGE = {"page/chat/chat.js": 16_500, "page/story.js": 8_500}
"""What a page's own scripts may weigh, by the one that makes it that page."""
DEVICES = {
    "webgpu": ["runtime/gpu.js"],
    "wasm": ["runtime/wasm/modules.js", "runtime/wasm/open.js", "runtime/wasm/member.js"],
}
TEMPLATE = "runtime/template/chat_template.js"
GRAMMAR = "runtime/grammar/grammar.js"
ON_DEMAND = {
    GRAMMAR: 13_500,
    TEMPLATE: 9_200,
    "runtime/template/rare/rare.js": 8_000,
    "page/refusal.js": 900,
    "page/times.js": 700,
    "runtime/cache.js": 1_000,
    "runtime/gpu.js": 8_500,
    "runtime/logits.js": 500,
    "runtime/tuning/cpu.js": 1_500,
    "runtime/tuning/decide.js": 400,
    "runtime/tuning/race.js": 2_500,
    "runtime/tuning/stopwatch.js": 2_000,
    "runtime/wasm/chain.js": 900,
    "runtime/wasm/modules.js": 1_400,
    "runtime/wasm/open.js": 3_500,
    "runtime/wasm/member.js": 300,
    "runtime/wasm/profile.js": 700,
    "runtime/profile.js": 2_000,
    "runtime/text/sentencepiece.js": 1_000,
    "runtime/text/rare/longest.js": 500,
    "runtime/text/rare/plamo2.js": 1_000,
    "runtime/text/rare/unigram.js": 1_500,
    "runtime/text/rare/wordpiece.js": 1_000,
}
"""What the runtime imports only for some models, or when it is asked for."""
ASKED_BY_NAME = {"mdst.js": ["runtime/worker.js"]}
IMPORTED = re.compile(r"""(?:\bfrom|\bimport)\s*["'`]([^"'`]+)["'`]""")
IMPORTED_LATER = re.compile(r"""\bimport\(\s*["'`]([^"'`]+)["'`]\s*\)""")


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
    found = 0
    for name in files:
        if name.endswith(".js"):
            text = files[name].decode()
            for target in (*IMPORTED.findall(text), *IMPORTED_LATER.findall(text)):
                found += 1
                assert target.startswith("."), f"{name} imports {target}"
                assert _beside(name, target) in files, (name, target)
    assert found >= 20


def _beside(name: str, target: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), target))


def _fetched(files: dict[str, bytes], *entries: str) -> set[str]:
    """Modules that are loaded with `entries`, but for what `import()` names."""
    found: set[str] = set()
    waiting = list(entries)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            targets = IMPORTED.findall(files[name].decode())
            waiting += [_beside(name, target) for target in targets]
            waiting += ASKED_BY_NAME.get(name, [])
    return found


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("page", PAGE)
def test_what_a_page_fetches_is_small(page: str, device: str) -> None:
    pytest.importorskip("esbuild_py", reason="modules are larger where there is no esbuild-py")
    pytest.importorskip("minify_html", reason="modules are larger where there is no minify-html")
    files = runtime_files()
    template = [TEMPLATE] if page == "page/chat/chat.js" else []
    fetched = _fetched(files, "page.js", page, "mdst.js", *template, *DEVICES[device])
    sizes = {name: len(gzip.compress(files[name], 9)) for name in sorted(fetched)}
    of_page = [name for name in sizes if name.startswith("page")]
    assert len(of_page) == 2
    own = sum(sizes.pop(name) for name in of_page)
    assert own <= PAGE[page]
    assert {"mdst.js", "runtime/service.js", "runtime/worker.js"} <= set(sizes)
    assert sum(sizes.values()) + (MAX_WASM if device == "wasm" else 0) <= MAX_GZIPPED
    if device == "webgpu":
        assert own + sum(sizes.values()) <= MAX_CHAT
        grammar = len(gzip.compress(files[GRAMMAR], 9))
        assert sum(sizes.values()) + grammar <= MAX_WITH_GRAMMAR


def test_what_is_loaded_on_demand_is_small() -> None:
    pytest.importorskip("esbuild_py", reason="modules are larger where there is no esbuild-py")
    pytest.importorskip("minify_html", reason="modules are larger where there is no minify-html")
    files = runtime_files()
    always = {name for page in PAGE for name in _fetched(files, "page.js", page, "mdst.js")}
    later = {name for name in files if name.endswith(".js")} - always
    assert later == ON_DEMAND.keys()
    sizes = {name: len(gzip.compress(files[name], 9)) for name in later}
    assert {name: size for name, size in sizes.items() if size > ON_DEMAND[name]} == {}


def test_minified_modules_do_what_they_did_as_written(tmp_path: Path) -> None:
    """All tests of the runtime and of the page's functions, on modules minified one by one."""
    pytest.importorskip("esbuild_py")
    pytest.importorskip("minify_html")
    beside = Path(sys.executable).with_name("deno")
    deno = shutil.which("deno") or (str(beside) if beside.exists() else None)
    if deno is None:
        pytest.skip("needs deno (the PyPI package of that name)")
    root = Path(__file__).parents[2]
    for place in ("tests/runtime_js", "tests/page", "tests/text"):
        shutil.copytree(root / place, tmp_path / place)
    strip, minify = module._transform(Reporter()), module._minifier(Reporter())
    assert strip is not None
    assert minify is not None
    for place in ("runtime_js", "templates/page"):
        for path in (root / place).rglob("*.js"):
            copy = tmp_path / path.relative_to(root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(minify(strip(path.name, path.read_text())))
    shutil.copy(root / "runtime_js/deno.json", tmp_path / "runtime_js")
    command = [deno, "test", "--no-check", "--quiet", "--allow-read"]
    for config, tests in (("runtime_js", "tests/runtime_js"), ("tests/page", "tests/page")):
        done = subprocess.run(
            [*command, "--config", f"{config}/deno.json", tests],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "NO_COLOR": "1"},
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        assert re.search(r"ok \| \d{2,} passed", done.stdout)


def test_a_module_that_would_end_its_script_is_refused() -> None:
    pytest.importorskip("minify_html")
    minify = module._minifier(Reporter())
    assert minify is not None
    assert "<!--<script>" in minify("export const a = '<!--<script>';\n")
    with pytest.raises(InternalError, match="script"):
        minify("export const a = '</script>';\n")


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


@pytest.mark.parametrize("missing", [["esbuild_py"], ["esbuild_py", "minify_html"]])
def test_without_its_tools_modules_ship_apart(
    missing: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "/** a comment */\nexport const a = 5;\n"
    _replace(tmp_path, monkeypatch, source)
    for name in missing:
        monkeypatch.setitem(sys.modules, name, None)
    warnings = Warnings()
    text = runtime_files(warnings)["mdst.js"].decode()
    assert "const a" in text
    assert (text == source) == ("minify_html" in missing)
    assert len(warnings.messages) == len(missing)


def _replace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    """Stands in for the real folders: one module and no page."""
    (tmp_path / "runtime_js/runtime").mkdir(parents=True)
    (tmp_path / "templates/page").mkdir(parents=True)
    (tmp_path / "runtime_js/mdst.js").write_text(source)
    (tmp_path / "runtime_js/mdst.d.ts").write_text("export {};\n")
    monkeypatch.setattr(module, "folder", lambda name: tmp_path / name)
