"""mdst-text: vocabularies and chat templates alone, for tests and scripts.

Both ways of the tokenizer read one JSON value a line on stdin and print one a line on stdout.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from .. import __version__
from ..errors import MalformedError, UsageError
from ..text import Tokenizer
from .errors import run_command
from .text_chat import chat_command
from .text_source import open_vocabulary

_SOURCE = click.argument("source", type=click.Path(path_type=Path))


@click.group(no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version")
def command() -> None:
    """Try the vocabulary or the chat template of SOURCE: a compiled model or a GGUF file."""


@command.command()
@_SOURCE
@click.option("--add-special", is_flag=True, help="Add BOS and EOS as the vocabulary says.")
@click.option("--parse-special", is_flag=True, help="Find control tokens written in the text.")
def tokenize(source: Path, add_special: bool, parse_special: bool) -> None:
    """One JSON string a line on stdin → one JSON array of token ids a line."""
    tokenizer = Tokenizer(open_vocabulary(source))
    for line, value in _lines():
        ids = tokenizer.encode(
            _text(line, value), add_special=add_special, parse_special=parse_special
        )
        print(json.dumps(ids, separators=(",", ":")), flush=True)


@command.command()
@_SOURCE
@click.option("--special", is_flag=True, help="Show control tokens as their text.")
def detokenize(source: Path, special: bool) -> None:
    """One JSON array of token ids a line on stdin → one JSON string a line."""
    tokenizer = Tokenizer(open_vocabulary(source))
    for line, value in _lines():
        ids = _ids(line, value)
        try:
            text = tokenizer.decode_text(ids, special=special, whole=True)
        except UsageError as error:
            raise UsageError(error.id, f"{_place(line)}: {error.message}") from None
        print(json.dumps(text), flush=True)


command.add_command(chat_command, "chat")


def _lines() -> Iterator[tuple[int, object]]:
    """Number, from 1, and JSON value of each line of stdin."""
    for number, line in enumerate(sys.stdin.buffer, 1):
        try:
            yield number, json.loads(line.decode())
        except (ValueError, RecursionError):
            raise MalformedError("TEXT010", f"{_place(number)} is not JSON") from None


def _text(line: int, value: object) -> str:
    if not isinstance(value, str):
        raise MalformedError("TEXT010", f"{_place(line)} is not a JSON string")
    return value


def _ids(line: int, value: object) -> list[int]:
    # bool is an int to Python, but true is no id.
    if not isinstance(value, list) or not all(type(id) is int for id in value):
        raise MalformedError("TEXT010", f"{_place(line)} is not a JSON array of token ids")
    return value


def _place(line: int) -> str:
    return f"line {line} of standard input"


def main(args: Sequence[str] | None = None) -> None:
    """The entry point."""
    run_command(command, "mdst-text", args)
