"""mdst-compile from a user's side: options, output, refusals."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mdst
from mdst.bundle.reader import Bundle
from mdst.cli.compile import command

TinyModel = Callable[..., Path]
Invoke = Callable[..., Any]
Compile = Callable[..., Any]


@pytest.fixture
def run(invoke: Invoke) -> Compile:
    """`run(*words)`: mdst-compile, which checks nothing on a GPU unless told to."""

    def call(*words: object) -> Any:
        more = () if "--validate" in words or "--verify" in words else ("--validate", "none")
        return invoke(command, "mdst-compile", *words, *more)

    return call


def test_a_compile_tells_what_it_made(run: Compile, tiny_model: TinyModel, tmp_path: Path) -> None:
    done = run(tiny_model(vocabulary=1050), tmp_path / "out")
    assert (done.code, done.err) == (0, "")
    for words in (
        "'tiny llama', llama, 2 layers",
        r"parameters +\d{3},\d{3}",
        r"types +Q8_0 \S+ kB, F32",
        "weights .* in 1 files",
        "context +128 tokens, prompts in chunks of 128",
        "GPU memory .*: .*kv",
        r"decode +14 dispatches per token, \d+ kernels",
        "1 Embed, 9 Projection, 2 RopeAttention",
        "checked +nothing",
        "written",
        r"open the page: mdst-serve \S+\n$",
    ):
        assert re.search(words, done.out), words
    assert Bundle.open(tmp_path / "out").manifest.model.vocabulary == 1050


def test_quiet_says_nothing(run: Compile, tiny_model: TinyModel, tmp_path: Path) -> None:
    done = run(tiny_model(), tmp_path / "out", "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert run("--verify", "-q", tmp_path / "out").out == ""


def test_quiet_does_not_hide_warnings(run: Compile, tiny_model: TinyModel, tmp_path: Path) -> None:
    done = run(tiny_model(extras=("output.bias",)), tmp_path / "out", "-q")
    assert (done.code, done.out) == (0, "")
    assert done.err == "warning: 1 tensor is not used by this architecture: 'output.bias'\n"


def test_options_reach_the_bundle(run: Compile, tiny_model: TinyModel, tmp_path: Path) -> None:
    options = [
        *("--context", 48, "--chunk", 16, "--kv", "f32", "--shard-size", "64K"),
        *("--weights-url", "https://cdn.example/w/", "--jobs", 2, "--max-binding", "96KiB"),
        *("--dump", tmp_path / "dump", "--max-memory", "1M"),
    ]
    assert run(tiny_model(ff=1024), tmp_path / "out", *options).code == 0
    manifest = Bundle.open(tmp_path / "out").manifest
    assert (manifest.context.window, manifest.context.chunk, manifest.kv) == (48, 16, "f32")
    assert manifest.weights_url == "https://cdn.example/w/"
    assert all(s.size <= 64 << 10 for w in manifest.weights for s in w.shards)
    assert len(manifest.wasm_cuts[0].parts) > 1
    labels = [s.label for p in manifest.tiers[0].programs if p.name == "decode" for s in p.steps]
    assert len(labels) > len(set(labels))  # slices
    dumped = {path.name for path in (tmp_path / "dump").iterdir()}
    assert {"plan.txt", "decode-00-input.txt", "kernels-base.wgsl"} < dumped
    assert len([name for name in dumped if name.startswith("prefill-")]) == 7


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["only.gguf"],
        ["a", "b", "c"],
        ["a", "b", "--nope"],
        ["a", "b", "--kv", "f8"],
        ["a", "b", "--context", "many"],
        ["a", "b", "--context", "8"],
        ["a", "b", "--chunk", "0"],
        ["a", "b", "--chunk", "5000"],
        ["a", "b", "--shard-size", "1K"],
        ["a", "b", "--shard-size", "12X"],
        ["a", "b", "--shard-size", "-3"],
        ["a", "b", "--jobs", "0"],
        ["a", "b", "--max-binding", "1G"],
        ["a", "b", "--max-memory", "5G"],
        ["--verify"],
        ["--verify", "a", "b"],
    ],
    ids=" ".join,
)
def test_usage(run: Compile, words: list[str]) -> None:
    done = run(*words)
    assert done.code == 2
    assert done.out == ""
    assert len(re.findall(r"^mdst-compile: error\[\w+\]: ", done.err, re.MULTILINE)) == 1


def test_an_option_out_of_range_says_what_it_must_be(run: Compile) -> None:
    done = run("a", "b", "--context", 8)
    expected = "mdst-compile: error[OPTION001]: --context must be between 16 and 16777215\n"
    assert done.err == expected


def test_verify_finds_any_changed_byte(run: Compile, tiny_model: TinyModel, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(tiny_model(), out)
    done = run("--verify", out)
    files = [path for path in out.rglob("*") if path.is_file()]
    assert (done.code, done.out) == (0, f"{len(files)} files are what they should be\n")
    for path in files:
        content = path.read_bytes()
        changed = bytearray(content)
        changed[len(content) // 2] ^= 4
        path.write_bytes(changed)
        done = run("--verify", out)
        assert done.code == 4, path
        assert done.err.startswith("mdst-compile: error[BUNDLE00")
        assert path.name in done.err
        path.write_bytes(content)
    (out / "more").write_bytes(b"")
    assert "'more': not in the list" in run("--verify", out).err
    (out / "more").unlink()
    (out / "graph.json").unlink()
    assert "'graph.json': missing" in run("--verify", out).err


def test_what_is_not_ours_is_not_replaced(
    run: Compile, tiny_model: TinyModel, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "letter.txt").write_text("dear")
    done = run(tiny_model(), out)
    assert done.code == 2
    assert "error[WRITE001]" in done.err
    assert "--force" in done.err
    assert [path.name for path in out.iterdir()] == ["letter.txt"]
    done = run(tiny_model(), out, "--force")
    assert done.code == 0
    assert "moved aside" in done.out
    assert (tmp_path / "out.old-1/letter.txt").read_text() == "dear"
    # A bundle of ours is replaced without asking.
    assert run(tiny_model("qwen3"), out).code == 0
    assert Bundle.open(out).manifest.model.architecture == "qwen3"


@pytest.mark.parametrize("place", ["nothing.gguf", "folder", "fifo"])
def test_input_that_cannot_be_read(run: Compile, tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    done = run(tmp_path / place, tmp_path / "out")
    assert done.code == 3
    assert place in done.err
    assert not (tmp_path / "out").exists()


def test_output_that_cannot_be_written(run: Compile, tiny_model: TinyModel, tmp_path: Path) -> None:
    done = run(tiny_model(), tmp_path / "no/such/folder/out")
    assert done.code == 6
    assert "error[WRITE003]" in done.err


def test_a_dump_into_a_file(run: Compile, tiny_model: TinyModel, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert run(tiny_model(), tmp_path / "out", "--dump", tmp_path / "file").code == 2


def test_a_dump_that_cannot_be_written(run: Compile, tiny_model: TinyModel, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert run(tiny_model(), tmp_path / "out", "--dump", tmp_path / "file/below").code == 6


def test_a_failing_compile_leaves_the_old_bundle(
    run: Compile, tiny_model: TinyModel, tmp_path: Path
) -> None:
    out, broken = tmp_path / "out", tmp_path / "broken.gguf"
    run(tiny_model(), out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    broken.write_bytes(tiny_model().read_bytes()[:-1000])
    done = run(broken, out)
    assert done.code == 4
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert run("--verify", out).code == 0


def test_as_a_program(tiny_model: TinyModel, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from mdst.cli.compile import main; main()",
            str(tiny_model()),
            "out",
            "-q",
            "--validate",
            "none",
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(mdst.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "out/manifest.json").exists()
