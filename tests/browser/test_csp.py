"""A bundle below a path, under the strictest policy, with its weights here or elsewhere."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from mdst.bundle.reader import Bundle
from mdst.hosts.generate import generate
from mdst.hosts.host import Host, Request
from mdst.sampling import SamplingParams
from mdst.text import Tokenizer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

SUB_PATH = "/some/sub/path/"
COUNTS = """
globalThis.violations = [];
addEventListener('securitypolicyviolation', ({ blockedURI, effectiveDirective }) =>
  violations.push(`${effectiveDirective} ${blockedURI}`));
"""
COUNT = 8


class Elsewhere(SimpleHTTPRequestHandler):
    """Files that pages of any origin may read."""

    def end_headers(self) -> None:
        self.send_header("Access-Control-Allow-Origin", "*")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """An empty folder, and the URL at which another origin serves it."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Elsewhere, directory=str(folder)))
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class Visit:
    """The page of a bundle in a context of its own, with all that it asks for and complains of."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.asked: list[str] = []
        self.console: list[str] = []
        page.context.on("request", lambda request: self.asked.append(request.url))
        page.on("console", lambda message: self.console.append(f"{message.type} {message.text}"))
        page.on("pageerror", lambda error: self.console.append(f"error {error}"))
        page.add_init_script(COUNTS)
        page.goto(url)

    @property
    def origins(self) -> set[str]:
        parts = [urlsplit(url) for url in self.asked if not url.startswith("data:")]
        return {f"{part.scheme}://{part.netloc}" for part in parts}

    def complaints(self) -> list[str]:
        bad = [line for line in self.console if line.startswith(("error", "warning"))]
        return [*bad, *self.page.evaluate("violations")]

    def write(self, prompt: str) -> str:
        """Lets the page write COUNT tokens of greatest probability; what it then shows."""
        page = self.page
        page.locator("#generate:enabled").wait_for(timeout=120_000)
        page.click("#open-panel")
        page.fill("#settings [name=temperature]", "0")
        page.fill("#settings [name=max_tokens]", str(COUNT))
        page.keyboard.press("Escape")
        page.fill("#prompt", prompt)
        page.click("#generate")
        page.locator("#again").wait_for(timeout=120_000)
        return str(page.locator("#output").evaluate("node => node.textContent"))


@pytest.fixture
def visit(
    chromium: Browser, on_gpu: Callable[[BrowserContext], None]
) -> Iterator[Callable[[str], Visit]]:
    contexts = []

    def go(url: str) -> Visit:
        contexts.append(chromium.new_context())
        on_gpu(contexts[-1])
        return Visit(contexts[-1].new_page(), url)

    yield go
    for context in contexts:
        context.close()


@pytest.fixture
def expected(host_of: Callable[[Bundle, str], Host]) -> Callable[[Bundle, str], str]:
    def text(bundle: Bundle, prompt: str) -> str:
        tokenizer = Tokenizer(bundle.vocabulary())
        host = host_of(bundle, "subgroups")
        host.start(Request(SamplingParams(temperature=0), tokenizer.vocabulary.end_ids))
        ids = tokenizer.encode(prompt, add_special=True, parse_special=False)
        made = list(chain.from_iterable(generate(host, ids, COUNT, 8)))
        made_text = tokenizer.decode_text(made)
        return prompt + re.sub(r"[\0-\x08\x0b-\x1f\x7f-\x9f]", "\ufffd", made_text)

    return text


def test_under_the_policy_from_a_sub_path(
    tiny_model: Callable[..., Path],
    compiled: Callable[..., Bundle],
    hollow: Callable[..., Path],
    serve: Callable[..., str],
    visit: Callable[[str], Visit],
) -> None:
    """Texts under the policy are those of the other tests; here nothing is computed."""
    bundle = compiled(tiny_model(), kv="f32", context=32, chunk=8)
    url = serve(hollow(bundle), csp=True, base=SUB_PATH)
    visited = visit(url)
    visited.page.locator("#generate:enabled").wait_for(timeout=60_000)
    assert visited.complaints() == []
    assert all(asked.startswith((url, "data:")) for asked in visited.asked)
    # All files were seen, those of the worker too.
    names = {asked.removeprefix(url) for asked in visited.asked}
    shards = {f"weights/{shard.sha256}.bin" for shard, _ in bundle.shards()}
    assert names >= {"", "mdst.js", "runtime/worker.js", "vocabulary.bin", *shards}
    headers = visited.page.evaluate(
        "async () => Object.fromEntries((await fetch('runtime/worker.js')).headers)"
    )
    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")

    # What the policy forbids is refused, and counted: the test would see it.
    visited.page.evaluate("fetch('http://127.0.0.1:1/').catch(() => {})")
    visited.page.evaluate("document.body.setAttribute('style', 'color: red')")
    assert len(set(visited.page.evaluate("violations"))) == 2


def test_weights_elsewhere(
    tiny_model: Callable[..., Path],
    compiled: Callable[..., Bundle],
    serve: Callable[..., str],
    visit: Callable[[str], Visit],
    expected: Callable[[Bundle, str], str],
    elsewhere: tuple[Path, str],
    tmp_path: Path,
) -> None:
    folder, origin = elsewhere
    bundle = compiled(tiny_model(), kv="f32", context=32, chunk=8, weights_url=f"{origin}/w")
    out = tmp_path / "out"
    shutil.copytree(bundle.path, out)
    (out / "weights").rename(folder / "w")
    url = serve(out, csp=True, base=SUB_PATH)
    visited = visit(url)
    assert visited.write("w3") == expected(bundle, "w3")
    assert visited.complaints() == []
    own = f"http://{urlsplit(url).netloc}"
    assert visited.origins == {own, origin}
    there = [asked for asked in visited.asked if asked.startswith(origin)]
    assert sorted(there) == sorted(f"{origin}/w/{s.sha256}.bin" for s, _ in bundle.shards())
