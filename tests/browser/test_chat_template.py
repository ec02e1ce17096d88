"""Chat templates in Chromium, under the strictest policy: a sample renders as in the Python twin,
markup is text, and a template that would take all time ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mdst.bundle.reader import Bundle
from mdst.errors import MdstError
from mdst.text.chat import render_chat
from mdst.text.chat.parse import parse_template

if TYPE_CHECKING:
    from playwright.sync_api import Page

CONVERSATIONS = Path(__file__).parents[1] / "text/chat/conversations.json"
SAMPLE = [
    "ibm-granite-granite-3.3-2B-Instruct", "tencent-Hy3", "Qwen3.5-4B", "Kimi-K3",
    "google-gemma-4-31B-it-interleaved", "meta-llama-Llama-3.1-8B-Instruct",
    "CohereForAI-c4ai-command-r-plus-tool_use", "deepseek-ai-DeepSeek-V3.2",
]  # fmt: skip
RENDER = """async (questions) => {
  const { renderChat } = await import(`${base}runtime/template/chat_template.js`);
  return await Promise.all(questions.map(async ({ tree, conversation }) => {
    try {
      return await renderChat({ format: 1, templates: { default: tree } }, conversation);
    } catch (error) {
      return error.code === 'invalid_request' ? null : `${error}`;
    }
  }));
}"""


def test_a_sample_of_templates(
    shared: Path,
    tiny_model: Callable[..., Path],
    compiled: Callable[..., Bundle],
    serve: Callable[..., str],
    open_page: Callable[..., Page],
) -> None:
    conversations = json.loads(CONVERSATIONS.read_text(encoding="utf-8"))
    texts = {
        name: (shared / f"goldens/templates/{name}.jinja").read_bytes().decode() for name in SAMPLE
    }
    texts["markup"] = "<script>globalThis.pwned = 1</script>{{ messages | tojson }}"
    texts["bomb"] = "{% for i in range(9999) %}{% for j in range(9999) %}x{% endfor %}{% endfor %}"
    questions: list[dict[str, Any]] = [
        {"tree": parse_template(text, name), "conversation": {**given, "now": "2026-07-04"}}
        for name, text in texts.items()
        for given in list(conversations.values())[: 1 if name == "bomb" else None]
    ]
    page = open_page(serve(compiled(tiny_model()).path, csp=True))
    found = page.evaluate(RENDER, questions)
    assert found == [rendered(question) for question in questions]
    assert sum(text is not None for text in found) > 80
    assert page.evaluate("globalThis.pwned") is None


def rendered(question: dict[str, Any]) -> str | None:
    """By the Python twin."""
    try:
        return render_chat({"default": question["tree"]}, question["conversation"])
    except MdstError:
        return None
