"""mdst-run from a user's side: text, JSON, logits, and bundles that are broken."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest

from mdst.bundle.reader import Bundle
from mdst.cli.run import command
from mdst.codegen.tiers import FLOAT_TIERS
from mdst.hosts.host import Host, Request
from mdst.hosts.wgpu_device import best_tier

Compiled = Callable[..., Bundle]
TinyModel = Callable[..., Path]
HostOf = Callable[[Bundle, str], Host]
Invoke = Callable[..., Any]
Run = Callable[..., Any]


READ = ("manifest.json", "graph.json", "vocabulary.bin")
"""Files that the numpy host reads, beside the weights."""


@pytest.fixture
def bundle(compiled: Compiled, tiny_model: TinyModel) -> Bundle:
    return compiled(tiny_model(), context=32, kv="f32")


@pytest.fixture
def run(invoke: Invoke, bundle: Bundle) -> Run:
    """`run(*words, out=…)`: mdst-run on numpy unless told otherwise."""

    def call(*words: object, out: Path = bundle.path) -> Any:
        more = () if "--host" in words else ("--host", "numpy")
        return invoke(command, "mdst-run", out, *words, *more)

    return call


@pytest.fixture
def copy(bundle: Bundle, tmp_path: Path) -> Path:
    return copytree(bundle.path, tmp_path / "out")


def test_json_has_what_was_generated(run: Run) -> None:
    done = run("--tokens", "5,6,7", "--max-tokens", 9, "--seed", 3, "--ignore-eos", "--json")
    assert (done.code, done.err) == (0, "")
    result = json.loads(done.out)
    assert list(result) == ["text", "tokens", "host", "tier", "timings"]
    assert len(result["tokens"]) == 9
    assert (result["host"], result["tier"]) == ("numpy", None)
    timings = result["timings"]
    assert (timings["prompt_tokens"], timings["decode_tokens"]) == (3, 8)
    assert timings["prefill_seconds"] > 0
    assert timings["decode_seconds"] > 0
    # Without --json, the text alone.
    done = run("--tokens", "5,6,7", "--max-tokens", 9, "--seed", 3, "--ignore-eos")
    assert done.out == result["text"] + "\n"


@pytest.mark.parametrize("tier", FLOAT_TIERS)
def test_hosts_and_tiers_are_chosen(run: Run, tier: str) -> None:
    if best_tier(FLOAT_TIERS) not in FLOAT_TIERS[FLOAT_TIERS.index(tier) :]:
        pytest.skip("no GPU adapter for this tier")
    words = ("--tokens", "5,6,7", "--max-tokens", 9, "--seed", 3, "--ignore-eos", "--json")
    found = json.loads(run(*words, "--host", "wgpu", "--tier", tier).out)
    assert (found["host"], found["tier"]) == ("wgpu", tier)
    assert found["tokens"] == json.loads(run(*words).out)["tokens"]


def test_no_gpu_means_wasm_and_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mdst.hosts.wgpu_device.adapters", list)
    words = ("--tokens", "5", "--max-tokens", 2, "--json")
    done = run(*words, "--host", "auto")
    assert json.loads(done.out)["host"] == "wasm"
    assert done.err == "mdst-run: no GPU adapter was found: running on WASM\n"
    done = run(*words, "--host", "wgpu")
    assert (done.code, done.out) == (5, "")
    assert "error[HOST002]" in done.err


def test_a_text_prompt_gets_its_special_tokens(run: Run, bundle: Bundle) -> None:
    # Byte by byte, after <s> and the space that SentencePiece puts first.
    words = ("--temperature", 0, "--max-tokens", 5, "--json")
    text = run("--prompt", "ab", *words)
    ids = [1, *(byte + 3 for byte in "▁ab".encode())]
    tokens = run(
        "--tokens", ",".join(map(str, ids)), "--temperature", 0, "--max-tokens", 5, "--json"
    )
    assert json.loads(text.out)["timings"]["prompt_tokens"] == len(ids)
    assert json.loads(text.out)["tokens"] == json.loads(tokens.out)["tokens"]


def test_sampling_options_count(run: Run) -> None:
    words = ("--tokens", "5,6,7", "--max-tokens", 12, "--ignore-eos", "--json")
    texts = [
        tuple(json.loads(run(*words, *more).out)["tokens"])
        for more in (
            (),
            ("--seed", 1),
            ("--temperature", 0),
            ("--top-k", 2),
            ("--top-p", 0.1),
            ("--min-p", 0.9),
            ("--temperature", 0, "--repetition-penalty", 1.5),
            ("--temperature", 0, "--presence-penalty", 2.0),
            ("--temperature", 0, "--frequency-penalty", 90),
        )
    ]
    assert len(texts[0]) == 12
    assert len(set(texts)) >= 6
    assert len(set(texts[8])) == 12  # no token comes back
    assert texts[0] == tuple(json.loads(run(*words, "--steps", 3).out)["tokens"])


def test_end_of_the_context(run: Run) -> None:
    words = ("--tokens", "5,6,7", "--max-tokens", 50, "--ignore-eos", "--json")
    assert len(json.loads(run(*words, "--on-full", "stop").out)["tokens"]) == 30
    slid = json.loads(run(*words).out)["tokens"]
    assert len(slid) == 50
    assert slid != json.loads(run(*words, "--sinks", 0).out)["tokens"]


@pytest.mark.parametrize("host_name", ["numpy", "base"])
def test_logits_are_saved(
    run: Run, bundle: Bundle, host_of: HostOf, tmp_path: Path, host_name: str
) -> None:
    host = host_of(bundle, host_name)
    options = ("--host", "numpy") if host_name == "numpy" else ("--host", "wgpu", "--tier", "base")
    rows, last = tmp_path / "rows.npy", tmp_path / "last.npy"
    done = run(
        *("--tokens", "5,6,7,200", "--max-tokens", 0, "--logits", rows, "--prefill-logits", last),
        *options,
    )
    assert (done.code, done.out, done.err) == (0, "\n", "")
    host.start(Request())
    expected = np.stack([host.decode_logits(id) for id in (5, 6, 7, 200)])
    found = np.load(rows)
    assert found.dtype == np.float32
    assert np.array_equal(found, expected)
    assert np.load(last).shape == (300,)
    assert np.allclose(np.load(last), expected[-1], atol=1e-4)


def test_weights_elsewhere(run: Run, copy: Path, tmp_path: Path) -> None:
    (copy / "weights").rename(tmp_path / "far")
    words = ("--tokens", "5", "--max-tokens", 3)
    assert run(*words, out=copy).code == 3
    assert run(*words, "--weights", tmp_path / "far", out=copy).code == 0


@pytest.mark.parametrize(
    ("words", "id"),
    [
        ([], "USAGE"),
        (["--prompt", "a", "--tokens", "1"], "USAGE"),
        (["--tokens", "1", "--steps", "0"], "USAGE"),
        (["--tokens", "1", "--max-tokens", "-1"], "USAGE"),
        (["--tokens", "1", "--host", "cuda"], "USAGE"),
        (["--tokens", "1,x"], "RUN004"),
        (["--tokens", ""], "RUN004"),
        (["--tokens", "300"], "RUN003"),
        (["--tokens", "-5"], "RUN003"),
        (["--tokens", ",".join(["5"] * 33)], "RUN001"),
        (["--tokens", "1", "--sinks", "65"], "RUN005"),
        (["--tokens", "1", "--temperature", "-1"], "SAMPLING001"),
        (["--tokens", "1", "--top-p", "nan"], "SAMPLING001"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else value,
)
def test_usage(run: Run, words: list[str], id: str) -> None:
    done = run(*words)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"mdst-run: error[{id}]: ")


def test_what_is_no_bundle(run: Run, tmp_path: Path) -> None:
    done = run("--tokens", "1", out=tmp_path)
    assert done.code == 2
    assert "is not a compiled model" in done.err


@pytest.mark.parametrize("words", [[], ["--logits", "x.npy"], ["--prefill-logits", "x.npy"]])
def test_a_prompt_without_tokens(
    run: Run, bundle: Bundle, words: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bare = replace(bundle.vocabulary(), add_bos=False)
    monkeypatch.setattr(Bundle, "vocabulary", lambda self: bare)
    monkeypatch.chdir(tmp_path)
    done = run("--prompt", "", *words)
    assert (done.code, done.out) == (2, "")
    assert done.err == "mdst-run: error[RUN002]: the prompt has no tokens\n"
    assert not list(tmp_path.iterdir())


def test_logits_that_cannot_be_saved(run: Run, tmp_path: Path) -> None:
    done = run("--tokens", "1", "--max-tokens", 0, "--logits", tmp_path / "no/such/place.npy")
    assert done.code == 6
    assert "error[RUN006]" in done.err


def test_a_missing_file(run: Run, copy: Path) -> None:
    names = [path for path in copy.rglob("*") if path.is_file()]
    for path in names:
        expected = {"manifest.json": 2, "weights": 3}.get(
            "weights" if path.parent.name == "weights" else path.name, 4
        )
        content = path.read_bytes()
        path.unlink()
        done = run("--tokens", "1", "--max-tokens", 1, out=copy)
        assert done.code == expected, path
        path.write_bytes(content)


def test_damaged_files(run: Run, copy: Path) -> None:
    """Cut short or with another byte: refused as malformed."""
    for path in (*(copy / name for name in READ), *(copy / "weights").iterdir()):
        content = path.read_bytes()
        for damaged in (content[: len(content) // 2], b"", content[:-1] + b"\xff"):
            path.write_bytes(damaged)
            done = run("--tokens", "1", "--max-tokens", 1, out=copy)
            assert done.code == 4, (path, damaged[:20])
            assert len(re.findall("error", done.err)) == 1
            assert "Traceback" not in done.err
        path.write_bytes(content)


Change = Callable[[dict[str, Any]], object]
DAMAGE: dict[str, Change] = {
    "a shard beyond its buffer": lambda m: m["weights"][0]["shards"][0].update(offset=1 << 20),
    "a shard of another size": lambda m: m["weights"][0]["shards"][0].update(size=100),
    "a shard of no buffer": lambda m: m["weights"][0]["shards"][0].update(buffer=99),
    "a buffer of negative size": lambda m: m["buffers"][0].update(size=-4),
    "a chunk of nothing": lambda m: m["context"].update(chunk=0),
    "a cache format of its own": lambda m: m.update(kv="f8"),
    "another vocabulary": lambda m: m["model"].update(vocabulary=7),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_manifest_that_makes_no_sense(run: Run, copy: Path, name: str) -> None:
    path = copy / "manifest.json"
    data = json.loads(path.read_text())
    DAMAGE[name](data)
    path.write_text(json.dumps(data))
    assert run("--tokens", "1", "--max-tokens", 1, out=copy).code == 4
