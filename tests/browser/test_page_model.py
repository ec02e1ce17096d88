"""The chat page with a real model behind it, under the strictest policy."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mdst.bundle.reader import Bundle

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

STORYTELLER = Path(__file__).parents[2] / "examples/storyteller/storyteller.gguf"
VIOLATIONS = """
globalThis.violations = [];
addEventListener('securitypolicyviolation', ({ blockedURI }) => violations.push(blockedURI));
"""
PROFILE = """async () => {
  const { load } = await runtime();
  const engine = await load({ worker: false });
  const profile = await engine.profile();
  const request = { prompt: 'w3', max_tokens: 4, ignore_eos: true };
  const { choices } = await engine.completions.create(request);
  await engine.unload();
  return { ...profile, text: choices[0].tokens.length };
}"""
NO_CLOCK = """
const { features } = Object.getOwnPropertyDescriptors(GPUAdapter.prototype);
Object.defineProperty(GPUAdapter.prototype, 'features', {
  get() {
    const all = features.get.call(this);
    return { has: (name) => name !== 'timestamp-query' && all.has(name) };
  },
});
"""


@pytest.fixture(scope="module")
def chat_model(compiled: Callable[..., Bundle]) -> Bundle:
    """The project's own."""
    return compiled(STORYTELLER)


@pytest.fixture
def tab(chromium: Browser, on_gpu: Callable[[BrowserContext], None]) -> Page:
    context = chromium.new_context(viewport={"width": 390, "height": 844})
    on_gpu(context)
    page = context.new_page()
    page.add_init_script(VIOLATIONS)
    return page


def test_a_conversation(chat_model: Bundle, serve: Callable[..., str], tab: Page) -> None:
    console: list[str] = []
    tab.on("console", lambda message: console.append(f"{message.type} {message.text}"))
    fetched: set[str] = set()
    tab.on("request", lambda request: fetched.add(request.url.partition("/some/sub/path/")[2]))
    tab.goto(serve(chat_model.path, csp=True, base="/some/sub/path/"))
    tab.locator("#send:enabled").wait_for(timeout=120_000)
    tab.click("#open-panel")
    tab.fill("[name=temperature]", "0")
    tab.fill("[name=max_tokens]", "24")
    tab.keyboard.press("Escape")
    for _ in range(2):
        tab.fill("#ask", "Tell me a story about a fox.")
        tab.press("#ask", "Enter")
        tab.locator("#stop").wait_for()
        tab.locator("#send:enabled").wait_for(timeout=60_000)
    notes = [text.strip() for text in tab.locator(".assistant .actions").all_inner_texts()]
    assert len(notes) == 2
    assert all(re.fullmatch(r"(Cut off · )?\d+ tokens? · [\d.,]+ tokens/s", note) for note in notes)
    assert tab.locator(".assistant .body").first.inner_text() != ""
    tab.click("#open-panel")
    assert "tokens/s" in tab.inner_text("#stats")
    assert tab.evaluate("violations") == []
    assert [line for line in console if line.startswith(("error", "warning"))] == []
    # What tests/bundle/test_runtime_files.py weighs.
    assert {name for name in fetched if name.endswith((".js", ".wasm")) and "?" not in name} == {
        *("page.js", "page/chat/chat.js", "mdst.js", "runtime/errors.js", "runtime/worker.js"),
        *("runtime/service.js", "runtime/cache.js", "runtime/gpu.js"),
        *("runtime/tuning/kept.js", "runtime/template/chat_template.js"),
    }
    tab.context.close()


@pytest.mark.parametrize("clock", [True, False], ids=["timestamps", "clock"])
def test_profile(
    compiled: Callable[..., Bundle],
    tiny_model: Callable[..., Path],
    hollow: Callable[..., Path],
    serve: Callable[..., str],
    open_page: Callable[..., Page],
    clock: bool,
) -> None:
    bundle = compiled(tiny_model(), kv="f32", context=32, chunk=8)
    # Kernels that do nothing take no time, but are counted all the same.
    page = open_page(serve(bundle.path if clock else hollow(bundle)), "" if clock else NO_CLOCK)
    profile = page.evaluate(PROFILE)
    assert profile["method"] == ("timestamps" if clock else "clock")
    labels = [row["label"] for row in profile["layers"]]
    assert labels == ["embedding", "blk.0", "blk.1", "output", "sample"]
    programs = [each for tier in bundle.manifest.tiers for each in tier.programs]
    lengths = {len(each.steps) for each in programs if each.phase == "decode"}
    for rows in (profile["layers"], profile["kernels"]):
        assert sum(row["steps"] for row in rows) in lengths
        assert all(row["microseconds"] >= 0 for row in rows)
    kinds = {row["label"]: row["steps"] for row in profile["kernels"]}
    assert kinds["ffn_down"] == 2
    total = sum(row["microseconds"] for row in profile["layers"])
    assert abs(total - profile["microseconds"]) <= 1e-6 * total
    if clock:
        assert profile["microseconds"] > 0
        assert profile["text"] == 4
