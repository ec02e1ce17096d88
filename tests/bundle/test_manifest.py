"""manifest.json: there and back, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from mdst.bundle.consistency import check_manifest
from mdst.bundle.manifest import FORMAT, Manifest, parse_manifest
from mdst.bundle.reader import Bundle
from mdst.errors import MalformedError

Compiled = Callable[..., Bundle]
TinyModel = Callable[..., Path]


@pytest.fixture
def manifest(compiled: Compiled, tiny_model: TinyModel) -> Manifest:
    return compiled(tiny_model()).manifest


def test_round_trip(manifest: Manifest) -> None:
    assert parse_manifest(manifest.to_json()) == manifest
    given = replace(manifest, weights_url="https://cdn.example/w/", kv="f32")
    assert parse_manifest(given.to_json()) == given
    assert manifest.to_json().isascii()


def test_what_it_says(manifest: Manifest) -> None:
    assert manifest.format == FORMAT
    assert manifest.model.name == "tiny llama"
    assert (manifest.context.window, manifest.context.chunk) == (128, 128)
    assert [tier.name for tier in manifest.tiers] == ["dp4a", "base", "subgroups", "dp4a32"]
    phases = [(p.name, p.phase, p.tokens) for p in manifest.tiers[0].programs]
    assert phases == [
        ("prefill_64", "prefill", 64),
        ("prefill_128", "prefill", 128),
        ("prefill_logits", "prefill_logits", 128),
        ("decode_short", "decode", 1),
        ("decode", "decode", 1),
        ("decode_logits", "decode_logits", 1),
        ("sample", "sample", 1),
    ]
    assert {b.kind for b in manifest.buffers} == {
        "weights", "kv", "arena", "state", "tokens", "counts", "bias",
    }  # fmt: skip
    assert manifest.limits.maxBufferSize == max(b.size for b in manifest.buffers)
    assert manifest.limits.maxStorageBufferBindingSize == max(v.size for v in manifest.views)


def test_all_references_hold(manifest: Manifest) -> None:
    for view in (*manifest.views, manifest.views[manifest.logits]):
        assert 0 < view.offset + view.size <= manifest.buffers[view.buffer].size
    for tier in manifest.tiers:
        used = {step.kernel for program in tier.programs for step in program.steps}
        assert used == set(range(len(tier.kernels)))
        for program in tier.programs:
            for step in program.steps:
                assert len(step.views) == len(tier.kernels[step.kernel].access)
                assert all(0 <= v < len(manifest.views) for v in step.views)
    programs = [program.name for program in manifest.tiers[0].programs]
    assert [w.programs for w in manifest.weights] == [programs]
    ends = [f.offset + 4 * f.count for f in manifest.state]
    assert [f.offset for f in manifest.state] == [0, *ends[:-1]]


def paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every field of nested data; of lists the first item."""
    items = value.items() if isinstance(value, dict) else enumerate(value[:1])
    for key, inner in items:
        yield (*path, key)
        if isinstance(inner, dict | list):
            yield from paths(inner, (*path, key))


def test_every_missing_or_mistyped_field_is_refused(manifest: Manifest) -> None:
    text = manifest.to_json()
    tried = 0
    for path in paths(asdict(manifest)):
        if path == ("weights_url",):
            continue
        nullable = path[-1] == "subgroup_size"
        wrongs: tuple[Any, ...] = (None, True, 1.5, {}, "drop")
        for wrong in wrongs[nullable:]:
            data = json.loads(text)
            inner = data
            for key in path[:-1]:
                inner = inner[key]
            if wrong == "drop":
                if isinstance(inner, list):
                    continue
                del inner[path[-1]]
            else:
                inner[path[-1]] = wrong
            with pytest.raises(MalformedError):
                parse_manifest(json.dumps(data))
            tried += 1
    assert tried > 200


CONTRADICTIONS: list[tuple[tuple[str | int, ...], Any]] = [
    (("files", 0, "name"), "../../etc/passwd"),
    (("tiers", 0, "wgsl"), "/dev/zero"),
    (("wasm", 0, "file"), "a/../../b"),
    (("weights", 0, "shards", 0, "sha256"), "../secret"),
    (("weights", 0, "shards", 0, "buffer"), 99),
    (("weights", 0, "shards", 0, "buffer"), 2),
    (("weights", 0, "shards", 0, "offset"), -4),
    (("weights", 0, "shards", 0, "size"), 1 << 40),
    (("views", 0, "buffer"), -1),
    (("views", 0, "offset"), 1 << 40),
    (("views", 0, "size"), -(1 << 40)),
    (("logits",), 1 << 20),
    (("buffers", 0, "kind"), "state"),
    (("context", "window"), 0),
    (("context", "chunk"), 0),
    (("model", "vocabulary"), 0),
    (("state", 0, "name"), "other"),
    (("state", 0, "offset"), 1 << 20),
    (("tiers", 0, "programs", 0, "steps", 0, "kernel"), 1 << 20),
    (("tiers", 0, "programs", 0, "steps", 0, "views"), []),
    (("tiers", 0, "programs", 0, "steps", 0, "views", 0), -1),
    (("tiers", 0, "programs", 0, "steps", 0, "grid"), [1]),
    (("tiers", 0, "programs", -1, "phase"), "other"),
    (("wasm", 0, "pages"), 1),
    (("wasm", 0, "weights"), []),
    (("wasm", 0, "logits"), 1 << 40),
    (("wasm", 0, "team"), -1),
]


@pytest.mark.parametrize(("path", "value"), CONTRADICTIONS)
def test_contradictions_are_refused(
    manifest: Manifest, path: tuple[str | int, ...], value: Any
) -> None:
    check_manifest(manifest)
    data = json.loads(manifest.to_json())
    inner = data
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    changed = parse_manifest(json.dumps(data))
    with pytest.raises(MalformedError, match=r"^manifest\.json contradicts itself") as error:
        check_manifest(changed)
    assert error.value.id == "MANIFEST004"


@pytest.mark.parametrize(
    ("text", "id"),
    [
        ("", "MANIFEST002"),
        ("{", "MANIFEST002"),
        ("[]", "MANIFEST001"),
        ("null", "MANIFEST001"),
        ("{}", "MANIFEST001"),
        ('{"format": 1}', "MANIFEST001"),
        ('{"format": 2}', "MANIFEST002"),
    ],
)
def test_other_texts_are_refused(text: str, id: str) -> None:
    with pytest.raises(MalformedError) as error:
        parse_manifest(text)
    assert error.value.id == id


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(MalformedError):
        parse_manifest("[" * 100_000)
