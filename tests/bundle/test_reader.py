"""Opening a bundle, whole or broken; graph.json."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from mdst.bundle.graph_file import parse_graph
from mdst.bundle.reader import KERNEL_MARK, Bundle
from mdst.errors import CannotReadError, MalformedError, UsageError
from mdst.gguf import read_gguf
from mdst.graph.text import text
from mdst.models.decoder import Model
from mdst.text import Vocabulary

Compiled = Callable[..., Bundle]
TinyModel = Callable[..., Path]


@pytest.fixture
def bundle(compiled: Compiled, tiny_model: TinyModel) -> Bundle:
    return compiled(tiny_model())


@pytest.fixture
def copy(bundle: Bundle, tmp_path: Path) -> Path:
    return copytree(bundle.path, tmp_path / "out")


def test_vocabulary_and_graph_are_those_of_the_file(
    bundle: Bundle, tiny_model: TinyModel, model_of: Callable[..., Model]
) -> None:
    with read_gguf(tiny_model()) as file:
        assert bundle.vocabulary() == Vocabulary.from_metadata(file.metadata)
    graph, _ = parse_graph(bundle.text("graph.json"))
    assert text(graph) == text(model_of().graph)


def test_kernels_are_in_the_manifests_order(bundle: Bundle) -> None:
    for tier in bundle.manifest.tiers:
        assert bundle.tier(tier.name) is tier
        kernels = bundle.kernels(tier)
        assert [k.name for k in kernels] == [k.name for k in tier.kernels]
        assert [k.access for k in kernels] == [k.access for k in tier.kernels]
        assert all("fn main(" in k.wgsl and "//! kernel" not in k.wgsl for k in kernels)
        assert all(f"@binding({len(k.access) - 1})" in k.wgsl for k in kernels)


def test_an_unknown_tier_is_a_usage_error(bundle: Bundle) -> None:
    with pytest.raises(
        UsageError, match=r"'nope' \(there are: dp4a, base, subgroups, dp4a32\)"
    ) as error:
        bundle.tier("nope")
    assert error.value.id == "OPEN002"


@pytest.mark.parametrize("name", ["empty", "file"])
def test_what_is_no_bundle(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(UsageError) as error:
        Bundle.open(tmp_path / name)
    assert error.value.id == "OPEN001"


def test_nothing_at_all_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CannotReadError, match="nothing': there is no such folder"):
        Bundle.open(tmp_path / "nothing")


def test_weights_may_lie_elsewhere(copy: Path, tmp_path: Path) -> None:
    (copy / "weights").rename(tmp_path / "far")
    with pytest.raises(CannotReadError):
        list(Bundle.open(copy).shards())
    assert list(Bundle.open(copy, tmp_path / "far").shards())


@pytest.mark.parametrize("name", ["vocabulary.bin", "graph.json", "kernels-base.wgsl"])
def test_a_missing_file_is_named(copy: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (copy / name).unlink()
    monkeypatch.chdir(copy.parent)
    with pytest.raises(MalformedError, match=f"{name}': missing"):
        Bundle.open(Path("out"))
    opened = Bundle.open(Path("out"), check=False)
    with pytest.raises(CannotReadError, match=name) as error:
        opened.vocabulary() if name == "vocabulary.bin" else opened.text(name)
    assert error.value.id == "OPEN004"


def test_a_missing_file_in_a_deep_folder_is_named(copy: Path, tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*(["folder"] * 12))
    deep.mkdir(parents=True)
    out = copy.rename(deep / "out")
    (out / "graph.json").unlink()
    with pytest.raises(CannotReadError, match=r"graph\.json"):
        Bundle.open(out, check=False).text("graph.json")


def test_other_bytes_instead_of_a_manifest(copy: Path) -> None:
    (copy / "manifest.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(MalformedError):
        Bundle.open(copy)


def test_a_missing_kernel_is_named(copy: Path) -> None:
    opened = Bundle.open(copy)
    path = copy / opened.manifest.tiers[0].wgsl
    first = opened.manifest.tiers[0].kernels[0].name
    path.write_text(path.read_text().replace(f"{KERNEL_MARK}{first}\n", KERNEL_MARK))
    with pytest.raises(MalformedError, match=f"has no kernel '{first}'"):
        opened.kernels(opened.manifest.tiers[0])


Change = Callable[[dict[str, Any]], object]
DAMAGE: dict[str, Change] = {
    "no graph": lambda d: d.pop("graph"),
    "no tensors": lambda d: d.pop("tensors"),
    "tensors is a list": lambda d: d.update(tensors=[]),
    "too few numbers": lambda d: d["tensors"].update({"rope.table": [[1, 2]]}),
    "no places": lambda d: d["tensors"].update({"rope.table": 3}),
    "broken graph": lambda d: d["graph"].pop("nodes"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_broken_graph_file_is_refused(bundle: Bundle, name: str) -> None:
    data = json.loads(bundle.text("graph.json"))
    DAMAGE[name](data)
    with pytest.raises(MalformedError):
        parse_graph(json.dumps(data))


@pytest.mark.parametrize("content", ["", "{", "3", "null", "[1]"])
def test_other_texts_are_no_graph_file(content: str) -> None:
    with pytest.raises(MalformedError) as error:
        parse_graph(content)
    assert error.value.id == "MANIFEST003"


def test_a_changed_file_is_refused(copy: Path) -> None:
    path = copy / "kernels-base.wgsl"
    path.write_text(path.read_text().replace("//! kernel ", "//! kernel x", 1))
    with pytest.raises(MalformedError, match=r"kernels-base\.wgsl"):
        Bundle.open(copy)
