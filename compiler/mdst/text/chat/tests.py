"""Jinja2's tests, `value is name`; arguments in the order of `allowed.TESTS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from .operators import binary, compare, equal
from .printing import to_text
from .values import (
    Budget,
    Callee,
    Loop,
    Undefined,
    Value,
    is_iterable,
    is_number,
    plain,
)

Test = Callable[[Budget, Value, Sequence[Value]], bool]


def run_test(budget: Budget, name: str, value: Value, args: Sequence[Value]) -> bool:
    """Whether a test that `allowed.TESTS` lists holds."""
    budget.spend(1)
    return _TESTS[name](budget, value, args)


def _compared(op: str) -> Test:
    return lambda budget, value, args: compare(budget, op, value, args[0])


def _rest_is(by: int, rest: int) -> Test:
    return lambda budget, value, args: equal(budget, binary(budget, "%", value, by), rest)


def _sequence(budget: Budget, value: Value, args: Sequence[Value]) -> bool:
    return isinstance(plain(value), (str, list, tuple, dict, range, Undefined))


_TESTS: Mapping[str, Test] = {
    "boolean": lambda budget, value, args: isinstance(value, bool),
    "callable": lambda budget, value, args: isinstance(value, (Callee, Undefined, Loop)),
    "defined": lambda budget, value, args: not isinstance(value, Undefined),
    "divisibleby": lambda budget, value, args: equal(
        budget, binary(budget, "%", value, args[0]), 0
    ),
    "even": _rest_is(2, 0),
    "false": lambda budget, value, args: value is False,
    "float": lambda budget, value, args: isinstance(value, float),
    "in": _compared("in"),
    "integer": lambda budget, value, args: isinstance(value, int) and not isinstance(value, bool),
    "iterable": lambda budget, value, args: is_iterable(value),
    "lower": lambda budget, value, args: to_text(budget, value).islower(),
    "mapping": lambda budget, value, args: isinstance(value, dict),
    "none": lambda budget, value, args: value is None,
    "number": lambda budget, value, args: is_number(value),
    "odd": _rest_is(2, 1),
    "sameas": lambda budget, value, args: _same(value, args[0]),
    "sequence": _sequence,
    "string": lambda budget, value, args: isinstance(plain(value), str),
    "true": lambda budget, value, args: value is True,
    "undefined": lambda budget, value, args: isinstance(value, Undefined),
    "upper": lambda budget, value, args: to_text(budget, value).isupper(),
    **dict.fromkeys(("==", "eq", "equalto"), _compared("==")),
    **dict.fromkeys(("!=", "ne"), _compared("!=")),
    **dict.fromkeys(("<", "lt", "lessthan"), _compared("<")),
    **dict.fromkeys(("<=", "le"), _compared("<=")),
    **dict.fromkeys((">", "gt", "greaterthan"), _compared(">")),
    **dict.fromkeys((">=", "ge"), _compared(">=")),
}


def _same(a: Value, b: Value) -> bool:
    """Whether they are one object, or equal small values of one type."""
    simple = isinstance(a, (bool, int, str)) and type(a) is type(b)
    return bool(a == b) if simple else a is b
