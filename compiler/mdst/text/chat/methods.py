"""The methods of texts, lists, tuples and dicts that templates may call."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from .allowed import METHODS
from .operators import equal
from .printing import to_text
from .values import (
    Budget,
    Callee,
    Markup,
    Value,
    View,
    check_key,
    fail,
    hashable,
    iterate,
    plain,
    to_int,
    type_name,
)

Method = Callable[[Budget, Value, list[Value], dict[str, Value]], Value]

_FIELD = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_COUNTS: Mapping[str, tuple[int, float]] = {
    "count": (1, 1), "endswith": (1, 3), "find": (1, 1), "format": (0, float("inf")),
    "get": (1, 2), "index": (1, 1), "join": (1, 1), "lstrip": (0, 1), "partition": (1, 1),
    "removeprefix": (1, 1), "removesuffix": (1, 1), "replace": (2, 3), "rfind": (1, 1),
    "rpartition": (1, 1), "rsplit": (0, 2), "rstrip": (0, 1), "split": (0, 2),
    "startswith": (1, 3), "strip": (0, 1),
}  # fmt: skip
"""How many arguments a method takes; others take none."""
_ALONE = (
    "capitalize isalnum isalpha isdigit islower isspace isupper lower splitlines title "
    "upper".split()
)
_ONE_MORE = "count find rfind removeprefix removesuffix".split()


def text_of(value: Value) -> str:
    """An argument that must be a text."""
    value = plain(value)
    if not isinstance(value, str):
        fail(f"must be str, not {type_name(value)}")
    return value


def bind_method(budget: Budget, value: Value, name: str) -> Callee:
    """The method `name`, which its type has, of a value."""
    self = plain(value)
    least, most = _COUNTS.get(name, (0, 0))
    run = _METHODS[type_name(self)][name]

    def call(args: list[Value], kwargs: dict[str, Value]) -> Value:
        if not least <= len(args) <= most or (kwargs and name != "format"):
            fail(f"{name}() does not take these arguments")
        if isinstance(self, str):
            budget.text(self)
        else:
            budget.spend(len(self))
        made = run(budget, self, args, kwargs)
        if isinstance(made, str):
            budget.text(made)
            return Markup(made) if isinstance(value, Markup) else made
        if isinstance(made, (list, tuple)):
            budget.spend(len(made))
        return made

    return Callee(call)


def _alone(name: str) -> Method:
    method = getattr(str, name)
    return lambda budget, text, args, kwargs: method(text)


def _stripped(name: str) -> Method:
    method = getattr(str, name)
    return lambda budget, text, args, kwargs: method(
        text, None if not args or args[0] is None else text_of(args[0])
    )


def _split(name: str) -> Method:
    method = getattr(str, name)

    def run(budget: Budget, text: str, args: list[Value], kwargs: dict[str, Value]) -> Value:
        sep = None if not args or args[0] is None else text_of(args[0])
        if sep == "":
            fail("empty separator")
        return method(text, sep, to_int(args[1]) if len(args) > 1 else -1)

    return run


def _partition(name: str) -> Method:
    method = getattr(str, name)

    def run(budget: Budget, text: str, args: list[Value], kwargs: dict[str, Value]) -> Value:
        sep = text_of(args[0])
        return method(text, sep) if sep else fail("empty separator")

    return run


def _with_text(name: str) -> Method:
    """Methods of a text and one more."""
    method = getattr(str, name)
    return lambda budget, text, args, kwargs: method(text, text_of(args[0]))


def _affix(name: str) -> Method:
    method = getattr(str, name)

    def run(budget: Budget, text: str, args: list[Value], kwargs: dict[str, Value]) -> Value:
        affixes = args[0] if isinstance(args[0], tuple) else (args[0],)
        bounds = [None if bound is None else to_int(bound) for bound in args[1:]]
        return method(text, tuple(text_of(affix) for affix in affixes), *bounds)

    return run


def _index(budget: Budget, text: str, args: list[Value], kwargs: dict[str, Value]) -> Value:
    found = text.find(text_of(args[0]))
    return found if found >= 0 else fail("substring not found")


def _join(budget: Budget, text: str, args: list[Value], kwargs: dict[str, Value]) -> Value:
    parts = [text_of(part) for part in iterate(budget, args[0])]
    budget.room(sum(map(len, parts)) + len(text) * len(parts))
    return text.join(parts)


def replaced(budget: Budget, text: str, old: str, new: str, count: int) -> str:
    """`text` with `new` for `old`, at most `count` times unless that is negative."""
    budget.room(len(text) + (text.count(old) + 1) * len(new))
    return text.replace(old, new, count)


def _replace(budget: Budget, text: str, args: list[Value], kwargs: dict[str, Value]) -> Value:
    count = to_int(args[2]) if len(args) > 2 else -1
    return replaced(budget, text, text_of(args[0]), text_of(args[1]), count)


def _format(budget: Budget, text: str, args: list[Value], kwargs: dict[str, Value]) -> Value:
    """`str.format` with `{}`, `{0}` and `{name}` alone."""
    automatic = 0

    def field(match: re.Match[str]) -> str:
        nonlocal automatic
        whole, name = match.group(), match.group(1)
        if whole in ("{{", "}}"):
            return whole[0]
        if name is None or not re.fullmatch(r"\w*", name):
            fail(f"the format field '{whole}' is not supported")
        numbered = name[:1].isdecimal() and name.isascii()
        if automatic < 0 if name == "" else numbered and automatic > 0:
            fail("a format numbers all of its fields, or none")
        if name == "":
            place, automatic = automatic, automatic + 1
        elif numbered:
            place, automatic = int(name) if name.isdecimal() else len(args), -1
        elif name in kwargs:
            return to_text(budget, kwargs[name])
        else:
            place = len(args)
        if place >= len(args):
            fail(f"nothing for the format field '{whole}'")
        return to_text(budget, args[place])

    return _FIELD.sub(field, text)


def _item_index(budget: Budget, items: Value, args: list[Value], kwargs: dict[str, Value]) -> Value:
    for place, item in enumerate(items):
        if equal(budget, item, args[0]):
            return place
    fail("a value is not in the list")


def _item_count(budget: Budget, items: Value, args: list[Value], kwargs: dict[str, Value]) -> Value:
    return sum(equal(budget, item, args[0]) for item in items)


def _get(
    budget: Budget, items: dict[Value, Value], args: list[Value], kwargs: dict[str, Value]
) -> Value:
    key = plain(args[0])
    other = args[1] if len(args) > 1 else None
    check_key(key)
    return items.get(key, other) if hashable(key) else other


_TEXT: Mapping[str, Method] = {
    **{name: _alone(name) for name in _ALONE},
    **{name: _stripped(name) for name in ("strip", "lstrip", "rstrip")},
    **{name: _split(name) for name in ("split", "rsplit")},
    **{name: _partition(name) for name in ("partition", "rpartition")},
    **{name: _affix(name) for name in ("startswith", "endswith")},
    **{name: _with_text(name) for name in _ONE_MORE},
    "format": _format,
    "index": _index,
    "join": _join,
    "replace": _replace,
}
_ITEMS: Mapping[str, Method] = {
    "copy": lambda budget, items, args, kwargs: list(items),
    "count": _item_count,
    "index": _item_index,
}
_DICT: Mapping[str, Method] = {
    "copy": lambda budget, items, args, kwargs: dict(items),
    "get": _get,
    "items": lambda budget, items, args, kwargs: View("items", list(items.items())),
    "keys": lambda budget, items, args, kwargs: View("keys", list(items)),
    "values": lambda budget, items, args, kwargs: View("values", list(items.values())),
}
_METHODS: Mapping[str, Mapping[str, Method]] = {
    type: {name: table[name] for name in METHODS[type]}
    for type, table in {"str": _TEXT, "list": _ITEMS, "tuple": _ITEMS, "dict": _DICT}.items()
}
