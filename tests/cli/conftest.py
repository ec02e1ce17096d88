"""Commands, run in this process."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import click
import pytest

from mdst.cli.errors import run_command


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture
def invoke(capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Done]]:
    """`run(command, name, *words)`: the command as from a shell."""
    old = signal.getsignal(signal.SIGTERM)

    def run(command: click.Command, name: str, *words: object) -> Done:
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            run_command(command, name, [str(word) for word in words])
        out, err = capfd.readouterr()
        return Done(int(end.value.code or 0), out, err)

    yield run
    signal.signal(signal.SIGTERM, old)
