"""A conversation → the prompt's text, by the tree of a chat template."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from .access import make_dict, make_range
from .methods import text_of
from .printing import to_text
from .renderer import Renderer
from .strftime import check_format, strftime
from .values import Budget, BudgetError, Callee, Namespace, Value, fail, from_json

_FRAMES = 10
"""Frames of Python that one level of a rendering may take."""


def render_tree(
    tree: Any,
    conversation: Mapping[str, Any],
    now: datetime.datetime | None = None,
    budget: Budget | None = None,
) -> str:
    """What a template renders of `messages`, `tools`, … in `conversation`, which is JSON.

    Raises TemplateError: the template refuses the conversation, cannot render it, or takes more
    than `budget` (BudgetError).
    """
    budget = budget or Budget()
    values = {"add_generation_prompt": False, **conversation}
    renderer = Renderer(budget, _functions(budget, now or datetime.datetime.now()))
    try:
        with _deep_stack(budget.depth * _FRAMES):
            return renderer.render(tree, from_json(budget, values))
    except RecursionError:
        raise BudgetError("it is nested too deep") from None


@contextmanager
def _deep_stack(frames: int) -> Iterator[None]:
    """Room for a rendering's depth, which its own budget bounds."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, frames))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def _functions(budget: Budget, now: datetime.datetime) -> dict[str, Callee]:
    def namespace(args: list[Value], kwargs: dict[str, Value]) -> Value:
        return Namespace(make_dict(budget, args, kwargs))

    def raise_exception(args: list[Value], kwargs: dict[str, Value]) -> Value:
        fail(to_text(budget, args[0]) if args else "it refuses the conversation")

    def strftime_now(args: list[Value], kwargs: dict[str, Value]) -> Value:
        format = text_of(args[0] if args else None)
        bad = check_format(format)
        if bad is not None:
            fail(f"'{bad}' is not supported in a format of strftime_now")
        return strftime(now, format)

    return {
        "dict": Callee(lambda args, kwargs: make_dict(budget, args, kwargs)),
        "namespace": Callee(namespace),
        "raise_exception": Callee(raise_exception),
        "range": Callee(lambda args, kwargs: make_range(budget, args)),
        "strftime_now": Callee(strftime_now),
    }
