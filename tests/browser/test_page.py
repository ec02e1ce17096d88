"""The page of a model without a chat template, used as somebody would, and what all pages tell."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Iterator
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
    from playwright.sync_api import Browser, BrowserContext, Page

STORYTELLER = Path(__file__).parents[2] / "examples/storyteller/storyteller.gguf"
PROMPT = "Once upon a time"
COUNT = 24
EVIL = '<img src=x onerror="hacked=1">&amp;\u202ecod'
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 800}
VIOLATIONS = """
globalThis.violations = [];
addEventListener('securitypolicyviolation', ({ blockedURI }) => violations.push(blockedURI));
"""
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def storyteller(compiled: Callable[..., Bundle]) -> Bundle:
    return compiled(STORYTELLER, chat_template=False)


@pytest.fixture
def open_tab(
    chromium: Browser, on_gpu: Callable[[BrowserContext], None]
) -> Iterator[Callable[..., Page]]:
    """`open(url, before=…)`: the page at `url`, with no word of complaint until the end. It uses
    the software `gpu`, or what it takes by itself."""
    opened: list[tuple[Page, list[str]]] = []

    def go(url: str, before: str = "", *, gpu: bool = True, **options: Any) -> Page:
        context = chromium.new_context(**options)
        if gpu:
            on_gpu(context)
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        opened.append((page, errors))
        if before:
            page.add_init_script(before)
        page.goto(url)
        return page

    yield go
    for page, errors in opened:
        page.context.close()
        assert errors == []


@pytest.fixture(scope="module")
def story(storyteller: Bundle, host_of: Callable[[Bundle, str], Host]) -> str:
    """What mdst-run prints for the prompt at temperature 0."""
    tokenizer = Tokenizer(storyteller.vocabulary())
    host = host_of(storyteller, "subgroups")
    host.start(Request(SamplingParams(temperature=0), tokenizer.vocabulary.end_ids))
    ids = tokenizer.encode(PROMPT, add_special=True, parse_special=False)
    return tokenizer.decode_text(chain.from_iterable(generate(host, ids, COUNT, 8)))


def wait_until_ready(page: Page) -> None:
    page.locator("#generate:enabled").wait_for(timeout=120_000)


def set_up(page: Page, **values: str) -> None:
    """Changes settings in the panel."""
    page.click("#open-panel")
    for name, value in values.items():
        page.fill(f"#settings [name={name}]", value)
    page.keyboard.press("Escape")


def test_writing(
    storyteller: Bundle, serve: Callable[..., str], open_tab: Callable[..., Page], story: str
) -> None:
    """Loads by itself as it is small; then text, stop, going on, and a look at the figures; all
    of it under the strictest policy."""
    page = open_tab(serve(storyteller.path, csp=True), VIOLATIONS, viewport=PHONE)
    page.locator("#phases progress").first.wait_for()
    assert page.title() == storyteller.manifest.model.name
    wait_until_ready(page)
    set_up(page, temperature="0", max_tokens=str(COUNT))
    page.fill("#prompt", PROMPT)
    page.click("#generate")
    page.locator("#again").wait_for(timeout=60_000)
    assert page.locator("#output").evaluate("node => node.textContent") == PROMPT + story
    assert page.locator("#output .machine").evaluate("node => node.textContent") == story
    assert re.search(
        rf"Paused · {COUNT} tokens · [\d.]+ tokens/s", page.inner_text("#story-status")
    )

    set_up(page, temperature="1", max_tokens="100000")
    page.click("#continue")
    page.locator("#story-rate", has_text=re.compile(r"^[1-9]\d* tokens")).wait_for(timeout=60_000)
    page.click("#stop-story")
    page.locator("#again").wait_for(timeout=10_000)
    assert "Stopped" in page.inner_text("#story-status")
    text = page.locator("#output").evaluate("node => node.textContent")
    assert text.startswith(PROMPT + story)
    page.wait_for_timeout(500)
    assert page.locator("#output").evaluate("node => node.textContent") == text

    page.click("#open-panel")
    figures = page.inner_text("#stats")
    assert "tokens/s" in figures
    assert "MB" in figures
    page.click("#measure")
    page.locator(".times").first.wait_for(timeout=60_000)
    layers = page.locator(".times").first.locator("th").all_inner_texts()
    assert layers == ["embedding", *(f"blk.{i}" for i in range(6)), "output", "sample"]
    page.keyboard.press("Escape")
    assert page.evaluate(OVERFLOW) == 0
    page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
    assert page.evaluate(OVERFLOW) == 0

    page.click("#edit")
    assert page.input_value("#prompt") == text
    assert page.evaluate("violations") == []


@pytest.fixture
def hostile(
    tiny_model: Callable[..., Path], compiled: Callable[..., Bundle], tmp_path: Path
) -> Bundle:
    """A model with markup for a name."""
    raw = tiny_model().read_bytes()
    name = b"tiny llama"
    evil = EVIL.encode().ljust(len(name) + 64)  # tensors stay aligned to 32 bytes
    old, new = (struct.pack("<Q", len(each)) + each for each in (name, evil))
    assert raw.count(old) == 1
    (tmp_path / "evil.gguf").write_bytes(raw.replace(old, new))
    return compiled(tmp_path / "evil.gguf", kv="f32", context=32, chunk=8)


def test_a_hostile_name_is_only_text(
    hostile: Bundle,
    hollow: Callable[..., Path],
    serve: Callable[..., str],
    open_tab: Callable[..., Page],
) -> None:
    page = open_tab(serve(hollow(hostile)))
    wait_until_ready(page)
    shown = EVIL.replace("\u202e", "\ufffd")
    assert page.inner_text("h1") == shown
    assert page.title() == shown
    assert page.locator("img").count() == 0
    assert page.evaluate("'hacked' in globalThis") is False


@pytest.mark.parametrize(
    ("host", "before", "words"),
    [
        (
            "127.0.0.1",
            "delete Navigator.prototype.gpu; delete globalThis.WebAssembly;",
            "no WebGPU",
        ),
        ("insecure.test", "", "https or localhost"),
    ],
    ids=["no WebGPU", "not secure"],
)
def test_where_it_cannot_run(
    storyteller: Bundle,
    serve: Callable[..., str],
    open_tab: Callable[..., Page],
    host: str,
    before: str,
    words: str,
) -> None:
    page = open_tab("about:blank", gpu=False)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.add_init_script(before)
    page.goto(serve(storyteller.path).replace("127.0.0.1", host))
    page.get_by_role("heading", name="This device cannot run the model").wait_for()
    assert words in page.inner_text("#problems")
    assert page.locator("#advice li").count() > 0
    assert not page.locator("#generate").is_visible()
    assert any(url.endswith("manifest.json") for url in asked)
    assert not any(url.endswith((".bin", ".wgsl", "answers.json")) for url in asked)


def test_a_limit_in_numbers(
    storyteller: Bundle, serve: Callable[..., str], open_tab: Callable[..., Page]
) -> None:
    small = "{ maxBufferSize: 1000, maxStorageBufferBindingSize: 1000 }"
    page = open_tab(
        serve(storyteller.path),
        f"""{{
          delete globalThis.WebAssembly;
          const limits = Object.getOwnPropertyDescriptor(GPUAdapter.prototype, 'limits').get;
          const get = function () {{
            const real = limits.call(this);
            return new Proxy({small}, {{ get: (small, name) => small[name] ?? real[name] }});
          }};
          Object.defineProperty(GPUAdapter.prototype, 'limits', {{ get }});
        }}""",
        gpu=False,
    )
    page.get_by_role("heading", name="This device cannot run the model").wait_for()
    problems = page.inner_text("#problems")
    assert "maxBufferSize is 1000" in problems
    assert str(storyteller.manifest.limits.maxBufferSize) in problems
    assert "1\u00a0kB" in problems


def test_a_download_that_fails_can_be_tried_again(
    storyteller: Bundle,
    hollow: Callable[..., Path],
    serve: Callable[..., str],
    open_tab: Callable[..., Page],
) -> None:
    page = open_tab("about:blank")
    page.route("**/weights/*.bin", lambda route: route.fulfill(status=404))
    page.goto(serve(hollow(storyteller)))
    page.locator("#retry").wait_for(timeout=60_000)
    assert "404" in page.inner_text("#failure-text")
    page.unroute("**/weights/*.bin")
    page.click("#retry")
    wait_until_ready(page)
    assert not page.locator("#failure").is_visible()
    assert json.loads(storyteller.text("manifest.json"))["model"]["name"] in page.inner_text("h1")
