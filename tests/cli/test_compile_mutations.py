"""Damaged files through the whole compiler: a verdict, one line, nothing written."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mutations import MUTATIONS, needs_mutations

import mdst
from mdst.cli.compile import command
from mdst.hosts.wgpu_device import best_tier

Invoke = Callable[..., Any]
SECONDS = 5
"""Hang guard per file."""


pytestmark = needs_mutations

PWNED = Path("/tmp/PWNED_mdst")
"""What a template would leave that gets to run a program."""
REFUSED = (3, 4, 5)
CODES = {"reject": REFUSED, "accept": (0,), "warn": (0,), "either": (0, *REFUSED)}


def check_contract(done: Any, folder: Path, before: set[str]) -> None:
    """What holds for every compile, whatever became of it."""
    assert "Traceback" not in done.out + done.err
    errors = re.findall(r"^mdst-compile: error\[\w+\]: .+$", done.err, re.MULTILINE)
    if done.code == 0:
        assert not errors
        assert (folder / "out/manifest.json").exists()
        return
    assert done.code in REFUSED
    assert len(errors) == 1
    assert done.out == ""
    lines = done.err.splitlines()
    assert all(line == errors[0] or line.startswith(("hint: ", "warning: ")) for line in lines), (
        lines
    )
    assert "x.gguf" in errors[0]
    assert errors[0].isprintable()
    assert {path.name for path in folder.iterdir()} == before


@pytest.mark.parametrize("name", MUTATIONS)
def test_every_mutation(invoke: Invoke, tmp_path: Path, name: str) -> None:
    content, expected, _ = MUTATIONS[name]
    (tmp_path / "x.gguf").write_bytes(content)
    start = sum(os.times()[:4])  # of processors, in children too: others may keep them busy
    done = invoke(
        command, "mdst-compile", tmp_path / "x.gguf", tmp_path / "out", "-q", "--validate", "none"
    )
    assert sum(os.times()[:4]) - start < SECONDS
    check_contract(done, tmp_path, {"x.gguf"})
    assert not PWNED.exists()
    assert done.code in CODES[expected]
    if expected == "warn":
        assert "warning: " in done.err


TEMPLATES = [name for name in MUTATIONS if name.startswith("tmpl_")]


@pytest.mark.parametrize("name", [n for n in TEMPLATES if n != "tmpl_str_array"])
def test_a_model_goes_on_without_its_template(invoke: Invoke, tmp_path: Path, name: str) -> None:
    (tmp_path / "x.gguf").write_bytes(MUTATIONS[name][0])
    words = ("-q", "--validate", "none", "--no-chat-template")
    done = invoke(command, "mdst-compile", tmp_path / "x.gguf", tmp_path / "out", *words)
    check_contract(done, tmp_path, {"x.gguf"})
    assert done.code == 0
    assert not (tmp_path / "out/chat_template.json").exists()


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_hostile_template_is_named(invoke: Invoke, tmp_path: Path, name: str) -> None:
    """The one line says which key, where it is a template that is refused."""
    content, expected, _ = MUTATIONS[name]
    (tmp_path / "x.gguf").write_bytes(content)
    words = ("-q", "--validate", "none")
    done = invoke(command, "mdst-compile", tmp_path / "x.gguf", tmp_path / "out", *words)
    if expected == "reject":
        assert "'tokenizer.chat_template'" in done.err
    if done.code == 0:
        written = (tmp_path / "out/chat_template.json").read_text()
        assert json.loads(written)["format"] == 1


SAMPLE = [
    *("valid", "bad_magic", "lfs_pointer", "version_bigendian", "n_tensors_neg1", "trunc_mid_kv"),
    *("key_len_2e40", "arr_u8_len_2e62", "trunc_last_byte", "key_dup", "trailing_garbage"),
    *("tmpl_loop_1e10", "tmpl_ssti_import", "tmpl_script"),
    *("block_count_2", "tensor_missing", "weights_nan", "weights_inf"),
]


@pytest.mark.parametrize("name", SAMPLE)
def test_a_sample_as_a_program(tmp_path: Path, name: str) -> None:
    """With all checks that a compile makes by default."""
    content, expected, _ = MUTATIONS[name]
    (tmp_path / "x.gguf").write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", "from mdst.cli.compile import main; main()", "x.gguf", "out", "-q"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(mdst.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    class Ended:
        code, out, err = done.returncode, done.stdout, done.stderr

    check_contract(Ended, tmp_path, {"x.gguf"})
    assert done.returncode in CODES[expected]
    if best_tier(["base"]) is None and done.returncode == 0:
        assert "kernels are not checked" in done.stderr
