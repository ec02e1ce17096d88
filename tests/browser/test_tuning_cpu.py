"""A small model runs on the CPU where that is faster than the GPU: found out once, in a worker. The
GPU is SwiftShader, which says that it is a real one."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import wasmtime

from mdst.bundle.reader import Bundle
from mdst.hosts.generate import generate
from mdst.hosts.host import Host, Request
from mdst.sampling import SamplingParams

if TYPE_CHECKING:
    from playwright.sync_api import Page

SLOW = """(module
  (import "env" "memory" (memory {pages}))
  (func $spin (export "decode") (local $i i32)
    (loop $more
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $i) (i32.const 100000000))))))
"""
"""A module that takes tens of milliseconds for a token, and has no other program."""


@pytest.fixture(scope="module")
def bundle(compiled: Callable[..., Bundle], tiny_model: Callable[..., Path]) -> Bundle:
    return compiled(tiny_model(), kv="f32", context=64, chunk=8)


@pytest.fixture
def with_modules(
    bundle: Bundle, hollow: Callable[..., Path], tmp_path: Path
) -> Callable[[str], Path]:
    """`with_modules(wat)`: a copy of the bundle whose kernels do nothing, with these modules: wat
    with {pages} replaced, or what is no module at all."""

    def make(wat: str) -> Path:
        out = tmp_path / "out"
        shutil.copytree(hollow(bundle), out)
        manifest = Bundle.open(out, check=False).manifest
        modules = []
        for module in manifest.wasm:
            text = wat.replace("{pages}", str(module.pages))
            data = bytes(wasmtime.wat2wasm(text)) if "module" in text else text.encode()
            (out / module.file).write_bytes(data)
            hash = hashlib.sha256(data).hexdigest()
            modules.append(replace(module, size=len(data), sha256=hash))
        (out / "manifest.json").write_text(replace(manifest, wasm=modules).to_json())
        return out

    return make


def asked_for(page: Page, options: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """The stats of a load, and the names of the files that it fetched."""
    asked: set[str] = set()
    page.context.on("request", lambda request: asked.add(request.url.split("/")[-1]))
    stats: dict[str, Any] = page.evaluate(
        "options => start({ device: 'auto', ...options })", options
    )
    return stats, asked


def test_the_cpu_where_it_is_faster(
    bundle: Bundle,
    hollow: Callable[..., Path],
    serve: Callable[..., str],
    open_page: Callable[..., Page],
    host_of: Callable[[Bundle, str], Host],
) -> None:
    """Than SwiftShader, a GPU on the same CPU, even when its kernels do nothing."""
    page = open_page(serve(hollow(bundle), csp=True), hardware=True)
    stats, _ = asked_for(page, {"profile": "again", "threads": 1})
    tuning = stats["tuning"]
    assert (stats["device"], stats["tier"], stats["threads"]) == ("wasm", "relaxed", 1)
    assert stats["adapter"] is None
    assert (tuning["source"], tuning["tier"]) == ("measured", "relaxed")
    times = {(t["tier"], t["program"]): t["microseconds"] for t in tuning["times"]}
    own = times.pop(("relaxed", "decode"))
    assert 0 < own < 0.95 * min(times.values())
    assert stats["load"]["timing_seconds"] >= tuning["milliseconds"] / 1000

    host = host_of(bundle, "wasm-relaxed")
    host.start(Request(SamplingParams(seed=4)))
    expected = list(chain.from_iterable(generate(host, [5, 6, 7], 20, 8)))
    request = {"prompt": [5, 6, 7], "seed": 4, "max_tokens": 20, "ignore_eos": True}
    answer = page.evaluate("request => create(request)", request)
    assert answer["choices"][0]["tokens"] == expected

    again, asked = asked_for(page, {"threads": 1})
    assert again["tuning"] == {**tuning, "source": "kept"}
    assert (again["device"], again["tier"]) == ("wasm", "relaxed")
    assert again["load"]["timing_seconds"] == 0
    assert not any(name.endswith(".wgsl") for name in asked)
    answer = page.evaluate("request => create(request)", request)
    assert answer["choices"][0]["tokens"] == expected

    gpu, asked = asked_for(page, {"device": "webgpu"})
    assert (gpu["device"], gpu["tuning"]["source"]) == ("webgpu", "measured")
    assert not any(name.endswith(".wasm") for name in asked)


def test_the_gpu_where_it_is_faster(
    with_modules: Callable[[str], Path],
    serve: Callable[..., str],
    open_page: Callable[..., Page],
) -> None:
    page = open_page(serve(with_modules(SLOW)), hardware=True)
    stats, asked = asked_for(page, {"profile": "again", "threads": 1})
    assert stats["device"] == "webgpu"
    assert stats["refused"] == []
    times = {t["tier"]: t["microseconds"] for t in stats["tuning"]["times"]}
    assert times["relaxed"] > 10_000
    assert times[stats["tier"]] < times["relaxed"]
    assert "model-relaxed.wasm" in asked
    again, asked = asked_for(page, {"threads": 1})
    assert (again["device"], again["tuning"]["source"]) == ("webgpu", "kept")
    assert not any(name.endswith(".wasm") for name in asked)


def test_a_module_that_fails_is_no_rival(
    with_modules: Callable[[str], Path],
    serve: Callable[..., str],
    open_page: Callable[..., Page],
) -> None:
    page = open_page(serve(with_modules("nothing")), hardware=True)
    stats, _ = asked_for(page, {"profile": "again", "threads": 1})
    assert (stats["device"], stats["tuning"]["source"]) == ("webgpu", "measured")
    assert "relaxed" not in {time["tier"] for time in stats["tuning"]["times"]}
    reasons = {refused["tier"]: refused["reason"] for refused in stats["refused"]}
    assert "does not compile the module relaxed" in reasons["relaxed"]
    assert page.evaluate("create({ prompt: [5], max_tokens: 2, steps: 1 })")
