"""What a template computes with: Python's own values, a few of Jinja2's, and the budget of it all.

Texts, numbers, lists, tuples, dicts and ranges are Python's; nothing here is ever called, looked up
or formatted by Python's own rules for attributes, so a template reaches no object but these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from .allowed import MAX_INT

Value = Any
MAX_DEPTH = 200
"""Levels of a value that are compared or printed."""


class TemplateError(Exception):
    """What a rendering fails with; the text is one for the user."""


class BudgetError(TemplateError):
    """The rendering takes more steps, depth or space than it may."""


def fail(message: str) -> NoReturn:
    raise TemplateError(message)


@dataclass(slots=True)
class Budget:
    """Steps, depth and sizes that a rendering may take. `size`: characters, or items times 32."""

    steps: int = 4_000_000
    depth: int = 1000
    size: int = 1 << 22

    def spend(self, steps: int) -> None:
        self.steps -= steps
        if self.steps < 0:
            raise BudgetError("it takes too many steps")

    def room(self, length: int) -> None:
        """For a text or list about to be made."""
        if length > self.size:
            raise BudgetError("it makes too long a text or list")
        self.spend(1 + (length >> 5))

    def text(self, text: str) -> str:
        """A text that was made, or is read."""
        self.room(len(text))
        return text


class Absent:
    """The argument that is not given."""


ABSENT = Absent()


@dataclass(frozen=True, slots=True, eq=False)
class Markup:
    """A text that `safe` marked: what `+` joins to it is escaped for HTML."""

    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Undefined:
    """The absent value; whatever needs more of it than its absence fails with `message`."""

    message: str


@dataclass(frozen=True, slots=True, eq=False)
class Namespace:
    """Of `namespace()`."""

    values: dict[str, Value]


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """`items`, `keys` or `values` of a dict: has a length, but no places."""

    kind: str
    items: list[Value]


class Lazy:
    """A generator or iterator: always true, made when it is first read, and empty after that."""

    __slots__ = ("_items", "_make")

    def __init__(self, make: Callable[[], list[Value]]) -> None:
        self._make: Callable[[], list[Value]] | None = make
        self._items: list[Value] = []

    def items(self) -> list[Value]:
        """What is left; whoever reads an item takes it out."""
        make, self._make = self._make, None
        if make is not None:
            self._items = make()
        return self._items

    def take(self) -> list[Value]:
        """All that is left."""
        taken = self.items()
        self._items = []
        return taken


@dataclass(frozen=True, slots=True, eq=False)
class Callee:
    """A function, macro or method."""

    call: Callable[[list[Value], dict[str, Value]], Value]


@dataclass(slots=True, eq=False)
class Loop:
    """What `loop` is in the body of a loop."""

    items: list[Value] | tuple[Value, ...] | range
    index0: int = 0
    seen: str | None = field(default=None)


_NAMES: Mapping[type, str] = {
    Markup: "str", Undefined: "Undefined", Namespace: "Namespace", Lazy: "generator",
    Loop: "LoopContext", Callee: "function", type(None): "NoneType",
}  # fmt: skip


def type_name(value: Value) -> str:
    """Python's name of its type."""
    if isinstance(value, View):
        return f"dict_{value.kind}"
    return _NAMES.get(type(value), type(value).__name__)


def plain(value: Value) -> Value:
    """A text without its mark, or what it is."""
    return value.text if isinstance(value, Markup) else value


def is_number(value: Value) -> bool:
    return isinstance(value, (int, float))


def checked(value: Value) -> Value:
    """A number that arithmetic made. Integers are exact in all hosts up to 2^53."""
    if isinstance(value, int) and abs(value) > MAX_INT:
        fail("it computes an integer beyond 2^53")
    return value


def to_int(value: Value) -> int:
    """An argument that must be an integer."""
    if isinstance(value, int):
        return int(value)
    fail(f"'{type_name(value)}' object is no integer")


def truth(value: Value) -> bool:
    value = plain(value)
    if isinstance(value, View):
        return bool(value.items)
    if isinstance(value, Undefined):
        return False
    return isinstance(value, (Namespace, Lazy, Callee, Loop)) or bool(value)


def length_of(value: Value) -> int | None:
    """As `len(value)`, None for what has none."""
    value = plain(value)
    if isinstance(value, (str, list, tuple, dict, range)):
        return len(value)
    if isinstance(value, (View, Loop)):
        return len(value.items)
    return 0 if isinstance(value, Undefined) else None


def is_iterable(value: Value) -> bool:
    return length_of(value) is not None or isinstance(value, Lazy)


def iterate(budget: Budget, value: Value) -> list[Value] | tuple[Value, ...] | range:
    """Its items, to be read only."""
    value = plain(value)
    items: list[Value] | tuple[Value, ...] | range
    if isinstance(value, (list, tuple, range)):
        items = value
    elif isinstance(value, (str, dict)):
        items = list(value)
    elif isinstance(value, View):
        items = value.items
    elif isinstance(value, Undefined):
        items = []
    elif isinstance(value, Lazy):
        items = value.take()
    else:
        fail(f"'{type_name(value)}' object is not iterable")
    budget.spend(len(items))
    return items


def hashable(value: Value) -> bool:
    """Whether it can be a key here: None, texts and numbers."""
    return value is None or isinstance(value, (str, int, float))


def check_key(value: Value) -> None:
    """Fails for what can be no key in Python either."""
    if isinstance(value, (list, dict)):
        fail(f"unhashable type: '{type_name(value)}'")
    if isinstance(value, tuple):
        for item in value:
            check_key(item)


def put(dict: dict[Value, Value], key: Value, value: Value) -> None:
    key = plain(key)
    if not (key is None or isinstance(key, str) or type(key) is int):
        fail(f"a dict with a key of the type '{type_name(key)}' is not supported")
    dict[key] = value


def from_json(budget: Budget, data: Value, depth: int = 0) -> Value:
    """A copy of JSON data, counted."""
    budget.spend(1)
    if depth > MAX_DEPTH:
        fail("the conversation is nested too deep")
    if isinstance(data, str):
        return budget.text(data)
    if isinstance(data, (list, tuple)):
        return [from_json(budget, item, depth + 1) for item in data]
    if isinstance(data, dict):
        return {str(key): from_json(budget, item, depth + 1) for key, item in data.items()}
    return data
