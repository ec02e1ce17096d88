"""Chat templates of real models render as Hugging Face's renderer does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mdst.errors import UsageError
from mdst.text.chat import render_chat
from mdst.text.chat.parse import parse_template

Reference = Callable[[str, dict[str, Any]], str | None]
Ask = Callable[[list[dict[str, Any]]], list[dict[str, str]]]

CONVERSATIONS: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("conversations.json").read_text(encoding="utf-8")
)
TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "now": "2026-07-04"}


def render(question: dict[str, Any]) -> str | None:
    """What the Python interpreter gives."""
    templates = {"default": question["tree"]}
    try:
        return render_chat(templates, question["conversation"])
    except UsageError:
        return None


def test_every_template_with_every_conversation(
    shared: Path, reference: Reference, ask: Ask
) -> None:
    """All templates are allowed, each renders something, and what fails there fails here."""
    questions, names, expected = [], [], []
    for path in sorted((shared / "goldens/templates").glob("*.jinja")):
        text = path.read_bytes().decode()
        tree = parse_template(text, "tokenizer.chat_template")
        for name, given in CONVERSATIONS.items():
            conversation = given | TOKENS
            names.append((path.name, name))
            questions.append({"tree": tree, "conversation": conversation})
            expected.append(reference(text, conversation))
    wanted = dict(zip(names, expected, strict=True))
    assert dict(zip(names, map(render, questions), strict=True)) == wanted
    found = dict(zip(names, [answer.get("text") for answer in ask(questions)], strict=True))
    assert found == wanted
    rendered = {file for (file, _), text in found.items() if text}
    assert len(rendered) == len({file for file, _ in names}) >= 54
