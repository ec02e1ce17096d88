"""The example model without a GPU: the page as it ships, and the same texts on every device."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mdst.bundle.reader import Bundle
from mdst.hosts.generate import generate
from mdst.hosts.host import Host, Request
from mdst.sampling import SamplingParams
from mdst.text import Tokenizer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

MODEL = Path(__file__).parents[2] / "examples/storyteller/storyteller.gguf"
FLAGS = ["--headless=new", "--no-sandbox", "--no-first-run", "--disable-features=WebGPU,Vulkan"]
PROMPT = "Once upon a time"


@pytest.fixture(scope="module")
def bundle(compiled: Callable[..., Bundle]) -> Bundle:
    return compiled(MODEL, kv="f32", context=128)


@pytest.fixture(scope="module")
def plain(chromium: Browser) -> Iterator[Browser]:
    """A browser that has no WebGPU, as it comes."""
    browser = chromium.browser_type.launch(executable_path=shutil.which("chromium"), args=FLAGS)
    yield browser
    browser.close()


def request(prompt: list[int], **more: Any) -> dict[str, Any]:
    return {"prompt": prompt, "max_tokens": 40, "ignore_eos": True, **more}


def test_the_same_texts_on_every_device(
    bundle: Bundle,
    host_of: Callable[[Bundle, str], Host],
    serve: Callable[..., str],
    page_at: Callable[..., AbstractContextManager[Page]],
) -> None:
    """Greedy on wgpu, WASM and numpy; drawn by one seed on WebGPU and WASM, in float32."""
    tokenizer = Tokenizer(bundle.vocabulary())
    prompt = tokenizer.encode(PROMPT, add_special=True, parse_special=False)
    greedy = []
    for name in ("base", "numpy", "wasm-base", "wasm-base-threads-2"):
        host = host_of(bundle, name)
        host.start(Request(SamplingParams(temperature=0)))
        greedy.append(list(chain.from_iterable(generate(host, prompt, 40, 8))))
    drawn = request(prompt, temperature=0.9, top_p=0.95, seed=20)
    with page_at(serve(bundle.path)) as page:
        texts = []
        for options in (
            {"device": "webgpu", "tier": "base"},
            {"device": "wasm", "tier": "base"},
            {"device": "wasm", "tier": "base-threads", "threads": 2},
        ):
            assert page.evaluate("o => start(o)", options)["device"] == options["device"]
            choices = page.evaluate("r => create(r)", request(prompt, temperature=0))["choices"]
            greedy.append(choices[0]["tokens"])
            assert choices[0]["text"] == tokenizer.decode_text(greedy[0])
            texts.append(page.evaluate("r => create(r)", drawn)["choices"][0]["text"])
            page.evaluate("engines.main.unload()")
    assert all(ids == greedy[0] for ids in greedy)
    assert len(greedy[0]) == 40
    assert texts == [texts[0]] * 3
    assert len(texts[0]) > 40


@pytest.mark.parametrize("isolated", [True, False])
def test_the_page_without_webgpu(
    bundle: Bundle, serve: Callable[..., str], plain: Browser, *, isolated: bool
) -> None:
    url = serve(bundle.path, csp=True)
    context = plain.new_context()
    page = context.new_page()
    console: list[str] = []
    page.on("console", lambda message: console.append(f"{message.type} {message.text}"))
    if not isolated:

        def bare(route: Any) -> None:
            response = route.fetch()
            headers = {k: v for k, v in response.headers.items() if "cross-origin" not in k}
            route.fulfill(response=response, headers=headers)

        page.route("**/*", bare)
    fetched: list[str] = []
    context.on("request", lambda request: fetched.append(request.url.removeprefix(url)))
    page.goto(url)
    page.locator("#send:enabled").wait_for(timeout=60_000)
    assert page.evaluate("crossOriginIsolated") is isolated
    notice = page.locator("#notice")
    assert notice.is_hidden() is isolated
    assert isolated or "Cross-Origin-Opener-Policy" in notice.inner_text()
    modules = [name for name in fetched if name.endswith(".wasm")]
    assert modules == ["model-relaxed-threads.wasm" if isolated else "model-relaxed.wasm"]
    assert not any(name.endswith((".wgsl", "gpu.js", "answers.json")) for name in fetched)
    page.fill("#ask", "Tell me a story about a fox.")
    page.press("#ask", "Enter")
    page.locator("#stop").wait_for()
    page.locator("#send:enabled").wait_for(timeout=60_000)
    assert len(page.locator(".assistant .body").inner_text()) > 20
    page.click("#open-panel")
    facts = page.locator("#stats").inner_text()
    assert "CPU" in facts
    assert ("one thread" in facts) is not isolated
    assert "GPU memory" not in facts
    page.click("#measure")
    page.get_by_text("Measure again").wait_for()
    assert page.locator("#profile caption").all_inner_texts() == ["Step"]  # it knows no layers
    context.close()
    assert [line for line in console if line.startswith("error")] == []  # violations too
