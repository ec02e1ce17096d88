"""Hostile templates are parsed and tried in a process of their own, with limits that the system
holds: a template that is built to take all time or memory takes down that process and no more."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import InternalError, MalformedError, MdstError, UnsupportedError, printable

SECONDS = 20
"""For all templates of a file, by the clock; the process limits its own CPU time further."""
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from mdst.text.chat.child import main; main()"
)
_KINDS: Mapping[str, type[MdstError]] = {
    kind.__name__: kind for kind in (MalformedError, UnsupportedError)
}


def compile_apart(texts: Mapping[str, str]) -> dict[str, Any]:
    """Key → tree of each template, from a limited child process.

    Raises what `parse.parse_template` and `trial.try_template` raise, UnsupportedError (CHAT005)
    when a template exceeds the limits of the process, InternalError (CHAT090) when it fails.
    """
    paths = [str(Path(__file__).resolve().parents[3]), *(path for path in sys.path if path)]
    command = [sys.executable, "-I", "-c", _START, json.dumps(paths)]
    try:
        done = subprocess.run(
            command, input=json.dumps(texts).encode(), capture_output=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        raise _exceeds(texts, f"{SECONDS} s") from None
    if done.returncode < 0:  # killed by the system, at one of the limits
        raise _exceeds(texts, "its share of time and memory")
    try:
        answer = json.loads(done.stdout)
        trees, error = answer["trees"], answer["error"]
    except (ValueError, KeyError, TypeError):
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise InternalError("CHAT090", f"the template process failed: {said}") from None
    if error is not None:
        raise _KINDS[error["kind"]](error["id"], error["message"], hint=error["hint"])
    return dict(trees)


def _exceeds(texts: Mapping[str, str], what: str) -> UnsupportedError:
    keys = ", ".join(printable(key) for key in texts)
    return UnsupportedError(
        "CHAT005",
        f"{keys}: parsing and trying it takes more than {what}",
        hint="--no-chat-template compiles the model without its template",
    )
