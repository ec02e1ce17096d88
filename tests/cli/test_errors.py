"""Every failure of a command is one line of one form and one exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from mdst.cli.errors import Terminated, run_command
from mdst.errors import CannotWriteError, MalformedError, MdstError

PACKAGE_ROOT = Path(__file__).resolve().parents[2] / "compiler"


@pytest.fixture(autouse=True)
def _old_handler() -> object:
    old = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, old)


def run(error: BaseException | None, *args: str) -> int:
    """The exit code of a command with one option that raises `error`."""

    @click.command()
    @click.option("--size", type=int)
    @click.version_option("1.2.3")
    def command(size: int | None) -> None:
        click.echo(f"size {size}")
        if error:
            raise error

    with pytest.raises(SystemExit) as end:
        run_command(command, "prog", args)
    return int(end.value.code or 0)


def test_success(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(None, "--size", "3") == 0
    assert capfd.readouterr() == ("size 3\n", "")


@pytest.mark.parametrize(("option", "word"), [("--help", "Usage: prog"), ("--version", "1.2.3")])
def test_what_click_answers_itself(
    option: str, word: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(None, option) == 0
    out, err = capfd.readouterr()
    assert word in out
    assert not err


@pytest.mark.parametrize("args", [["--size", "x"], ["--nope"], ["extra"]])
def test_usage(args: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert run(None, *args) == 2
    out, err = capfd.readouterr()
    assert not out
    assert err.startswith("prog: error[USAGE]: ")
    assert err.endswith("\nhint: prog --help\n")
    assert err.count("\n") == 2


@pytest.mark.parametrize("kind", MdstError.__subclasses__())
def test_expected_failures(kind: type[MdstError], capfd: pytest.CaptureFixture[str]) -> None:
    assert run(kind("X007", "it broke", hint="mend it")) == kind.exit_code
    assert capfd.readouterr().err == "prog: error[X007]: it broke\nhint: mend it\n"


def test_a_line_stays_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    run(MalformedError("X", "a\nb\x1b[31m\u202e\u2028c ü \udcff"))
    assert capfd.readouterr().err == ("prog: error[X]: a\\nb\\x1b[31m\\u202e\\u2028c ü \\udcff\n")


def test_a_bug_is_one_line_too(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MDST_DEBUG", raising=False)
    assert run(ZeroDivisionError("by\nzero")) == 70
    err = capfd.readouterr().err
    assert err.startswith("prog: error[INTERNAL]: ZeroDivisionError at test_errors.py:")
    assert "by\\nzero; this is a bug in mdst\nhint: MDST_DEBUG=1" in err
    assert err.count("\n") == 2
    monkeypatch.setenv("MDST_DEBUG", "1")
    assert run(ZeroDivisionError()) == 70
    assert capfd.readouterr().err.startswith("Traceback (most recent call last)")


@pytest.mark.parametrize(("stop", "code"), [(KeyboardInterrupt(), 130), (Terminated(), 143)])
def test_an_interrupt_says_nothing(
    stop: KeyboardInterrupt, code: int, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(stop) == code
    assert not capfd.readouterr().err


def test_exit_codes_of_writing() -> None:
    assert run(CannotWriteError("WRITE003", "full")) == 6


CHILD = """
import time
from pathlib import Path
import click
from mdst.bundle.writer import BundleWriter
from mdst.cli.errors import run_command

@click.command()
@click.argument("out", type=Path)
@click.option("--chatty", is_flag=True)
def command(out, chatty):
    with BundleWriter(out, force=False) as writer:
        writer.write("index.html", b"x")
        click.echo("writing")
        while chatty:
            click.echo("x" * 4096)
        time.sleep(60)

run_command(command, "prog")
"""


def start(*args: str) -> subprocess.Popen[bytes]:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(PACKAGE_ROOT)},
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"writing\n"
    return child


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_cleans_up(tmp_path: Path, number: signal.Signals, code: int) -> None:
    child = start(str(tmp_path / "out"))
    assert len(os.listdir(tmp_path)) == 2  # the lock and the unfinished bundle
    child.send_signal(number)
    assert child.communicate(timeout=20) == (b"", b"")
    assert child.returncode == code
    assert not os.listdir(tmp_path)


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    child = start(str(tmp_path / "out"), "--chatty")
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.close()
    assert child.wait(timeout=20) == 141
    with child.stderr:
        assert child.stderr.read() == b""
    assert not os.listdir(tmp_path)
