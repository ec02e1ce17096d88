"""Python's operators, between values that have them, counted."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import NoReturn

from .printing import to_repr, to_text
from .values import (
    MAX_DEPTH,
    Budget,
    Markup,
    Undefined,
    Value,
    check_key,
    checked,
    fail,
    hashable,
    is_number,
    iterate,
    plain,
    to_int,
    type_name,
)

_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&#39;", '"': "&#34;"})
_ARITHMETIC: Mapping[str, Callable[[Value, Value], Value]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}
_ORDER: Mapping[str, Callable[[Value, Value], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_PERCENT = re.compile(r"%(.|$)", re.DOTALL)


def binary(budget: Budget, op: str, a: Value, b: Value) -> Value:
    """`a op b` for + - * / // and %."""
    if isinstance(a, Undefined):
        fail(a.message)
    if isinstance(b, Undefined) and not (op == "%" and isinstance(a, str)):
        fail(b.message)
    if is_number(a) and is_number(b):
        try:
            return checked(_ARITHMETIC[op](a, b))
        except ZeroDivisionError:
            fail("division by zero")
        except OverflowError:
            fail("a number is too large")
    if op == "+":
        return _add(budget, a, b)
    if op == "*" and isinstance(b, int):
        return _repeat(budget, a, b, b)
    if op == "*" and isinstance(a, int):
        return _repeat(budget, b, a, a)
    if op == "%" and isinstance(a, str):
        return percent(budget, a, b)
    _unsupported(op, a, b)


def _unsupported(op: str, a: Value, b: Value) -> NoReturn:
    fail(f"unsupported operand type(s) for {op}: '{type_name(a)}' and '{type_name(b)}'")


def _add(budget: Budget, a: Value, b: Value) -> Value:
    if isinstance(a, Markup) or isinstance(b, Markup):
        parts = []
        for part in (a, b):
            if not isinstance(plain(part), str):
                _unsupported("+", a, b)
            parts.append(part.text if isinstance(part, Markup) else part.translate(_HTML))
        return Markup(budget.text("".join(parts)))
    if isinstance(a, str) and isinstance(b, str):
        budget.room(len(a) + len(b))
        return a + b
    if isinstance(a, (list, tuple)) and type(a) is type(b):
        budget.room(32 * (len(a) + len(b)))
        return type(a)([*a, *b])
    _unsupported("+", a, b)


def _repeat(budget: Budget, value: Value, times: int, by: Value) -> Value:
    times = max(int(times), 0)
    if isinstance(value, Markup):
        return Markup(_repeat(budget, value.text, times, by))
    if not isinstance(value, (str, list, tuple)):
        _unsupported("*", value, by)
    budget.room((1 if isinstance(value, str) else 32) * len(value) * times)
    return value * times


def percent(budget: Budget, text: str, value: Value) -> str:
    """`text % value`: %s, %r, %d, %i and %%, without flags."""
    args = list(value) if isinstance(value, tuple) else [value]

    def field(match: re.Match[str]) -> str:
        kind = match.group(1)
        if kind == "%":
            return "%"
        if not kind or kind not in "srdi":
            fail(f"'{match.group()}' is not supported in a format")
        if not args:
            fail("not enough arguments for format string")
        arg = args.pop(0)
        if kind == "s":
            return to_text(budget, arg)
        if kind == "r":
            return to_repr(budget, arg)
        if not is_number(arg) or not math.isfinite(arg):
            fail(f"%d format: a real number is required, not {type_name(arg)}")
        return str(checked(int(arg)))

    result = _PERCENT.sub(field, budget.text(text))
    if args and not isinstance(value, (dict, list, range, Undefined)):
        fail("not all arguments converted during string formatting")
    return budget.text(result)


def unary(value: Value, op: str) -> Value:
    """-value or +value."""
    if isinstance(value, Undefined):
        fail(value.message)
    if not is_number(value):
        fail(f"bad operand type for unary {op}: '{type_name(value)}'")
    return checked(-value if op == "-" else +value)


def equal(budget: Budget, a: Value, b: Value, depth: int = 0) -> bool:
    """a == b."""
    budget.spend(1)
    if depth > MAX_DEPTH:
        fail("a value is nested too deep")
    a, b = plain(a), plain(b)
    if isinstance(a, str):
        budget.text(a)
        return bool(a == b)
    if isinstance(a, Undefined):
        return isinstance(b, Undefined)
    if isinstance(a, (list, tuple)) and type(a) is type(b):
        return len(a) == len(b) and all(
            x is y or equal(budget, x, y, depth + 1) for x, y in zip(a, b, strict=True)
        )
    if isinstance(a, dict) and isinstance(b, dict):
        return len(a) == len(b) and all(
            key in b and (b[key] is item or equal(budget, item, b[key], depth + 1))
            for key, item in a.items()
        )
    return bool(a == b)


def compare(budget: Budget, op: str, a: Value, b: Value) -> bool:
    """a op b, where op is a comparison, `in` or `not in`."""
    match op:
        case "==":
            return equal(budget, a, b)
        case "!=":
            return not equal(budget, a, b)
        case "in":
            return contains(budget, b, a)
        case "not in":
            return not contains(budget, b, a)
    return ordered(budget, op, plain(a), plain(b))


def ordered(budget: Budget, op: str, a: Value, b: Value, depth: int = 0) -> bool:
    """a op b, where op is <, <=, > or >=."""
    budget.spend(1)
    if depth > MAX_DEPTH:
        fail("a value is nested too deep")
    for side in (a, b):
        if isinstance(side, Undefined):
            fail(side.message)
    if isinstance(a, str) and isinstance(b, str):
        budget.text(a)
        return _ORDER[op](a, b)
    if is_number(a) and is_number(b):
        return _ORDER[op](a, b)
    if not isinstance(a, (list, tuple)) or type(a) is not type(b):
        fail(f"'{op}' not supported between instances of '{type_name(a)}' and '{type_name(b)}'")
    for x, y in zip(a, b, strict=False):
        if not equal(budget, x, y):
            return ordered(budget, op, plain(x), plain(y), depth + 1)
    return _ORDER[op](len(a), len(b))


def contains(budget: Budget, all: Value, item: Value) -> bool:
    """item in all."""
    all, item = plain(all), plain(item)
    if isinstance(all, str):
        if isinstance(item, Undefined):
            fail(item.message)
        if not isinstance(item, str):
            fail(f"'in <string>' requires string, not {type_name(item)}")
        return item in budget.text(all)
    if isinstance(all, dict):
        check_key(item)
        return hashable(item) and item in all
    return any(each is item or equal(budget, each, item) for each in iterate(budget, all))


def cut(budget: Budget, value: Value, bounds: list[Value]) -> Value:
    """value[start:stop:step]."""
    if isinstance(value, Undefined):
        fail(value.message)
    if isinstance(value, Markup):
        return Markup(cut(budget, value.text, bounds))
    if not isinstance(value, (str, list, tuple, range)):
        fail(f"'{type_name(value)}' object is not subscriptable")
    start, stop, step = (None if bound is None else to_int(bound) for bound in bounds)
    if step == 0:
        fail("slice step cannot be zero")
    made = value[start:stop:step]
    budget.room(len(made) * (1 if isinstance(value, str) else 32))
    return made
