"""The process in which templates are parsed and tried: texts by key as JSON on standard input →
{"trees": …, "error": …} on standard output. `isolate` starts it."""

from __future__ import annotations

import contextlib
import json
import resource
import sys
from typing import Any

from ...errors import MalformedError, UnsupportedError
from .parse import parse_template
from .trial import try_template

CPU_SECONDS = 10
MEMORY = 1 << 30
"""Bytes of addresses beyond what the process has when it starts."""


def main() -> None:
    """Reads, limits itself, answers."""
    texts = json.loads(sys.stdin.buffer.read())
    _limit()
    trees: dict[str, Any] = {}
    error = None
    try:
        for key, text in texts.items():
            trees[key] = parse_template(text, key)
            try_template(trees[key], key)
    except (MalformedError, UnsupportedError) as found:
        kind = type(found).__name__
        error = {"kind": kind, "id": found.id, "message": found.message, "hint": found.hint}
    json.dump({"trees": trees, "error": error}, sys.stdout)


def _limit() -> None:
    """No more time and memory than parsing takes, and no file."""
    limits = {
        resource.RLIMIT_CPU: CPU_SECONDS,
        resource.RLIMIT_AS: _addresses() + MEMORY,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for limit, value in limits.items():
        with contextlib.suppress(ValueError, OSError):  # where the system knows no such limit
            resource.setrlimit(limit, (value, value))


def _addresses() -> int:
    """Bytes of addresses in use; libraries reserve far more than they touch."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 1 << 33
