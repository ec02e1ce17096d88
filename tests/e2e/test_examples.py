"""The examples do what their READMEs say."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mdst.bundle.reader import Bundle

ROOT = Path(__file__).parents[2]
STORYTELLER = ROOT / "examples/storyteller/storyteller.gguf"
GOLDEN_OUTPUT = ROOT / "examples/golden-output"

Check = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def golden_file(tmp_path: Path) -> Path:
    return Path(shutil.copy(GOLDEN_OUTPUT / "golden.json", tmp_path))


@pytest.fixture
def check(compiled: Callable[..., Bundle], golden_file: Path, tmp_path: Path) -> Check:
    """check.py on the storyteller, with the mdst-run of this checkout."""
    command = tmp_path / "bin/mdst-run"
    command.parent.mkdir()
    code = "from mdst.cli.run import main; main()"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{code}" "$@" --host numpy\n')
    command.chmod(0o755)
    path = f"{command.parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT / "compiler")}
    out = compiled(STORYTELLER).path

    def run(*options: str) -> subprocess.CompletedProcess[str]:
        script = [sys.executable, str(GOLDEN_OUTPUT / "check.py"), str(out), str(golden_file)]
        return subprocess.run(
            [*script, *options], env=environment, capture_output=True, text=True, timeout=300
        )

    return run


def test_known_answers(check: Check, golden_file: Path) -> None:
    run = check()
    assert (run.returncode, run.stdout) == (0, "2 answers as stored\n"), run.stderr
    cases = json.loads(golden_file.read_text())
    cases[1]["tokens"][4] += 1
    golden_file.write_text(json.dumps(cases))
    run = check()
    assert run.returncode == 1
    assert "--seed 3" in run.stdout
    assert "from token 4 on" in run.stdout
    assert check("--update").returncode == 0
    stored = (GOLDEN_OUTPUT / "golden.json").read_text(encoding="utf-8")
    assert golden_file.read_text(encoding="utf-8") == stored
