"""Sizes on the command line: 4096, 64K, 16M, 1G; and for people: 4.9 GB."""

from __future__ import annotations

import re

import click

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_PATTERN = re.compile(r"(\d{1,12})\s*([KMG]?)(?:i?B)?", re.IGNORECASE)


class Size(click.ParamType[int]):
    """Bytes, with K, M or G for powers of 1024."""

    name = "size"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        if isinstance(value, int):
            return value
        match = _PATTERN.fullmatch(str(value).strip())
        if match is None:
            self.fail(f"{value!r} is not a size such as 16M", param, ctx)
        return int(match[1]) * _UNITS[match[2].upper()]


def readable(size: int) -> str:
    """`size` bytes in decimal units, three digits: 4.92 GB."""
    value, unit = float(size), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.3g} {unit}" if value < 1000 else f"{value:.0f} {unit}"
