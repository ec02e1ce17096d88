"""Arguments of filters, tests and methods → the order of their parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from ...errors import printable

T = TypeVar("T")


def bind(names: Sequence[str], args: Sequence[T], kwargs: Mapping[str, T]) -> list[T | None]:
    """Arguments in the order of `names`, None for one that is not given before one that is.

    Raises TypeError, with how the call goes on, for more or others than there are.
    """
    bound: list[T | None] = list(args)
    if len(args) > len(names):
        raise TypeError(f"with {len(args)} arguments")
    for name, value in kwargs.items():
        if name not in names[len(args) :]:
            raise TypeError(f"with the argument {printable(name)}")
        place = names.index(name)
        bound += [None] * (place + 1 - len(bound))
        bound[place] = value
    return bound
