"""What a compile proves before its result counts, and what it says when it cannot."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import numpy as np
import numpy.typing as npt
import pytest

from mdst.bundle.reader import Bundle
from mdst.codegen.tiers import FLOAT_TIERS
from mdst.compile import compile_model
from mdst.errors import InternalError, UnsupportedError
from mdst.hosts.wgpu_device import best_tier
from mdst.hosts.wgpu_host import WgpuHost
from mdst.options import Options, Validation
from mdst.report import Reporter
from mdst.validate.bundle_check import validate_model
from mdst.validate.whole_model import check_model, expected_rows

Compiled = Callable[..., Bundle]
TinyModel = Callable[..., Path]
LARGE = 1 << 30


class Notes(Reporter):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.phases: list[str] = []
        self.units = 0

    def warn(self, message: str) -> None:
        self.warnings.append(message)

    def about(self, word: str) -> list[str]:
        """Other warnings may come with the platform (no wheel of esbuild-py)."""
        return [warning for warning in self.warnings if word in warning]

    def phase(self, name: str, total: int) -> None:
        self.phases.append(name)
        self.units -= total

    def advance(self, units: int) -> None:
        self.units += units


@pytest.fixture
def gpu() -> None:
    if best_tier(FLOAT_TIERS) is None:
        pytest.skip("no GPU adapter")


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mdst.hosts.wgpu_device.adapters", list)


@pytest.fixture
def copy(compiled: Compiled, tiny_model: TinyModel, tmp_path: Path) -> Bundle:
    return Bundle.open(copytree(compiled(tiny_model(), kv="f32").path, tmp_path / "out"))


def test_a_compile_checks_kernels_and_model(
    tiny_model: TinyModel, tmp_path: Path, gpu: None
) -> None:
    notes = Notes()
    summary = compile_model(tiny_model(), tmp_path / "out", Options(), notes)
    assert notes.phases == [
        *("checking kernels", "checking modules", "packing weights", "checking the whole model"),
    ]
    logits = [each for each in summary.checked if each.startswith("logits in ")]
    assert re.fullmatch(r"\d+ kernels of tier dp4a on .+", summary.checked[0])
    assert re.fullmatch(r"logits in tier \w+ within \S+ of numpy's \(NMSE\)", logits[0])
    assert re.fullmatch(r"logits in model-\S+.wasm within \S+ of numpy's \(NMSE\)", logits[-1])
    assert -256 < notes.units <= 0
    # Results stay outside of the bundle.
    assert all("llvmpipe" not in p.read_text() for p in (tmp_path / "out").glob("*.json"))


@pytest.mark.parametrize(
    ("validate", "weight_bytes", "runs"),
    [("none", 1, False), ("kernels", 1, True), ("kernels", LARGE, False), ("full", LARGE, True)],
)
def test_when_the_whole_model_runs(
    copy: Bundle, gpu: None, validate: Validation, weight_bytes: int, runs: bool
) -> None:
    notes = Notes()
    found = validate_model(copy.path, weight_bytes, Options(validate=validate), notes)
    assert bool(found) == bool(notes.phases) == runs


def test_no_gpu_is_a_warning(tiny_model: TinyModel, tmp_path: Path, no_gpu: None) -> None:
    notes = Notes()
    summary = compile_model(tiny_model(), tmp_path / "out", Options(), notes)
    assert notes.about("GPU") == ["no GPU adapter was found: kernels are not checked"]
    products, *modules = summary.checked
    assert "matrix products of 4 WASM modules" in products
    assert [words.split()[2] for words in modules] == [
        f"model-{name}.wasm" for name in ("base", "relaxed", "base-threads", "relaxed-threads")
    ]
    assert (tmp_path / "out/manifest.json").exists()


def test_what_is_cut_is_checked_too(tiny_model: TinyModel, tmp_path: Path, no_gpu: None) -> None:
    options = Options(max_memory=1 << 20, context=48, chunk=16, kv="f32")
    summary = compile_model(tiny_model(ff=1024), tmp_path / "out", options, Notes())
    parts = sum(len(cut.parts) for cut in summary.manifest.wasm_cuts)
    products, *modules = summary.checked
    assert f"matrix products of {4 + parts} WASM modules" in products
    assert [words.split()[3] for words in modules[4:]] == ["base-cut", "relaxed-cut"]


def test_no_gpu_is_an_error_where_one_is_required(
    tiny_model: TinyModel, tmp_path: Path, no_gpu: None
) -> None:
    with pytest.raises(UnsupportedError) as error:
        compile_model(tiny_model(), tmp_path / "out", Options(require_gpu=True), Notes())
    assert error.value.id == "VALIDATE003"
    assert list(tmp_path.iterdir()) == []


def test_a_tier_that_is_not_here_is_told(
    tiny_model: TinyModel, tmp_path: Path, gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = {"subgroups": "no-such-feature"}
    monkeypatch.setattr("mdst.hosts.wgpu_device._FEATURES", features)
    notes = Notes()
    summary = compile_model(tiny_model(), tmp_path / "out", Options(), notes)
    assert "not the kernels of tier subgroups, which no GPU here can run" in summary.checked
    tiers = [line.split(" within ")[0] for line in summary.checked if "logits in tier" in line]
    assert tiers == ["logits in tier dp4a", "logits in tier base"]


def rows(bundle: Bundle) -> list[npt.NDArray[np.float32]]:
    found = expected_rows(bundle)
    assert found is not None
    return found


def test_wrong_logits_are_found(copy: Bundle, gpu: None) -> None:
    """The witness reads another attention scale than the kernels have."""
    path = copy.path / "graph.json"
    data = json.loads(path.read_text())
    for node in data["graph"]["nodes"]:
        if node["op"]["class"] == "Attention":
            node["op"]["scale"] *= 1.5
    path.write_text(json.dumps(data))
    with pytest.raises(InternalError, match="logits in tier base are off by") as error:
        check_model(copy, WgpuHost(copy, "base"), rows(copy))
    assert error.value.id == "VALIDATE002"


@pytest.mark.parametrize("row", range(4))
def test_logits_that_are_no_numbers_are_found(
    copy: Bundle,
    gpu: None,
    row: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right = WgpuHost.decode_logits
    calls: list[int] = []

    def wrong(self: WgpuHost, token: int) -> npt.NDArray[np.float32]:
        calls.append(token)
        logits = right(self, token)
        return np.full_like(logits, np.nan) if len(calls) == row + 1 else logits

    monkeypatch.setattr(WgpuHost, "decode_logits", wrong)
    with pytest.raises(InternalError):
        check_model(copy, WgpuHost(copy, "base"), rows(copy))


def test_nothing_is_written_when_a_check_fails(
    tiny_model: TinyModel, tmp_path: Path, gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mdst.validate.whole_model._BOUND", {"f16": 1e-30})
    with pytest.raises(InternalError) as error:
        compile_model(tiny_model(), tmp_path / "out", Options(), Notes())
    assert error.value.id == "VALIDATE002"
    assert list(tmp_path.iterdir()) == []
