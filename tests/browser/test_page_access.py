"""The page for people who use a keyboard or a screen reader: axe's rules in every state, with both
colour schemes and both layouts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from .test_page_chat import DESKTOP, MARKDOWN, PHONE, say

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PROGRESS = [
    {"phase": "check", "loaded": 1, "total": 1, "files": 0, "bytesPerSecond": 0},
    {"phase": "kernels", "loaded": 11, "total": 19, "files": 0, "bytesPerSecond": 0},
    {"phase": "weights", "loaded": 1.6e6, "total": 4.2e6, "files": 1, "bytesPerSecond": 8e5},
]
PROBLEM = {
    "what": "maxBufferSize",
    "needed": 430_000_000,
    "found": 268_435_456,
    "message": "the GPU's maxBufferSize is 268435456, but this model needs 430000000",
}
STATES: dict[str, tuple[dict[str, Any], str]] = {
    "loading": ({"stay": PROGRESS}, "#phases progress >> nth=2"),
    "ready": ({"bytes": 4.6e9}, "#load"),
    "unsupported": ({"problems": [PROBLEM]}, "#problems li"),
    "error": ({"loadError": ["download_failed", "weights/3f.bin: 404"]}, "#retry"),
    "empty": ({}, "#samples"),
    "chatting": ({"answers": [MARKDOWN]}, "#send:enabled"),
    "panel": ({}, "#send:enabled"),
    "conversations": ({}, "#send:enabled"),
    "story": ({"chat": False, "stay": PROGRESS}, "#prompt"),
}
"""What the double plays in each state, and what shows that it is there."""


@pytest.fixture(scope="module")
def axe() -> Any:
    return pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe").Axe()


@pytest.fixture
def tab(
    chromium: Browser, site: str, request: pytest.FixtureRequest
) -> Iterator[Callable[[str], Page]]:
    """`open(state)`: the page in a window of this size and scheme."""
    size, scheme = request.param
    context = chromium.new_context(viewport=size, color_scheme=scheme)
    context.set_default_timeout(10_000)

    def go(state: str) -> Page:
        play, sign = STATES[state]
        page = context.new_page()
        page.add_init_script(f"globalThis.play = {json.dumps(play)}")
        page.goto(site)
        page.locator(sign).wait_for()
        if state == "chatting":
            say(page, "plan")
        elif state == "panel":
            page.click("#open-panel")
            page.click("#measure")
            page.locator(".times").last.wait_for()
        elif state == "conversations":
            say(page, "hi")
            if size == PHONE:
                page.click("header [popovertarget=chats]")
        return page

    yield go
    context.close()


@pytest.mark.parametrize(
    "tab",
    [(PHONE, "dark"), (DESKTOP, "light")],
    ids=["phone-dark", "desktop-light"],
    indirect=True,
)
def test_axe_finds_nothing_serious(tab: Callable[[str], Page], axe: Any) -> None:
    found = {}
    for state in STATES:
        page = tab(state)
        violations = axe.run(page).response["violations"]
        serious = [v for v in violations if v["impact"] in ("serious", "critical")]
        if serious:
            found[state] = [(v["id"], [n["target"] for n in v["nodes"]]) for v in serious]
        page.close()
    assert found == {}


@pytest.mark.parametrize("tab", [(DESKTOP, "light")], ids=["desktop"], indirect=True)
def test_axe_would_find_something(tab: Callable[[str], Page], axe: Any) -> None:
    page = tab("empty")
    page.evaluate("document.getElementById('send').ariaLabel = ''")
    page.evaluate("document.getElementById('send').title = ''")
    ids = {v["id"] for v in axe.run(page).response["violations"]}
    assert "button-name" in ids


@pytest.mark.parametrize("tab", [(PHONE, "light")], ids=["phone"], indirect=True)
def test_the_keyboard_reaches_everything_in_order(tab: Callable[[str], Page]) -> None:
    page = tab("chatting")
    page.focus("header button")
    seen = []
    for _ in range(13):
        seen.append(
            page.evaluate(
                "(({ id, ariaLabel, nodeName, textContent }) =>"
                " id || ariaLabel || (nodeName === 'A' ? 'link' : nodeName === 'PRE' ? 'code' :"
                " nodeName === 'DIV' ? 'table' : textContent.trim()))(document.activeElement)"
            )
        )
        page.keyboard.press("Tab")
    order = ["Conversations", "new-chat-2", "open-panel", "Copy the message", "Edit the message"]
    order += ["table", "Copy", "code", "link", "Copy the answer", "Answer once more", "ask", "send"]
    assert seen == order

    # A drawer takes the focus and gives it back.
    page.focus("#open-panel")
    page.keyboard.press("Enter")
    page.locator("#panel:popover-open").wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('#panel') !== null")
    page.keyboard.press("Escape")
    assert page.locator("#panel:popover-open").count() == 0
    assert page.evaluate("document.activeElement.id") == "open-panel"
