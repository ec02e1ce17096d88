"""Chromium without 64-bit memory: a model that is cut by layers runs in several 32-bit memories."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mdst.bundle.reader import Bundle
from mdst.hosts.choose import open_wasm
from mdst.hosts.generate import generate
from mdst.hosts.host import Request
from mdst.sampling import SamplingParams

if TYPE_CHECKING:
    from playwright.sync_api import Page

NO_MEMORY64 = """
  const validate = WebAssembly.validate;
  WebAssembly.validate = (bytes) => bytes.length !== 13 && validate(bytes); // 64-bit memory's probe
"""
SMALL = 2 << 20
"""Bytes of a memory: below what the model needs."""
CUTS = ["base-cut", "relaxed-cut", "base-threads-cut", "relaxed-threads-cut"]
PROMPT = [int(id) for id in np.random.default_rng(6).integers(0, 300, 21)]
REQUEST = {"prompt": PROMPT, "ignore_eos": True, "max_tokens": 40, "seed": 5, "temperature": 0.9}
"""Past the end of the context."""


@pytest.fixture(scope="module")
def bundle(compiled: Callable[..., Bundle], tiny_model: Callable[..., Path]) -> Bundle:
    path = tiny_model(type="Q4_K", embedding=256, ff=512, head_dim=64, layers=5)
    bundle = compiled(path, kv="f32", context=32, chunk=16, max_memory=SMALL)
    assert [cut.name for cut in bundle.manifest.wasm_cuts if len(cut.parts) > 2] == CUTS
    return bundle


@pytest.fixture(scope="module")
def narrow(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle as it is for workers that have no 64-bit memory."""
    out = tmp_path_factory.mktemp("narrow") / "out"
    shutil.copytree(bundle.path, out)
    manifest = out / "manifest.json"
    text = manifest.read_text()
    assert text.count('"memory64"') == len(bundle.manifest.wasm)
    manifest.write_text(text.replace('"memory64"', '"memory96"'))
    return out


def expected(bundle: Bundle, name: str) -> tuple[list[int], np.ndarray[Any, Any]]:
    """The text of REQUEST, and the logits after its prompt, by the whole module in wasmtime."""
    host = open_wasm(bundle, name, 2 if name.endswith("threads") else 1)
    host.start(Request(SamplingParams(temperature=0.9, seed=5)))
    host.prefill(PROMPT)
    logits = host.logits()
    host.start(Request(SamplingParams(temperature=0.9, seed=5)))
    ids = list(chain.from_iterable(generate(host, PROMPT, 40, 8)))
    host.close()
    return ids, logits


def check(page: Page, bundle: Bundle, name: str) -> None:
    ids, logits = expected(bundle, name)
    packed = page.evaluate("ids => logits(ids, { prefill: true })", PROMPT)
    assert np.array_equal(np.frombuffer(base64.b64decode(packed), "<f4"), logits)
    for steps in (None, 3):
        answer = page.evaluate("request => create(request)", {**REQUEST, "steps": steps})
        assert answer["choices"][0]["tokens"] == ids
    page.evaluate("engines.main.profile()")
    biased = {**REQUEST, "logit_bias": {"7": 100}, "max_tokens": 3, "presence_penalty": 1.0}
    answer = page.evaluate("request => create(request)", biased)
    assert answer["choices"][0]["tokens"] == [7, 7, 7]


def test_in_the_page_itself(
    bundle: Bundle, serve: Callable[..., str], open_page: Callable[..., Page]
) -> None:
    page = open_page(serve(bundle.path), NO_MEMORY64)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.split("/")[-1]))
    options = {"device": "wasm", "worker": False, "threads": 1}
    ability = page.evaluate("options => ability(options)", options)
    [cut] = [cut for cut in bundle.manifest.wasm_cuts if cut.name == "relaxed-cut"]
    assert ability["ok"]
    assert ability["memory"]["total"] == sum(part.pages << 16 for part in cut.parts)
    stats = page.evaluate("options => start(options)", options)
    assert (stats["tier"], stats["threads"]) == ("relaxed-cut", 1)
    assert stats["memory"] == ability["memory"]
    assert {name for name in asked if name.endswith(".wasm")} == {p.file for p in cut.parts}
    check(page, bundle, "relaxed")
    page.evaluate("start({ device: 'wasm', worker: false, tier: 'base-cut' })")
    check(page, bundle, "base")


def test_on_two_threads(
    bundle: Bundle, narrow: Path, serve: Callable[..., str], open_page: Callable[..., Page]
) -> None:
    page = open_page(serve(narrow, csp=True))
    stats = page.evaluate("start({ device: 'wasm', threads: 2 })")
    assert (stats["tier"], stats["threads"], stats["notice"]) == (CUTS[3], 2, None)
    check(page, bundle, "relaxed-threads")


def test_a_layer_that_fits_no_memory_is_refused_before_the_download(
    bundle: Bundle, narrow: Path, tmp_path: Path, serve: Callable[..., str], page_at: Any
) -> None:
    """The compiler has said so, and there is no cut form."""
    out = tmp_path / "out"
    shutil.copytree(narrow, out)
    text = (out / "manifest.json").read_text()
    head, _, rest = text.partition('"wasm_cuts":')
    _, _, tail = rest.partition(',"files":')
    manifest = f'{head}"wasm_cuts":[],"files":{tail}'.replace("memory96", "memory64")
    (out / "manifest.json").write_text(manifest)
    with page_at(serve(out), NO_MEMORY64) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        ability = page.evaluate("ability({ device: 'wasm' })")
        assert not ability["ok"]
        needed = bundle.manifest.wasm[0].pages << 16
        assert f"{needed} bytes" in ability["problems"][0]["message"]
        failure = page.evaluate("failure(() => start({ device: 'wasm', worker: false }))")
        assert failure["code"] == "unsupported_device"
        assert not any("/weights/" in url for url in asked)
