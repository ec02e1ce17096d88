"""Jinja2's filters of texts and numbers, with Hugging Face's `tojson`.

Arguments come in the order of `allowed.FILTERS`; those that are not given are ABSENT, or missing at
the end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence

from .methods import replaced, text_of
from .operators import percent
from .printing import Style, flag, indent_of, to_json, to_text
from .values import (
    ABSENT,
    Budget,
    Markup,
    Undefined,
    Value,
    checked,
    fail,
    from_json,
    is_number,
    iterate,
    plain,
    to_int,
    type_name,
)

Filter = Callable[[Budget, Value, Sequence[Value]], Value]
_WORDS = re.compile(r"([-\s({\[<]+)")


def argument(args: Sequence[Value], place: int, default: Value) -> Value:
    return default if len(args) <= place or args[place] is ABSENT else args[place]


def given(args: Sequence[Value], place: int) -> Value:
    """The argument, None also when it is not given."""
    return argument(args, place, None)


def is_set(args: Sequence[Value], place: int) -> bool:
    return flag(argument(args, place, False))


def _changed(change: Callable[[str], str]) -> Filter:
    """A filter of texts that keeps their mark."""

    def run(budget: Budget, value: Value, args: Sequence[Value]) -> Value:
        made = budget.text(change(budget.text(to_text(budget, value))))
        return Markup(made) if isinstance(value, Markup) else made

    return run


def _abs(budget: Budget, value: Value, args: Sequence[Value]) -> Value:
    if not is_number(value):
        fail(f"bad operand type for abs(): '{type_name(value)}'")
    return abs(value)


def _number(kind: type, value: Value) -> Value:
    """`int(value)` or `float(value)`. Raises ValueError, TypeError, OverflowError."""
    if isinstance(value, Undefined):
        fail(value.message)
    value = plain(value)
    if not (isinstance(value, str) or is_number(value)):
        raise TypeError
    if isinstance(value, str) and not value.strip().isascii():
        raise ValueError
    return kind(value)


def _int(budget: Budget, value: Value, args: Sequence[Value]) -> Value:
    other = argument(args, 0, 0)
    try:
        return checked(_number(int, value))
    except (TypeError, ValueError):
        try:
            return checked(int(_number(float, value)))
        except (TypeError, ValueError, OverflowError):
            return other
    except OverflowError:
        fail("cannot convert float infinity to integer")


def _float(budget: Budget, value: Value, args: Sequence[Value]) -> Value:
    try:
        return _number(float, value)
    except (TypeError, ValueError):
        return argument(args, 0, 0.0)


def _from_json(budget: Budget, value: Value, args: Sequence[Value]) -> Value:
    try:
        return from_json(budget, json.loads(text_of(value), parse_constant=_no_constant))
    except (ValueError, RecursionError):
        fail("from_json: the text is not JSON")


def _no_constant(name: str) -> float:
    raise ValueError(name)


def _indent(budget: Budget, value: Value, args: Sequence[Value]) -> Value:
    width = plain(argument(args, 0, 4))
    margin = width if isinstance(width, str) else " " * min(to_int(width), budget.size)
    if isinstance(value, Undefined):
        fail(value.message)
    head, *rest = f"{text_of(value)}\n".splitlines()
    budget.room(len(plain(value)) + (len(rest) + 1) * len(margin))
    more = [margin + line if line or is_set(args, 2) else line for line in rest]
    return budget.text((margin if is_set(args, 1) else "") + "\n".join([head, *more]))


def _replace(budget: Budget, value: Value, args: Sequence[Value]) -> Value:
    text, old, new = (budget.text(to_text(budget, part)) for part in (value, *args[:2]))
    count = given(args, 2)
    return replaced(budget, text, old, new, -1 if count is None else to_int(count))


def _string(budget: Budget, value: Value, args: Sequence[Value]) -> Value:
    return value if isinstance(value, Markup) else to_text(budget, value)


def _tojson(budget: Budget, value: Value, args: Sequence[Value]) -> Value:
    indent = indent_of(given(args, 1))
    separators = given(args, 2)
    parts = [", " if indent is None else ",", ": "]
    if separators is not None:
        parts = [text_of(part) for part in iterate(budget, separators)]
    if len(parts) != 2:
        fail("tojson takes two separators")
    style = Style(is_set(args, 0), indent, parts[0], parts[1], is_set(args, 3))
    return to_json(budget, value, style)


def _trim(budget: Budget, value: Value, args: Sequence[Value]) -> Value:
    chars = given(args, 0)
    set = None if chars is None else text_of(chars)
    return _changed(lambda text: text.strip(set))(budget, value, args)


def _title(text: str) -> str:
    parts = [part for part in _WORDS.split(text) if part]
    return "".join([part[0].upper() + part[1:].lower() for part in parts])


SCALAR_FILTERS: Mapping[str, Filter] = {
    "abs": _abs,
    "capitalize": _changed(str.capitalize),
    "float": _float,
    "format": lambda budget, value, args: percent(budget, to_text(budget, value), tuple(args)),
    "from_json": _from_json,
    "indent": _indent,
    "int": _int,
    "lower": _changed(str.lower),
    "replace": _replace,
    "safe": lambda budget, value, args: Markup(to_text(budget, value)),
    "string": _string,
    "title": _changed(_title),
    "tojson": _tojson,
    "trim": _trim,
    "upper": _changed(str.upper),
}
