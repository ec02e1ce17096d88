"""Texts drawn at random from the masks of constrained decoding, over real vocabularies, judged by
the package jsonschema."""

from __future__ import annotations

import json
import lzma
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from mdst.gguf import read_gguf
from mdst.text import Vocabulary, compact

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tests/runtime_js/grammar/draw.js"
COUNT = 100
MOST_MASK_MS = 250.0
"""On a busy machine; the median is a tenth of a millisecond at most, see below."""


@pytest.mark.parametrize(
    "file",
    [
        "goldens/vocabs/llama-bpe.gguf.xz",
        "goldens/vocabs/llama-spm.gguf.xz",
        "goldens/models/llama-tiny.IQ1_M.gguf",
    ],
)
def test_drawn_texts_fit_their_schemas(
    file: str, shared: Path, tmp_path: Path, rng: np.random.Generator
) -> None:
    result = _draw(_vocabulary(shared / file, tmp_path), int(rng.integers(2**31)))
    assert len(result["drawn"]) == COUNT
    for drawn in result["drawn"]:
        jsonschema.Draft202012Validator.check_schema(drawn["schema"])
        jsonschema.validate(json.loads(drawn["text"]), drawn["schema"])
        assert drawn["tokens"] <= drawn["budget"]
    assert [refused for refused in result["encoded"] if refused is not None] == []
    print(file, {name: result[name] for name in ("size", "table_ms", "mask_ms")})
    assert result["mask_ms"]["median"] <= 1
    assert result["mask_ms"]["most"] <= MOST_MASK_MS


def _vocabulary(path: Path, folder: Path) -> Path:
    """The vocabulary of a GGUF file, as a bundle has it."""
    if path.suffix == ".xz":
        unpacked = folder / path.stem
        unpacked.write_bytes(lzma.decompress(path.read_bytes()))
        path = unpacked
    out = folder / "vocabulary.bin"
    with read_gguf(path) as file:
        out.write_bytes(compact(Vocabulary.from_metadata(file.metadata)))
    return out


def _draw(vocabulary: Path, seed: int) -> Any:
    beside = Path(sys.executable).with_name("deno")
    deno = shutil.which("deno") or (str(beside) if beside.exists() else None)
    if deno is None:
        pytest.skip("needs deno (the PyPI package of that name)")
    flags = ["run", "--no-config", "--no-remote", f"--allow-read={vocabulary},{ROOT}"]
    command = [deno, *flags, str(SCRIPT), str(vocabulary), str(COUNT), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
