"""A template's tree on two short conversations: what takes too much even there is refused."""

from __future__ import annotations

from typing import Any

from ...errors import UnsupportedError, printable
from .render import render_tree
from .values import Budget, BudgetError, TemplateError

STEPS = 500_000
"""For a short conversation; real templates take about 2,000."""
_USER = {"role": "user", "content": "Hello"}
_CONVERSATIONS: tuple[list[dict[str, str]], ...] = (
    [_USER],
    [
        {"role": "system", "content": "Be kind."},
        _USER,
        {"role": "assistant", "content": "Hi."},
        _USER,
    ],
)


def try_template(tree: Any, key: str) -> None:
    """Raises UnsupportedError (CHAT006) when a rendering takes more than its budget. Whatever else
    it fails with is what a template may answer to a conversation that it does not like."""
    for messages in _CONVERSATIONS:
        values = {"messages": messages, "bos_token": "<s>", "eos_token": "</s>"}
        try:
            render_tree(tree, values | {"add_generation_prompt": True}, budget=Budget(steps=STEPS))
        except BudgetError as error:
            raise UnsupportedError(
                "CHAT006",
                f"{printable(key)}: on a short conversation, {error}",
                hint="--no-chat-template compiles the model without its template",
            ) from None
        except TemplateError:
            continue
