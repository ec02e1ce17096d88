"""`value.name` and `value[key]`, as Jinja2's sandbox has them: an attribute of the Python type goes
before an item where a dot is written, and after it where brackets are. No object of Python is ever
asked for an attribute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .allowed import METHODS, NEITHER, UNSAFE
from .methods import bind_method
from .printing import to_repr
from .values import (
    ABSENT,
    Budget,
    Callee,
    Loop,
    Namespace,
    Undefined,
    Value,
    fail,
    hashable,
    iterate,
    plain,
    type_name,
)

MAX_RANGE = 100_000
"""As Jinja2's sandbox."""


def attribute(budget: Budget, value: Value, name: str) -> Value:
    """value.name"""
    found = _known(budget, value, name)
    if found is ABSENT:
        found = _item(value, name)
    return _missing(budget, value, name) if found is ABSENT else found


def element(budget: Budget, value: Value, key: Value) -> Value:
    """value[key]"""
    if isinstance(value, Undefined):
        fail(value.message)
    key = plain(key)
    found = _item(value, key)
    if found is ABSENT and isinstance(key, str):
        found = _known(budget, value, key)
    return _missing(budget, value, key) if found is ABSENT else found


def _missing(budget: Budget, value: Value, key: Value) -> Undefined:
    what = "attribute" if isinstance(key, str) else "element"
    shown = "None" if value is None else f"{type_name(value)} object"
    simple = key is None or isinstance(key, (str, int, float))
    kind = to_repr(budget, key) if simple else type_name(key)
    return Undefined(f"'{shown}' has no {what} {kind}")


def _known(budget: Budget, value: Value, name: str) -> Value:
    """The attribute of its type, else ABSENT."""
    if isinstance(value, Undefined):
        fail(value.message)
    if isinstance(value, Namespace):
        return value.values.get(name, ABSENT)
    if isinstance(value, Loop):
        return _loop_attribute(budget, value, name)
    type = type_name(value)
    if name in METHODS.get(type, ()):
        return bind_method(budget, value, name)
    if name in UNSAFE.get(type, ()):
        return Undefined(f"access to attribute '{name}' of '{type}' object is unsafe.")
    if name in NEITHER.get("int" if type == "bool" else type, ()):
        fail(f"'{name}' of a '{type}' object is not supported")
    return ABSENT


def _item(value: Value, key: Value) -> Value:
    """value[key] where there is such an item, else ABSENT."""
    value = plain(value)
    if isinstance(value, dict):
        return value.get(key, ABSENT) if hashable(key) else ABSENT
    if isinstance(key, int) and isinstance(value, (str, list, tuple, range)):
        return value[key] if -len(value) <= key < len(value) else ABSENT
    return ABSENT


def _loop_attribute(budget: Budget, loop: Loop, name: str) -> Value:
    items, index0 = loop.items, loop.index0
    simple: Mapping[str, Value] = {
        "index": index0 + 1,
        "index0": index0,
        "revindex": len(items) - index0,
        "revindex0": len(items) - index0 - 1,
        "first": index0 == 0,
        "last": index0 == len(items) - 1,
        "length": len(items),
        "depth": 1,
        "depth0": 0,
    }
    match name:
        case "previtem":
            return items[index0 - 1] if index0 else Undefined("there is no previous item")
        case "nextitem":
            last = index0 + 1 == len(items)
            return Undefined("there is no next item") if last else items[index0 + 1]
        case "cycle":
            return Callee(
                lambda args, _: (
                    args[index0 % len(args)] if args else fail("no items for cycling given")
                )
            )
        case "changed":
            return Callee(lambda args, _: _changed(budget, loop, args))
    return simple.get(name, ABSENT)


def _changed(budget: Budget, loop: Loop, args: list[Value]) -> bool:
    now = to_repr(budget, tuple(args))
    changed = now != loop.seen
    loop.seen = now
    return changed


def make_range(budget: Budget, bounds: list[Value]) -> range:
    """range(…)"""
    for bound in bounds:
        if not isinstance(bound, int):
            fail(f"'{type_name(bound)}' object is no integer")
    if not 1 <= len(bounds) <= 3:
        fail("range takes 1 to 3 arguments")
    if len(bounds) == 3 and bounds[2] == 0:
        fail("range() arg 3 must not be zero")
    made = range(*map(int, bounds))
    if len(made) > MAX_RANGE:
        fail(f"range too big: the maximum is {MAX_RANGE}")
    budget.spend(len(made))
    return made


def make_dict(budget: Budget, args: list[Value], kwargs: dict[str, Value]) -> dict[Any, Value]:
    """dict(…)"""
    if len(args) > 1:
        fail("dict takes at most 1 argument")
    if args and not isinstance(args[0], dict):
        fail("dict takes a mapping")
    made: dict[Any, Value] = {**(args[0] if args else {}), **kwargs}
    budget.spend(len(made))
    return made


def follow(budget: Budget, value: Value, path: Value) -> Value:
    """What `attribute=` names: names and numbers with dots between."""
    path = plain(path)
    parts = path.split(".") if isinstance(path, str) else [path]
    for part in parts:
        number = isinstance(part, str) and part.isascii() and part.isdecimal()
        value = element(budget, value, int(part) if number else part)
    return value


def unpack(budget: Budget, count: int, value: Value) -> list[Value]:
    """As many items as there are targets."""
    items = list(iterate(budget, value))
    if len(items) != count:
        many = "too many" if len(items) > count else "not enough"
        fail(f"{many} values to unpack (expected {count})")
    return items
