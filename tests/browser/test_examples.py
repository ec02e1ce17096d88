"""The page of examples/embed, as its README says to put it together."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mdst.bundle.reader import Bundle

if TYPE_CHECKING:
    from playwright.sync_api import Browser

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_a_page_that_embeds_a_model(
    chromium: Browser,
    compiled: Callable[..., Bundle],
    serve: Callable[..., str],
    tmp_path: Path,
) -> None:
    site = tmp_path / "embed"
    shutil.copytree(EXAMPLES / "embed", site)
    shutil.copytree(compiled(EXAMPLES / "storyteller/storyteller.gguf").path, site / "model")
    context = chromium.new_context()
    try:
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(error.message))
        page.on("console", lambda message: errors.append(message.text))
        page.goto(serve(site, csp=True))
        grown = page.locator("#text", has_text=re.compile(r"( \S+){12}"))
        grown.wait_for(timeout=120_000)
        text = page.text_content("#text")
    finally:
        context.close()
    assert text is not None
    assert text.startswith("Once upon a time, ")
    assert "(" not in text
    assert errors == []
