"""Values as text: `str`, `repr` and `json.dumps`, counted, and only of values that have one."""

from __future__ import annotations

import json
from dataclasses import dataclass

from .values import (
    MAX_DEPTH,
    Budget,
    Markup,
    Undefined,
    Value,
    View,
    fail,
    is_number,
    plain,
    truth,
    type_name,
)


def to_text(budget: Budget, value: Value) -> str:
    """As `str(value)`."""
    value = plain(value)
    if isinstance(value, str):
        return value
    if isinstance(value, Undefined):
        return ""
    return budget.text(to_repr(budget, value))


def to_repr(budget: Budget, value: Value, depth: int = 0) -> str:
    """As `repr(value)`."""
    budget.spend(1)
    if depth > MAX_DEPTH:
        fail("a value is nested too deep")
    if value is None or is_number(value):
        return repr(value)
    if isinstance(value, str):
        return repr(budget.text(value))
    if isinstance(value, Markup):
        return f"Markup({budget.text(value.text)!r})"
    if isinstance(value, Undefined):
        return "Undefined"
    if isinstance(value, dict):
        pairs = [
            f"{to_repr(budget, key, depth + 1)}: {to_repr(budget, item, depth + 1)}"
            for key, item in value.items()
        ]
        return budget.text(f"{{{', '.join(pairs)}}}")
    if not isinstance(value, (list, tuple, View)):
        fail(f"a '{type_name(value)}' object has no text")
    items = value.items if isinstance(value, View) else value
    inside = ", ".join([to_repr(budget, item, depth + 1) for item in items])
    if isinstance(value, View):
        return f"dict_{value.kind}([{inside}])"
    if isinstance(value, list):
        return budget.text(f"[{inside}]")
    return budget.text(f"({inside}{',' if len(value) == 1 else ''})")


@dataclass(frozen=True, slots=True)
class Style:
    """Of `to_json`, as the arguments of `json.dumps`."""

    ascii: bool
    indent: str | None
    comma: str
    colon: str
    sorted: bool


def to_json(budget: Budget, value: Value, style: Style, depth: int = 0) -> str:
    """As `json.dumps(value, …)`."""
    budget.spend(1)
    if depth > MAX_DEPTH:
        fail("a value is nested too deep")
    value = plain(value)
    if value is None or is_number(value):
        return json.dumps(value)
    if isinstance(value, str):
        return _quoted(budget, value, style)
    if isinstance(value, dict):
        parts = [
            _quoted(budget, key if isinstance(key, str) else json.dumps(key), style)
            + style.colon
            + to_json(budget, item, style, depth + 1)
            for key, item in _pairs(value, style)
        ]
    elif isinstance(value, (list, tuple)):
        parts = [to_json(budget, item, style, depth + 1) for item in value]
    else:
        fail(f"Object of type {type_name(value)} is not JSON serializable")
    start, end = "{}" if isinstance(value, dict) else "[]"
    if not parts:
        return start + end
    if style.indent is None:
        return budget.text(start + style.comma.join(parts) + end)
    margin = "\n" + style.indent * depth
    inside = margin + style.indent
    return budget.text(start + inside + (style.comma + inside).join(parts) + margin + end)


def _pairs(value: dict[Value, Value], style: Style) -> list[tuple[Value, Value]]:
    pairs = list(value.items())
    if not style.sorted:
        return pairs
    if not all(isinstance(key, str) for key in value):
        fail("sort_keys needs keys that are texts")
    return sorted(pairs, key=lambda pair: str(pair[0]))


def _quoted(budget: Budget, text: str, style: Style) -> str:
    return json.dumps(budget.text(text), ensure_ascii=style.ascii)


def indent_of(value: Value) -> str | None:
    """`indent` of `tojson`."""
    value = plain(value)
    if value is None or isinstance(value, str):
        return value
    if not isinstance(value, int) or value > 1000:
        fail("a bad indent")
    return " " * value


def flag(value: Value) -> bool:
    """An argument that is true; ABSENT is not."""
    return truth(value)
