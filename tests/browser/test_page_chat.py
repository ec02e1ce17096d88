"""The page of a model with a chat template. Most tests are about the page alone: a double of
mdst.js says what the model would."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Locator, Page

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 800}
VIOLATIONS = """
globalThis.violations = [];
addEventListener('securitypolicyviolation', ({ blockedURI }) => violations.push(blockedURI));
"""
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
MARKDOWN = """\
Here is a **plan**, with *care* and `code()`:

## Steps

1. Rinse.
2. Fry:
   - slowly
   - gently

| Thing | Amount |
|:------|-------:|
| Onion | 1 |

> Taste it.

```js
const salt = 1 < 2;
```

More at [a site](https://example.org/x), ~~never~~ always.
"""
HOSTILE = """\
<img src=x onerror="hacked=1"><script>hacked=1</script>

[a](javascript:hacked=1) [b](data:text/html,x) ![c](https://example.org/c.png) \u202egnp.exe

```html" onmouseover="hacked=1
<script>hacked=1</script>
```

| <b>x</b> |
|---|
| <iframe src=//example.org> |
"""


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(viewport=DESKTOP)  # type: ignore[arg-type]
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    context.set_default_timeout(10_000)
    yield context
    context.close()


@pytest.fixture
def open_chat(context: BrowserContext, site: str) -> Iterator[Callable[..., Page]]:
    """`open(answers=[…], …)`: the page with a double that plays this, ready to be talked with. In
    the end nothing may have failed, or have been refused by the policy."""
    opened: list[tuple[Page, list[str]]] = []

    def go(*, ready: bool = True, **play: Any) -> Page:
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.add_init_script(f"{VIOLATIONS}; globalThis.play = {json.dumps(play)};")
        page.goto(site)
        opened.append((page, errors))
        if ready:
            page.locator("#send:enabled").wait_for()
        return page

    yield go
    for page, errors in opened:
        assert errors == []
        assert page.evaluate("violations") == []


def say(page: Page, text: str) -> None:
    """Sends a message and waits until the answer is whole."""
    page.fill("#ask", text)
    page.press("#ask", "Enter")
    page.locator("#send:enabled").wait_for()


def until(page: Page, expression: str) -> None:
    """Waits without what the policy forbids."""
    for _ in range(200):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never: {expression}")


def texts(page: Page) -> list[str]:
    return page.locator("article .body").all_inner_texts()


def asked(page: Page) -> Any:
    """The last request."""
    return page.evaluate("asked.at(-1)")


def button(page: Page, message: int, action: str) -> Locator:
    return page.locator("article").nth(message).locator(f"[data-action={action}]")


def test_talking(open_chat: Callable[..., Page]) -> None:
    page = open_chat(answers=["One.", "Two."])
    page.fill("#ask", "first")
    page.press("#ask", "Shift+Enter")
    page.keyboard.type("line")
    page.press("#ask", "Enter")
    page.locator("#send:enabled").wait_for()
    assert texts(page) == ["first\nline", "One."]
    assert page.input_value("#ask") == ""
    assert page.evaluate("document.activeElement.id") == "ask"
    say(page, "second")
    assert [m["content"] for m in asked(page)["messages"]] == ["first\nline", "One.", "second"]
    assert asked(page)["stream"] is True
    note = page.locator("article").last.locator(".actions").inner_text()
    assert re.fullmatch(r"1 token", note.strip())
    assert page.inner_text("#spoken") == "Two."


def test_again_and_edit(open_chat: Callable[..., Page]) -> None:
    page = open_chat(answers=["One.", "Two.", "Three.", "Four.", "Five."])
    say(page, "first")
    say(page, "second")
    button(page, 3, "again").click()
    page.locator("#send:enabled").wait_for()
    assert texts(page) == ["first", "One.", "second", "Three."]

    button(page, 0, "edit").click()
    box = page.locator("article textarea")
    assert box.input_value() == "first"
    box.press("Escape")
    assert texts(page) == ["first", "One.", "second", "Three."]
    button(page, 0, "edit").click()
    box.fill("other")
    box.press("Enter")
    page.locator("#send:enabled").wait_for()
    assert texts(page) == ["other", "Four."]
    assert [m["content"] for m in asked(page)["messages"]] == ["other"]


def test_stop_keeps_what_was_written(open_chat: Callable[..., Page]) -> None:
    page = open_chat(answers=["word " * 500], pause=20)
    for key in (None, "Escape"):
        page.fill("#ask", "go")
        page.press("#ask", "Enter")
        page.get_by_text("word word").last.wait_for()
        assert "tokens/s" in page.inner_text("#rate")
        if key is None:
            page.click("#stop")
        else:
            page.keyboard.press(key)
        page.locator("#send:enabled").wait_for()
        assert page.inner_text("#status") == "Stopped"
        assert "Stopped" in page.locator("article").last.inner_text()
        assert 5 < len(texts(page)[-1]) < 2400


def test_settings_are_kept_and_used(open_chat: Callable[..., Page]) -> None:
    page = open_chat()
    page.click("#open-panel")
    page.fill("[name=system]", "Be kind.")
    page.fill("[name=temperature]", "0.3")
    page.fill("[name=top_k]", "40")
    page.fill("[name=max_tokens]", "77")
    page.select_option("[name=theme]", "dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 22, 26)"
    page.reload()
    page.locator("#send:enabled").wait_for()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 22, 26)"
    say(page, "hi")
    request = asked(page)
    assert request["messages"][0] == {"role": "system", "content": "Be kind."}
    assert (request["temperature"], request["top_k"], request["seed"]) == (0.3, 40, None)
    assert request["max_completion_tokens"] == 77

    # A value that makes no sense is shown instead of sent.
    page.click("#open-panel")
    page.fill("[name=top_p]", "2")
    page.keyboard.press("Escape")
    page.fill("#ask", "again")
    page.press("#ask", "Enter")
    page.locator("#panel:popover-open").wait_for()
    assert page.input_value("#ask") == "again"
    page.click("#settings [type=reset]")
    until(page, "document.querySelector('[name=temperature]').value === '0.8'")


def test_conversations(open_chat: Callable[..., Page]) -> None:
    page = open_chat(answers=["Yes."])
    say(page, "About foxes")
    page.click("#new-chat")
    assert texts(page) == []
    say(page, "About bears, and much more that is a title far too long to be shown as a whole")
    titles = page.locator("#chat-list li > button:first-child")
    assert titles.first.inner_text().startswith("About bears")
    assert len(titles.first.inner_text()) <= 60
    page.reload()
    page.get_by_text("Yes.").wait_for()
    assert texts(page)[0].startswith("About bears")

    titles.last.click()
    assert texts(page) == ["About foxes", "Yes."]
    page.click('[title="Rename “About foxes”"]')
    page.fill("#chat-list input", "Foxes \u202e only")
    page.press("#chat-list input", "Enter")
    assert titles.last.inner_text() == "Foxes \ufffd only"
    assert page.evaluate("document.activeElement.title").startswith("Rename")

    page.locator("#chat-list [data-action=delete]").last.click()
    until(page, "document.querySelectorAll('#chat-list li').length === 1")
    assert texts(page) == []
    page.click("#undo")
    page.get_by_text("Yes.").wait_for()
    assert titles.count() == 2

    # Another tab sees the same.
    other = open_chat()
    assert other.locator("#chat-list li").count() == 2
    page.locator("#chat-list [data-action=delete]").last.click()
    until(other, "document.querySelectorAll('#chat-list li').length === 1")


def test_where_nothing_can_be_kept(context: BrowserContext, site: str) -> None:
    page = context.new_page()
    page.add_init_script(
        """for (const name of ['indexedDB', 'localStorage', 'sessionStorage']) {
          Object.defineProperty(globalThis, name, { get() { throw new Error('forbidden'); } });
        }"""
    )
    page.goto(site)
    page.locator("#send:enabled").wait_for()
    say(page, "hi")
    assert texts(page) == ["hi", "Hello."]
    assert page.locator("#chat-list li").count() == 1
    assert "keeps no data" in page.inner_text("#chats-note")


def test_markdown(open_chat: Callable[..., Page]) -> None:
    page = open_chat(answers=[MARKDOWN], piece=3)
    say(page, "plan")
    body = page.locator("article").last.locator(".body")
    assert body.locator("h3").inner_text() == "Steps"
    assert body.locator("p strong").inner_text() == "plan"
    assert body.locator("> ol > li").count() == 2
    assert body.locator("ol ul li").all_inner_texts() == ["slowly", "gently"]
    assert body.locator("td").all_inner_texts() == ["Onion", "1"]
    assert body.locator("blockquote").inner_text() == "Taste it."
    link = body.locator("a")
    assert link.get_attribute("href") == "https://example.org/x"
    assert {"noopener", "noreferrer"} <= set((link.get_attribute("rel") or "").split())
    body.locator("figure button").click()
    until(page, "document.getElementById('status').textContent === 'Copied'")
    assert page.evaluate("navigator.clipboard.readText()") == "const salt = 1 < 2;"
    button(page, 1, "copy").click()
    until(page, "navigator.clipboard.readText().then((text) => text.includes('Steps'))")
    assert page.evaluate("navigator.clipboard.readText()") == MARKDOWN
    # What came piece by piece looks like what is shown at once, and is spoken once.
    shown = body.inner_html()
    spoken = page.inner_text("#spoken")
    assert spoken.count("Steps") == 1
    page.reload()
    page.locator("article").last.wait_for()
    assert body.inner_html() == shown


def test_hostile_answers_are_only_text(open_chat: Callable[..., Page]) -> None:
    page = open_chat(answers=[HOSTILE])
    seen: list[str] = []
    page.on("request", lambda request: seen.append(request.url))
    say(page, HOSTILE)
    page.wait_for_timeout(200)
    assert page.evaluate("'hacked' in globalThis") is False
    assert seen == []
    assert page.locator("article :is(img, script, iframe, b)").count() == 0
    links = page.locator("article a").evaluate_all("all => all.map((a) => a.href)")
    assert links == ["https://example.org/c.png"]
    assert "<script>hacked=1</script>" in texts(page)[1]
    for text in texts(page):
        assert "\u202e" not in text
        assert "\ufffdgnp.exe" in text


def test_an_answer_that_fails_can_be_asked_for_again(open_chat: Callable[..., Page]) -> None:
    page = open_chat(answers=[{"code": "invalid_request", "message": "no"}, "Fine.", "Good."])
    say(page, "hi")
    assert "No." in page.inner_text("#failure-text")
    button(page, 1, "again").click()
    page.locator("#send:enabled").wait_for()
    assert texts(page) == ["hi", "Fine."]
    say(page, "and?")
    assert [m["content"] for m in asked(page)["messages"]] == ["hi", "Fine.", "and?"]


def test_a_lost_gpu_keeps_the_conversation(open_chat: Callable[..., Page]) -> None:
    lost = {"code": "device_lost", "message": "the GPU device was lost"}
    page = open_chat(answers=["One.", lost, "Two."])
    say(page, "first")
    page.fill("#ask", "second")
    page.press("#ask", "Enter")
    page.locator("#retry").wait_for()
    assert "must be loaded again" in page.inner_text("#failure-text")
    assert page.locator("#send").is_disabled()
    page.click("#retry")
    page.locator("#send:enabled").wait_for()
    assert texts(page) == ["first", "One.", "second", ""]
    button(page, 3, "again").click()
    page.locator("#send:enabled").wait_for()
    assert texts(page) == ["first", "One.", "second", "Two."]


def test_a_long_conversation_says_what_the_model_no_longer_sees(
    open_chat: Callable[..., Page],
) -> None:
    page = open_chat(answers=["a" * 150], context=400)
    for text in ("first", "second", "third"):
        say(page, text)
    assert asked(page)["messages"][0]["content"] == "second"
    above = page.locator(".seen").evaluate("node => node.nextElementSibling.innerText")
    assert "second" in above


def test_the_end_is_followed_unless_the_reader_leaves_it(open_chat: Callable[..., Page]) -> None:
    page = open_chat(answers=["line\n\n" * 400], piece=6, pause=8)
    page.fill("#ask", "go")
    page.press("#ask", "Enter")
    until(page, "document.documentElement.scrollTop > 300")
    page.mouse.move(600, 300)
    page.mouse.wheel(0, -400)
    page.locator("#to-end").wait_for()
    before = page.evaluate("document.documentElement.scrollTop")
    page.wait_for_timeout(400)
    assert page.evaluate("document.documentElement.scrollTop") <= before
    page.click("#to-end")
    page.wait_for_timeout(400)
    assert page.evaluate("document.documentElement.scrollTop") > before + 300
    page.keyboard.press("Escape")
    page.locator("#send:enabled").wait_for()


def test_what_is_kept_needs_no_asking(open_chat: Callable[..., Page]) -> None:
    page = open_chat(bytes=4e9, cached=4e9)
    say(page, "hi")
    page.click("#open-panel")
    page.click("#forget")
    until(page, "globalThis.cleared && document.getElementById('forget').disabled")
    other = open_chat(ready=False, bytes=4e9, cached=1e9)
    other.get_by_role("button", name="Load 3 GB").wait_for()
    assert "1\u00a0GB already here" in other.inner_text("#facts")


def test_cancel_and_load(open_chat: Callable[..., Page]) -> None:
    weights = {"phase": "weights", "loaded": 1e9, "total": 4e9, "files": 1, "bytesPerSecond": 5e7}
    page = open_chat(ready=False, bytes=4e9, stay=[weights])
    page.get_by_role("button", name="Load 4 GB").click()
    page.get_by_text("1 GB of 4 GB · file 2 of 3 · 50 MB/s · 1 min left").wait_for()
    assert page.evaluate("document.activeElement.id") == "loading-title"
    page.click("#cancel")
    page.get_by_role("button", name="Load 4 GB").wait_for()


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_nothing_is_wider_than_the_window(
    open_chat: Callable[..., Page], size: dict[str, int]
) -> None:
    wide = "W" * 300
    answer = f"{wide} [{wide}](https://example.org/{wide})\n\n    {wide}\n\n```\n{wide}\n```\n\n"
    answer += "|a|b|\n|-|-|\n" + f"|{wide}|x|\n"
    page = open_chat(answers=[answer])
    page.set_viewport_size(size)  # type: ignore[arg-type]
    say(page, wide)
    assert page.evaluate(OVERFLOW) == 0
    box = page.locator("#ask").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < size["height"]
