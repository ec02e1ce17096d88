"""A conversation as JSON → the prompt that the model's template makes of it."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from ...errors import UnsupportedError, UsageError, printable
from ..tokenizer import Tokenizer
from .render import render_tree
from .templates import DEFAULT, TOOL_USE
from .values import BudgetError, TemplateError


def render_chat(templates: Mapping[str, Any], conversation: Mapping[str, Any]) -> str:
    """`templates`: trees by name, of which that for tools is taken where there are tools.
    `conversation`: `messages`, and what else the template may read: `tools`,
    `add_generation_prompt`, `bos_token`, `eos_token`, …; `now` is a day as YYYY-MM-DD.

    Raises UsageError: CHAT007 there is no template, CHAT008 the template refuses the conversation
    or cannot render it, CHAT009 no conversation; UnsupportedError (CHAT006) when it takes too much.
    """
    values = dict(conversation)
    if not isinstance(values.get("messages"), list):
        raise UsageError("CHAT009", "a conversation needs messages, a list")
    now = _day(values.pop("now", None))
    name = TOOL_USE if values.get("tools") and TOOL_USE in templates else DEFAULT
    if name not in templates:
        raise UsageError("CHAT007", "the model has no chat template", hint="give it plain text")
    try:
        return render_tree(templates[name], values, now)
    except BudgetError as error:
        raise UnsupportedError("CHAT006", f"the chat template: {error}") from None
    except TemplateError as error:
        raise UsageError("CHAT008", f"the chat template: {error}") from None


def _day(now: object) -> datetime.datetime | None:
    if now is None:
        return None
    try:
        return datetime.datetime.strptime(str(now), "%Y-%m-%d")
    except ValueError:
        raise UsageError("CHAT009", f"now is {printable(str(now))}, not YYYY-MM-DD") from None


def special_texts(tokenizer: Tokenizer) -> dict[str, str]:
    """What templates know of a vocabulary: `bos_token` and `eos_token`, '' where there is none."""
    ids = {"bos_token": tokenizer.vocabulary.bos, "eos_token": tokenizer.vocabulary.eos}
    return {
        name: "" if id is None else tokenizer.decode_text([id], special=True, whole=False)
        for name, id in ids.items()
    }


def chat_ids(tokenizer: Tokenizer, text: str) -> list[int]:
    """A rendered prompt's ids: special tokens are what the template writes; BOS comes in front
    where the vocabulary asks for it and the template has not written it."""
    vocabulary = tokenizer.vocabulary
    ids = tokenizer.encode(text, add_special=False, parse_special=True)
    bos = vocabulary.bos
    lacks = vocabulary.add_bos and bos is not None and ids[:1] != [bos]
    return [bos, *ids] if lacks and bos is not None else ids
