"""Jinja2's filters; those of lists and dicts, and the table of all."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence

from .access import follow
from .operators import binary, ordered
from .printing import to_text
from .scalar_filters import SCALAR_FILTERS, Filter, argument, given, is_set
from .tests import run_test
from .values import (
    Budget,
    Lazy,
    Undefined,
    Value,
    fail,
    hashable,
    iterate,
    length_of,
    plain,
    to_int,
    truth,
    type_name,
)


def run_filter(budget: Budget, name: str, value: Value, args: Sequence[Value]) -> Value:
    """The value of a filter that `allowed.FILTERS` lists, or `map_attribute`."""
    budget.spend(1)
    return _FILTERS[name](budget, value, args)


def _batch(budget: Budget, value: Value, args: Sequence[Value]) -> Value:
    def rows() -> list[Value]:
        size, fill = to_int(args[0]), given(args, 1)
        items = list(iterate(budget, value))
        if size < 1:
            fail("batch needs a size of 1 or more")
        budget.room(32 * size)
        rows = [items[i : i + size] for i in range(0, len(items), size)]
        if rows and fill is not None:
            rows[-1] += [fill] * (size - len(rows[-1]))
        return rows

    return Lazy(rows)


def _default(budget: Budget, value: Value, args: Sequence[Value]) -> Value:
    absent = isinstance(value, Undefined) or (is_set(args, 1) and not truth(value))
    return argument(args, 0, "") if absent else value


def _folded(value: Value) -> Value:
    """A key for order and sameness, without case."""
    text = plain(value)
    return text.lower() if isinstance(text, str) else value


def _key(budget: Budget, attribute: Value, sensitive: bool) -> Callable[[Value], Value]:
    def key(item: Value) -> Value:
        value = item if attribute is None else follow(budget, item, attribute)
        return value if sensitive else _folded(value)

    return key


def _sorted(
    budget: Budget, items: Sequence[Value], key: Callable[[Value], Value], reverse: bool
) -> list[Value]:
    def order(a: tuple[Value, Value], b: tuple[Value, Value]) -> int:
        if ordered(budget, "<", a[0], b[0]):
            return -1
        return 1 if ordered(budget, "<", b[0], a[0]) else 0

    pairs = [(plain(key(item)), item) for item in items]
    return [p[1] for p in sorted(pairs, key=functools.cmp_to_key(order), reverse=reverse)]


def _dictsort(budget: Budget, value: Value, args: Sequence[Value]) -> Value:
    if not isinstance(value, dict):
        fail(f"'{type_name(value)}' object has no attribute 'items'")
    place = {"key": 0, "value": 1}.get(str(plain(argument(args, 1, "key"))))
    if place is None:
        fail('You can only sort by either "key" or "value"')
    sensitive = is_set(args, 0)
    pairs = list(value.items())
    budget.spend(len(pairs))
    by = lambda pair: pair[place] if sensitive else _folded(pair[place])  # noqa: E731
    return _sorted(budget, pairs, by, is_set(args, 2))


def _sort(budget: Budget, value: Value, args: Sequence[Value]) -> Value:
    attribute = plain(given(args, 2))
    parts = attribute.split(",") if isinstance(attribute, str) else [attribute]
    keys = [_key(budget, part, is_set(args, 1)) for part in parts]
    items = iterate(budget, value)
    return _sorted(budget, items, lambda item: [key(item) for key in keys], is_set(args, 0))


def _extreme(greatest: bool) -> Filter:
    def run(budget: Budget, value: Value, args: Sequence[Value]) -> Value:
        items = iterate(budget, value)
        if not items:
            return Undefined("No aggregated item, sequence was empty.")
        key = _key(budget, given(args, 1), is_set(args, 0))
        best, best_key = items[0], plain(key(items[0]))
        for item in items[1:]:
            other = plain(key(item))
            if ordered(budget, ">" if greatest else "<", other, best_key):
                best, best_key = item, other
        return best

    return run


def _first(budget: Budget, value: Value, args: Sequence[Value]) -> Value:
    if isinstance(value, Lazy) and value.items():
        return value.items().pop(0)
    items = iterate(budget, value)
    return items[0] if items else Undefined("No first item, sequence was empty.")


def _last(budget: Budget, value: Value, args: Sequence[Value]) -> Value:
    if isinstance(value, Lazy):
        fail("'generator' object is not reversible")
    items = iterate(budget, value)
    return items[-1] if items else Undefined("No last item, sequence was empty.")


def _items(budget: Budget, value: Value, args: Sequence[Value]) -> Value:
    def pairs() -> list[Value]:
        if isinstance(value, Undefined):
            return []
        if not isinstance(value, dict):
            fail("Can only get item pairs from a mapping.")
        budget.spend(len(value))
        return list(value.items())

    return Lazy(pairs)


def _join(budget: Budget, value: Value, args: Sequence[Value]) -> Value:
    attribute = given(args, 1)
    parts = [
        to_text(budget, item if attribute is None else follow(budget, item, attribute))
        for item in iterate(budget, value)
    ]
    between = to_text(budget, argument(args, 0, ""))
    budget.room(sum(map(len, parts)) + len(between) * len(parts))
    return between.join(parts)


def _length(budget: Budget, value: Value, args: Sequence[Value]) -> Value:
    length = length_of(value)
    return fail(f"object of type '{type_name(value)}' has no len()") if length is None else length


def _some(budget: Budget, value: Value) -> Sequence[Value]:
    """Nothing, where Jinja2 does not even look."""
    return iterate(budget, value) if truth(value) else []


def _map(budget: Budget, value: Value, args: Sequence[Value]) -> Value:
    name, rest = args[0], args[1:]
    return Lazy(lambda: [run_filter(budget, name, item, rest) for item in _some(budget, value)])


def _map_attribute(budget: Budget, value: Value, args: Sequence[Value]) -> Value:
    other = given(args, 1)

    def one(item: Value) -> Value:
        found = follow(budget, item, args[0])
        return other if isinstance(found, Undefined) and other is not None else found

    return Lazy(lambda: [one(item) for item in _some(budget, value)])


def _choose(keep: bool, by_attribute: bool) -> Filter:
    def run(budget: Budget, value: Value, args: Sequence[Value]) -> Value:
        name = args[by_attribute] if len(args) > by_attribute else None
        rest = args[by_attribute + 1 :]

        def chosen(item: Value) -> bool:
            subject = follow(budget, item, args[0]) if by_attribute else item
            return keep is (
                truth(subject) if name is None else run_test(budget, name, subject, rest)
            )

        return Lazy(lambda: [item for item in _some(budget, value) if chosen(item)])

    return run


def _reverse(budget: Budget, value: Value, args: Sequence[Value]) -> Value:
    text = plain(value)
    if isinstance(text, str):
        return budget.text(text)[::-1]
    items = list(iterate(budget, value))[::-1]
    return items if isinstance(value, Lazy) else Lazy(lambda: items)


def _sum(budget: Budget, value: Value, args: Sequence[Value]) -> Value:
    attribute, total = given(args, 0), argument(args, 1, 0)
    if isinstance(total, str):
        fail("sum() can't sum strings")
    for item in iterate(budget, value):
        other = item if attribute is None else follow(budget, item, attribute)
        total = binary(budget, "+", total, other)
    return total


def _unique(budget: Budget, value: Value, args: Sequence[Value]) -> Value:
    key = _key(budget, given(args, 1), is_set(args, 0))

    def firsts() -> list[Value]:
        seen: dict[Value, Value] = {}
        for item in iterate(budget, value):
            found = plain(key(item))
            if not hashable(found):
                fail(f"unique: unhashable type: '{type_name(item)}'")
            seen.setdefault(found, item)
        return list(seen.values())

    return Lazy(firsts)


_FILTERS: Mapping[str, Filter] = {
    **SCALAR_FILTERS,
    "batch": _batch,
    "count": _length,
    "d": _default,
    "default": _default,
    "dictsort": _dictsort,
    "first": _first,
    "items": _items,
    "join": _join,
    "last": _last,
    "length": _length,
    "list": lambda budget, value, args: list(iterate(budget, value)),
    "map": _map,
    "map_attribute": _map_attribute,
    "max": _extreme(True),
    "min": _extreme(False),
    "reject": _choose(False, False),
    "rejectattr": _choose(False, True),
    "reverse": _reverse,
    "select": _choose(True, False),
    "selectattr": _choose(True, True),
    "sort": _sort,
    "sum": _sum,
    "unique": _unique,
}
