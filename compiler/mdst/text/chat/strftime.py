"""`strftime_now`: a date by a C format, in C's own locale whatever that of the machine is."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping

_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_MONTHS = (
    "January February March April May June July August September October November December".split()
)
_DIRECTIVE = re.compile(r"%(-?)(.|$)", re.DOTALL)
_SHORT = {"D": "%m/%d/%y", "F": "%Y-%m-%d", "R": "%H:%M", "T": "%H:%M:%S", "x": "%m/%d/%y",
          "X": "%H:%M:%S", "c": "%a %b %e %H:%M:%S %Y"}  # fmt: skip
_Time = datetime.datetime
_NUMBERS: Mapping[str, tuple[int, Callable[[_Time], int]]] = {
    "d": (2, lambda t: t.day),
    "m": (2, lambda t: t.month),
    "y": (2, lambda t: t.year % 100),
    "H": (2, lambda t: t.hour),
    "I": (2, lambda t: t.hour % 12 or 12),
    "M": (2, lambda t: t.minute),
    "S": (2, lambda t: t.second),
    "j": (3, lambda t: t.timetuple().tm_yday),
    "Y": (1, lambda t: t.year),
    "u": (1, lambda t: t.isoweekday()),
    "w": (1, lambda t: t.isoweekday() % 7),
    "f": (6, lambda t: t.microsecond),
}
_NAMES: Mapping[str, Callable[[_Time], str]] = {
    "a": lambda t: _DAYS[t.weekday()][:3],
    "A": lambda t: _DAYS[t.weekday()],
    "b": lambda t: _MONTHS[t.month - 1][:3],
    "h": lambda t: _MONTHS[t.month - 1][:3],
    "B": lambda t: _MONTHS[t.month - 1],
    "e": lambda t: f"{t.day:2}",
    "p": lambda t: "AM" if t.hour < 12 else "PM",
    "n": lambda t: "\n",
    "t": lambda t: "\t",
    "Z": lambda t: "",
    "z": lambda t: "",
    "%": lambda t: "%",
}


def check_format(format: str) -> str | None:
    """The first directive that `strftime` does not know, or None."""
    for match in _DIRECTIVE.finditer(format):
        dash, letter = match.groups()
        if letter not in _NUMBERS and (dash or letter not in {*_NAMES, *_SHORT}):
            return match.group()
    return None


def strftime(time: _Time, format: str) -> str:
    """`time` by a format that `check_format` has nothing against."""

    def directive(match: re.Match[str]) -> str:
        dash, letter = match.groups()
        if letter in _SHORT:
            return strftime(time, _SHORT[letter])
        if letter in _NAMES:
            return _NAMES[letter](time)
        width, number = _NUMBERS[letter]
        return str(number(time)) if dash else f"{number(time):0{width}}"

    return _DIRECTIVE.sub(directive, format)
