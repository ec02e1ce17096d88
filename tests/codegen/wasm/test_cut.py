"""Models cut by layers: the parts together are the model, and each of them is small enough."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mdst.bundle.manifest import WasmCut
from mdst.bundle.reader import Bundle
from mdst.codegen.wasm.cut import units
from mdst.compile import compile_model
from mdst.gguf import read_gguf
from mdst.hosts.choose import open_wasm
from mdst.hosts.generate import generate
from mdst.hosts.host import END, Host, Request
from mdst.models.config import ModelConfig
from mdst.models.decoder import build_model
from mdst.options import Options
from mdst.programs import plan_programs, wasm_graphs
from mdst.report import Reporter
from mdst.sampling import SamplingParams

Compiled = Callable[..., Bundle]
TinyModel = Callable[..., Path]

SHAPE: dict[str, Any] = {"type": "Q4_K", "embedding": 256, "ff": 512, "head_dim": 64, "layers": 5}
OPTIONS: dict[str, Any] = {"kv": "f32", "chunk": 16, "context": 32}
SMALL = 2 << 20
"""Below what the model needs: about three parts."""
PROMPT = [int(id) for id in np.random.default_rng(5).integers(0, 300, 21)]
"""More than one run of prefill."""
FORMS = ["base", "relaxed", "base-threads", "relaxed-threads"]


def logits(host: Host) -> list[np.ndarray[Any, Any]]:
    """After a prompt, and after each of two tokens that follow it."""
    host.start(Request())
    host.prefill(PROMPT)
    rows = [host.logits()]
    return rows + [host.decode_logits(id) for id in (3, 299)]


@pytest.mark.parametrize("form", FORMS)
def test_logits_are_those_of_the_whole_module_to_the_bit(
    compiled: Compiled, tiny_model: TinyModel, form: str
) -> None:
    """The whole one has 64-bit addresses, the parts have not."""
    bundle = compiled(tiny_model(**SHAPE), max_memory=SMALL, **OPTIONS)
    threads = 2 if form.endswith("threads") else 1
    whole, parts = (open_wasm(bundle, name, threads) for name in (form, f"{form}-cut"))
    assert "memory64" in whole.module.features
    assert "memory64" not in parts.module.features
    for mine, theirs in zip(logits(parts), logits(whole), strict=True):
        assert np.isfinite(mine).all()
        assert np.array_equal(mine, theirs)
    whole.close()
    parts.close()


@pytest.mark.parametrize("steps", [1, 7])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_text_is_that_of_the_whole_module(
    compiled: Compiled, tiny_model: TinyModel, temperature: float, steps: int
) -> None:
    """Past the end of the context, where the first tokens stay in sight, and with penalties."""
    bundle = compiled(tiny_model(**SHAPE), max_memory=SMALL, **OPTIONS)
    sampling = SamplingParams(temperature=temperature, seed=9, repetition_penalty=1.2)
    texts = []
    for name in ("base", "base-cut"):
        host = open_wasm(bundle, name)
        host.start(Request(sampling))
        texts.append(list(chain.from_iterable(generate(host, PROMPT, 40, steps))))
    assert len(texts[0]) == 40
    assert texts[0] == texts[1]


def test_end_tokens_end_it(compiled: Compiled, tiny_model: TinyModel) -> None:
    bundle = compiled(tiny_model(**SHAPE), max_memory=SMALL, **OPTIONS)
    host = open_wasm(bundle, "base-cut")
    greedy = SamplingParams(temperature=0)
    host.start(Request(greedy))
    free = list(chain.from_iterable(generate(host, PROMPT, 12, 4)))
    stop = free[9]
    host.start(Request(greedy, end_ids=(stop,)))
    ended = list(chain.from_iterable(generate(host, PROMPT, 12, 4)))
    assert ended == free[: free.index(stop)]
    assert host.done == END


@pytest.mark.parametrize("tied", [False, True])
def test_parts_hold_every_layer_and_weight_within_their_memory(
    compiled: Compiled, tiny_model: TinyModel, tied: bool
) -> None:
    bundle = compiled(tiny_model(**SHAPE, tied=tied), max_memory=SMALL, **OPTIONS)
    manifest = bundle.manifest
    assert [cut.name for cut in manifest.wasm_cuts] == [f"{form}-cut" for form in FORMS]
    size = next(buffer.size for buffer in manifest.buffers if buffer.kind == "weights")
    for cut in manifest.wasm_cuts:
        assert len(cut.parts) > 1
        assert (cut.parts[0].first, cut.parts[-1].end) == (0, SHAPE["layers"])
        assert all(a.end == b.first for a, b in pairwise(cut.parts))
        assert [bool(part.entry) for part in cut.parts] == [i > 0 for i in range(len(cut.parts))]
        seen = np.zeros(size, np.uint8)
        for part in cut.parts:
            assert part.pages << 16 <= SMALL
            assert part.size == len(bundle.wasm(part))
            for place in part.places:
                assert place.address + place.size <= part.pages << 16
                seen[place.offset : place.offset + place.size] += 1
            addresses = sorted((place.address, place.size) for place in part.places)
            assert all(a + n <= b for (a, n), (b, _) in pairwise(addresses))
        gaps = np.flatnonzero(seen == 0)
        assert gaps.size < 256 * len(cut.parts)  # between regions
        if tied:
            assert seen[0] > 1  # the table is in the first part and in the last


def test_only_the_last_part_samples(compiled: Compiled, tiny_model: TinyModel) -> None:
    bundle = compiled(tiny_model(**SHAPE), max_memory=SMALL, **OPTIONS)
    cut: WasmCut = bundle.manifest.wasm_cuts[0]
    exported = [b"\x06sample" in bundle.wasm(part) for part in cut.parts]
    assert exported == [False] * (len(cut.parts) - 1) + [True]


def test_a_unit_is_the_embedding_a_layer_or_the_output_matrix(tiny_model: TinyModel) -> None:
    with read_gguf(tiny_model(**SHAPE)) as file:
        graph = build_model(file, ModelConfig.from_gguf(file), 128).graph
    found = units(wasm_graphs(graph), plan_programs(graph, Options(), 128))
    assert [unit.name for unit in found] == [
        "the embedding",
        *(f"layer {i}" for i in range(SHAPE["layers"])),
        "the output matrix",
    ]


class Warnings(Reporter):
    def __init__(self) -> None:
        self.said: list[str] = []

    def warn(self, message: str) -> None:
        self.said.append(message)


def test_a_layer_that_does_not_fit_is_told_with_numbers(
    tiny_model: TinyModel, tmp_path: Path
) -> None:
    """The module with 64-bit addresses is there all the same."""
    notes = Warnings()
    options = Options(validate="none", max_memory=1 << 19, **OPTIONS)
    manifest = compile_model(tiny_model(**SHAPE), tmp_path / "out", options, notes).manifest
    (said,) = notes.said
    assert f"{', '.join(FORMS)}: layer 0 alone needs " in said
    assert said.endswith(f"has at most {1 << 19}")
    assert manifest.wasm_cuts == []
    assert all("memory64" in module.features for module in manifest.wasm)


def test_each_form_by_its_own_need(tiny_model: TinyModel, tmp_path: Path) -> None:
    """Memory of one thread's work for each of 16 is too much here."""
    notes = Warnings()
    options = Options(validate="none", max_memory=(1 << 20) + (1 << 16), **OPTIONS)
    manifest = compile_model(tiny_model(**SHAPE), tmp_path / "out", options, notes).manifest
    assert [cut.name for cut in manifest.wasm_cuts] == ["base-cut", "relaxed-cut"]
    (said,) = notes.said
    assert "cannot run base-threads, relaxed-threads: " in said


def test_what_fits_is_not_cut(compiled: Compiled, tiny_model: TinyModel) -> None:
    assert compiled(tiny_model()).manifest.wasm_cuts == []
