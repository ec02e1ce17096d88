"""A GPU in software, as a browser has without a real one: the CPU runs the model if it can."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mdst.bundle.reader import Bundle
from mdst.hosts.generate import generate
from mdst.hosts.host import Host, Request
from mdst.sampling import SamplingParams

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

STORYTELLER = Path(__file__).parents[2] / "examples/storyteller/storyteller.gguf"
AUTO = "options => start({ device: 'auto', ...options })"
FORETOLD = "options => ability({ device: 'auto', ...options })"
NO_WASM = "delete globalThis.WebAssembly;"
NO_MEMORY = "WebAssembly.Memory = function () { throw new RangeError('no'); };"


@pytest.fixture(scope="module")
def bundle(compiled: Callable[..., Bundle], tiny_model: Callable[..., Path]) -> Bundle:
    return compiled(tiny_model(), kv="f32", context=32, chunk=8)


@pytest.fixture
def opened(
    bundle: Bundle,
    hollow: Callable[..., Path],
    serve: Callable[..., str],
    open_page: Callable[..., Page],
) -> Callable[..., Page]:
    return lambda before="", **how: open_page(serve(hollow(bundle)), before, **how)


def both(page: Page, options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a load is foretold to be, and what it is; they agree."""
    ability = page.evaluate(FORETOLD, options)
    stats = page.evaluate(AUTO, options)
    assert ability["ok"]
    assert ability["problems"] == ability["refused"] == []
    for name in ("device", "tier", "threads", "notice", "memory"):
        assert ability[name] == stats[name], name
    return ability, stats


def test_the_cpu_runs_the_model(
    bundle: Bundle, opened: Callable[..., Page], host_of: Callable[[Bundle, str], Host]
) -> None:
    page = opened()
    asked: list[str] = []
    page.context.on("request", lambda request: asked.append(request.url.split("/")[-1]))
    ability, stats = both(page, {"threads": 1})
    assert (stats["device"], stats["tier"], stats["worker"]) == ("wasm", "relaxed", True)
    assert ability["adapter"]["fallback"] is True
    assert stats["adapter"] is stats["tuning"] is None
    assert stats["refused"] == []
    assert stats["notice"].endswith("no GPU but a slow one in software.")
    assert "\n" not in stats["notice"]
    assert not any(name.endswith((".wgsl", "gpu.js", "answers.json")) for name in asked)

    host = host_of(bundle, "wasm-relaxed")
    host.start(Request(SamplingParams(seed=4)))
    expected = list(chain.from_iterable(generate(host, [5, 6, 7], 12, 8)))
    request = {"prompt": [5, 6, 7], "seed": 4, "max_tokens": 12, "ignore_eos": True}
    answer = page.evaluate("request => create(request)", request)
    assert answer["choices"][0]["tokens"] == expected


def test_all_that_makes_it_slow_is_told(opened: Callable[..., Page]) -> None:
    _, stats = both(opened(isolated=False), {"threads": 2})
    assert (stats["device"], stats["threads"]) == ("wasm", 1)
    assert "in software. The model runs on one thread: " in stats["notice"]


@pytest.mark.parametrize("options", [{"device": "webgpu"}, {"tier": "base"}], ids=str)
def test_it_is_taken_when_it_is_asked_for(
    opened: Callable[..., Page], options: dict[str, Any]
) -> None:
    page = opened()
    ability = page.evaluate(FORETOLD, options)
    stats = page.evaluate(AUTO, options)
    assert ability["device"] == stats["device"] == "webgpu"
    assert stats["adapter"] == ability["adapter"]
    assert stats["adapter"]["fallback"] is True
    assert ability["notice"] is stats["notice"] is None


def test_a_real_one_is_taken(opened: Callable[..., Page]) -> None:
    page = opened(hardware=True)
    assert page.evaluate(FORETOLD, {})["device"] == "webgpu"
    stats = page.evaluate(AUTO, {"profile": False})
    assert (stats["device"], stats["notice"]) == ("webgpu", None)
    assert stats["adapter"]["fallback"] is False


def test_a_bundle_without_modules(
    bundle: Bundle,
    hollow: Callable[..., Path],
    serve: Callable[..., str],
    open_page: Callable[..., Page],
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    shutil.copytree(hollow(bundle), out)
    manifest = Bundle.open(out, check=False).manifest
    (out / "manifest.json").write_text(replace(manifest, wasm=[], wasm_cuts=[]).to_json())
    page = open_page(serve(out))
    assert page.evaluate(FORETOLD, {})["device"] == "webgpu"
    stats = page.evaluate(AUTO, {})
    assert (stats["device"], stats["notice"], stats["refused"]) == ("webgpu", None, [])


def test_a_browser_without_webassembly(opened: Callable[..., Page]) -> None:
    page = opened(NO_WASM)
    assert page.evaluate(FORETOLD, {})["device"] == "webgpu"
    stats = page.evaluate(AUTO, {"worker": False})
    assert (stats["device"], stats["notice"], stats["refused"]) == ("webgpu", None, [])


def test_a_cpu_that_gets_no_memory_is_let_go(opened: Callable[..., Page]) -> None:
    page = opened(NO_MEMORY)
    stats = page.evaluate(AUTO, {"worker": False})
    assert (stats["device"], stats["notice"]) == ("webgpu", None)
    [refused] = stats["refused"]
    assert refused["tier"] == "relaxed"
    assert "bytes of memory" in refused["reason"]
    assert page.evaluate("create({ prompt: [5], max_tokens: 2, steps: 1 })")
    failure = page.evaluate("failure(() => start({ device: 'wasm', worker: false }))")
    assert failure["code"] == "out_of_memory"


def test_the_page_says_so(
    compiled: Callable[..., Bundle], serve: Callable[..., str], chromium: Browser
) -> None:
    """As it ships, with nothing asked for."""
    context = chromium.new_context()
    try:
        page = context.new_page()
        console: list[str] = []
        page.on("console", lambda message: console.append(f"{message.type} {message.text}"))
        page.goto(serve(compiled(STORYTELLER).path, csp=True))
        page.locator("#send:enabled").wait_for(timeout=60_000)
        assert page.evaluate("navigator.gpu.requestAdapter().then(Boolean)")
        notice = page.locator("#notice").inner_text()
        page.fill("#ask", "Tell me a story about a fox.")
        page.press("#ask", "Enter")
        page.locator(".assistant .actions", has_text="tokens/s").wait_for(timeout=60_000)
        page.click("#open-panel")
        facts = page.locator("#stats").inner_text()
    finally:
        context.close()
    assert (
        notice == "The model runs on the CPU: the browser offers no GPU but a slow one in software."
    )
    assert "CPU" in facts
    assert "GPU memory" not in facts
    assert [line for line in console if line.startswith(("error", "warning"))] == []
