"""Turns whatever a command raises into one line on stderr and an exit code.

    PROG: error[ID]: what is wrong and where
    hint: what to do                              (if there is something)

Exit codes: 2 usage · 3 cannot read · 4 malformed · 5 unsupported · 6 cannot write · 70 a bug here ·
130 SIGINT · 141 the reader of stdout went away · 143 SIGTERM. A traceback is shown only for a bug,
and only with MDST_DEBUG=1.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from ..errors import MdstError

_USAGE, _BUG = 2, 70
_INTERRUPTED, _BROKEN_PIPE, _TERMINATED = (128 + n for n in (2, 13, 15))


class Terminated(KeyboardInterrupt):
    """SIGTERM, as an exception, so that every `finally` runs: temporary files go away."""


def run_command(command: click.Command, prog: str, args: Sequence[str] | None = None) -> NoReturn:
    """Runs a click command as the program `prog` and exits.

    `args` are the words after the program's name, `sys.argv` unless given. The callback of the
    command returns nothing; it fails by raising. Must be called in the main thread.
    """
    signal.signal(signal.SIGTERM, _terminate)
    words = list(sys.argv[1:] if args is None else args)
    sys.exit(_exit_code(command, prog, words))


def _terminate(signum: int, frame: FrameType | None) -> NoReturn:
    raise Terminated


def _exit_code(command: click.Command, prog: str, words: list[str]) -> int:
    # Not command.main(): it would turn an interrupt into text of its own on stderr.
    try:
        with command.make_context(prog, words) as context:
            command.invoke(context)
        sys.stdout.flush()
        return 0
    except click.exceptions.Exit as end:  # --help and --version
        return end.exit_code
    except click.ClickException as error:
        _complain(prog, "USAGE", error.format_message(), f"{prog} --help")
        return _USAGE
    except MdstError as error:
        _complain(prog, error.id, error.message, error.hint)
        return error.exit_code
    except BrokenPipeError:
        # Python flushes stdout once more at exit: let that go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except Terminated:
        return _TERMINATED
    except KeyboardInterrupt:
        return _INTERRUPTED
    except Exception as bug:
        return _report_bug(prog, bug)


def _report_bug(prog: str, bug: Exception) -> int:
    if os.environ.get("MDST_DEBUG"):
        traceback.print_exception(bug)
    frame = traceback.extract_tb(bug.__traceback__)[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    what = f"{type(bug).__name__} at {place}: {bug}; this is a bug in mdst"
    _complain(prog, "INTERNAL", what, "MDST_DEBUG=1 shows where it comes from")
    return _BUG


def _complain(prog: str, id: str, message: str, hint: str | None) -> None:
    print(f"{prog}: error[{id}]: {_one_line(message)}", file=sys.stderr)
    if hint:
        print(f"hint: {_one_line(hint)}", file=sys.stderr)


def _one_line(text: str) -> str:
    """No line break, no control and no invisible mark reaches the terminal, whoever wrote it."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
