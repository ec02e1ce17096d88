"""The shape of the code: who imports whom, one door per dependency, small files with a purpose."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "compiler/mdst"

# A unit is a folder or a module directly in the package. Everybody may import a leaf.
LEAVES = {
    "errors": set[str](),
    "options": set[str](),
    "report": set[str](),
    "philox": set[str](),
    "rope": set[str](),
    "sampling": {"philox"},
}
PARTS = {
    "resources": set[str](),
    "text": set[str](),
    "quant": set[str](),
    "gguf": set[str](),
    "graph": {"quant"},
    "models": {"graph", "gguf", "rope"},
    "passes": {"graph", "quant"},
    "schedule": {"graph", "quant"},
    "programs": {"codegen", "graph", "passes", "schedule"},
    "summary": {"bundle"},
    "codegen": {"schedule", "graph", "quant", "resources"},
    "bundle": {"codegen", "schedule", "models", "quant", "gguf", "graph", "text", "resources"},
    "hosts": {"bundle", "codegen", "graph", "quant", "text", "resources"},
    "validate": {"codegen", "bundle", "hosts", "graph", "quant"},
    "compile": {
        "validate",
        "bundle",
        "codegen",
        "schedule",
        "passes",
        "models",
        "gguf",
        "quant",
        "graph",
        "text",
        "hosts",
        "programs",
        "summary",
    },
}
MAY_IMPORT = (
    LEAVES
    | {unit: allowed | LEAVES.keys() for unit, allowed in PARTS.items()}
    | {"cli": {*LEAVES, *PARTS}, "__init__": set[str]()}
)
FOR_ALL = {"errors", "__init__"}  # __init__ holds the version and nothing else

# Where a dependency may be imported: folders and files of the package.
DOORS = {
    "networkx": ("graph/graph.py",),
    "jinja2": ("codegen/templates.py", "text/chat/parse.py", "text/chat/translate.py"),
    "wgpu": ("hosts/wgpu_device.py",),
    "wasmtime": ("codegen/wasm/assemble.py", "hosts/wasm_engine.py"),
    "regex": ("text/",),
    "click": ("cli/",),
    "rich": ("cli/",),
    "gguf": ("gguf/", "quant/", "models/", "graph/", "text/"),
    "esbuild_py": ("bundle/runtime_files.py",),
    "minify_html": ("bundle/runtime_files.py",),
    "subprocess": ("text/chat/isolate.py",),
}
# The package's own reader is strict; the one of gguf trusts its input.
FORBIDDEN_NAMES = {"GGUFReader", "gguf_reader"}

MAX_LINES = {"compiler": 350, "templates": 350, "runtime_js": 350, "tests": 450}
SOURCES = {".py", ".js", ".j2"}


def imported(source: str, path: str) -> Iterator[str]:
    """Dotted names that a module imports, those of the package as `mdst.…`.

    `path` is the module's place in the package ("graph/ops.py"); `from x import y` gives `x.y`.
    """
    package = ["mdst", *Path(path).parent.parts]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = base + (node.module.split(".") if node.module else [])
            yield from (".".join([*base, alias.name]) for alias in node.names)


def unit_of(path: str) -> str:
    """The unit that a file of the package belongs to."""
    return Path(path).parts[0].removesuffix(".py")


def layer_violations(source: str, path: str) -> list[str]:
    """Imports that run against the table."""
    unit = unit_of(path)
    if unit not in MAY_IMPORT:
        return [f"{path}: {unit} is not in the table of units"]
    found = []
    for name in imported(source, path):
        parts = name.split(".")
        if parts[0] != "mdst":
            continue
        # What is no unit is a name in the package's __init__.
        target = parts[1] if len(parts) > 1 and parts[1] in MAY_IMPORT else "__init__"
        if target not in MAY_IMPORT[unit] | FOR_ALL | {unit}:
            found.append(f"{path}: {unit} may not import {target}")
    return found


def door_violations(source: str, path: str) -> list[str]:
    """Dependencies that come in elsewhere than through their door, and names that never may."""
    found = []
    for name in imported(source, path):
        doors = DOORS.get(name.split(".")[0])
        if doors is not None and not path.startswith(doors):
            found.append(f"{path}: {name} does not come in here")
    for node in ast.walk(ast.parse(source)):
        names = {getattr(node, "attr", None), getattr(node, "id", None)}
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {part for alias in node.names for part in alias.name.split(".")}
            names |= set((getattr(node, "module", None) or "").split("."))
        found += [f"{path}: {name} is not used here" for name in names & FORBIDDEN_NAMES]
    return found


def modules() -> list[str]:
    return sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py"))


def sources() -> list[str]:
    return sorted(
        str(path.relative_to(ROOT))
        for folder in MAX_LINES
        for path in (ROOT / folder).rglob("*")
        if path.suffix in SOURCES
    )


@pytest.mark.parametrize("path", modules())
def test_imports_run_one_way(path: str) -> None:
    assert layer_violations((PACKAGE / path).read_text(), path) == []


@pytest.mark.parametrize("path", modules())
def test_one_door_per_dependency(path: str) -> None:
    assert door_violations((PACKAGE / path).read_text(), path) == []


@pytest.mark.parametrize("path", modules())
def test_every_module_says_what_it_does(path: str) -> None:
    assert ast.get_docstring(ast.parse((PACKAGE / path).read_text()))


def test_files_stay_small() -> None:
    counts = {path: len((ROOT / path).read_text().splitlines()) for path in sources()}
    assert {p: n for p, n in counts.items() if n > MAX_LINES[Path(p).parts[0]]} == {}
    assert len(counts) > len(MAX_LINES)


def test_the_table_has_no_cycle() -> None:
    left = {unit: allowed - {unit} for unit, allowed in MAY_IMPORT.items()}
    while left:
        free = {unit for unit, allowed in left.items() if not allowed & left.keys()}
        assert free, f"a cycle among {sorted(left)}"
        left = {unit: allowed for unit, allowed in left.items() if unit not in free}


# -- the checkers themselves ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "path", "names"),
    [
        ("import a.b, c", "graph/ops.py", ["a.b", "c"]),
        ("from . import types", "graph/ops.py", ["mdst.graph.types"]),
        ("from .types import T, U", "graph/ops.py", ["mdst.graph.types.T", "mdst.graph.types.U"]),
        ("from ..quant import layout", "graph/ops.py", ["mdst.quant.layout"]),
        ("from .. import quant", "graph/ops.py", ["mdst.quant"]),
        ("from ...errors import E", "codegen/kernels/matvec.py", ["mdst.errors.E"]),
        ("from .errors import E", "compile.py", ["mdst.errors.E"]),
        ("def f():\n    if x:\n        from wgpu import y", "compile.py", ["wgpu.y"]),
    ],
)
def test_names_of_imports(source: str, path: str, names: list[str]) -> None:
    assert list(imported(source, path)) == names


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("from ..codegen.kernel import Kernel", "graph/graph.py"),
        ("from ..codegen import kernel", "schedule/plan.py"),
        ("from .. import codegen", "passes/fuse.py"),
        ("import mdst.codegen.kernel", "models/llama.py"),
        ("from mdst.hosts import wgpu_host", "bundle/writer.py"),
        ("from ..cli.errors import run_command", "validate/check.py"),
        ("from ..compile import compile_model", "hosts/numpy_host.py"),
        ("from ...validate import case", "codegen/kernels/matvec.py"),
        ("if TYPE_CHECKING:\n    from ..graph import ops", "quant/layout.py"),
        ("from .graph import ops", "errors.py"),
        ("from .options import Options", "errors.py"),
        ("from .cli import compile", "__init__.py"),
        ("", "newcomer/x.py"),
    ],
)
def test_an_import_against_the_table_is_found(source: str, path: str) -> None:
    assert layer_violations(source, path)


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("from .. import __version__", "cli/compile.py"),
        ("from ..compile import compile_model", "cli/compile.py"),
        ("from ..options import Options", "passes/pipeline.py"),
        ("from .philox import draw", "sampling.py"),
        ("from ..quant.layout import Block\nimport numpy as np", "graph/ops.py"),
    ],
)
def test_an_import_along_the_table_passes(source: str, path: str) -> None:
    assert layer_violations(source, path) == []


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("import networkx as nx", "graph/verify.py"),
        ("from networkx.algorithms import dag", "passes/fuse.py"),
        ("import jinja2", "bundle/page.py"),
        ("import wgpu.utils", "hosts/wgpu_host.py"),
        ("import regex", "models/config.py"),
        ("from click import echo", "compile.py"),
        ("def f():\n    import rich", "validate/check.py"),
        ("from gguf import GGMLQuantizationType", "hosts/numpy_host.py"),
        ("import subprocess", "cli/run.py"),
        ("from gguf import GGUFReader", "gguf/reader.py"),
        ("from gguf.gguf_reader import ReaderField", "gguf/reader.py"),
        ("import gguf\nr = gguf.GGUFReader(p)", "quant/decode.py"),
    ],
)
def test_a_second_door_is_found(source: str, path: str) -> None:
    assert door_violations(source, path)


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("import networkx as nx", "graph/graph.py"),
        ("import regex", "text/split.py"),
        ("from gguf import GGMLQuantizationType", "quant/layout.py"),
        ("from .gguf import x", "models/config.py"),
        ("import regexes", "models/config.py"),
    ],
)
def test_the_door_itself_passes(source: str, path: str) -> None:
    assert door_violations(source, path) == []
