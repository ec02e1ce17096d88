"""One file, one version: one tree of bytes, whatever machine and environment compile it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import mdst

STORYTELLER = Path(__file__).parents[2] / "examples/storyteller/storyteller.gguf"
PACKAGE_ROOT = Path(mdst.__file__).parents[1]
NO_AVX512 = {"NPY_DISABLE_CPU_FEATURES": "X86_V4"}

COMPILE = """
import sys
from mdst.cli.compile import main
main()
"""


def compile_in(
    folder: Path, source: Path, env: Mapping[str, str], *options: str
) -> dict[str, bytes]:
    """The files of a bundle that a new process writes to a folder of its own."""
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", COMPILE, str(source), "out", "--validate", "none", *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PACKAGE_ROOT), **env},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    out = folder / "out"
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def other_cpu() -> dict[str, str]:
    """Tells numpy to leave AVX-512 alone, where numpy knows that name."""
    probe = subprocess.run(
        [sys.executable, "-c", "import numpy"],
        env={**os.environ, **NO_AVX512},
        capture_output=True,
        text=True,
    )
    return {} if probe.returncode or "Warning" in probe.stderr else NO_AVX512


SOURCES: dict[str, dict[str, object]] = {
    "llama": {"extras": ("rope_freqs", "attn_q.scale")},
    "qwen3": {"type": "Q4_0", "types": {"output": "F16"}},
}


@pytest.mark.parametrize("name", ["storyteller", *SOURCES])
def test_equal_trees(
    tiny_model: Callable[..., Path], tmp_path: Path, other_cpu: dict[str, str], name: str
) -> None:
    source = STORYTELLER if name == "storyteller" else tiny_model(name, **SOURCES[name])
    one = compile_in(
        tmp_path / "one",
        source,
        {"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C"},
        "--shard-size",
        "64K",
    )
    moved = tmp_path / "another name.gguf"
    moved.write_bytes(source.read_bytes())
    other = {
        "PYTHONHASHSEED": "2",
        "TZ": "Pacific/Kiritimati",
        "LC_ALL": "C.UTF-8",
        "OPENBLAS_CORETYPE": "Haswell",
        "COLUMNS": "40",
        **other_cpu,
    }
    two = compile_in(
        tmp_path / "somewhere else", moved, other, "--shard-size", "64K", "--jobs", "3"
    )
    assert one.keys() == two.keys()
    assert [path for path in one if one[path] != two[path]] == []
    assert len(one) > 8


def test_another_cpu_was_really_asked_for(other_cpu: dict[str, str]) -> None:
    if not other_cpu:
        pytest.skip("this numpy does not know NPY_DISABLE_CPU_FEATURES=X86_V4")
    found = subprocess.run(
        [
            sys.executable,
            "-c",
            "from numpy._core._multiarray_umath import __cpu_features__ as f; print(f['X86_V4'])",
        ],
        env={**os.environ, **other_cpu},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == "False"
