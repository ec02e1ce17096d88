"""mdst-text chat: a conversation as JSON on stdin → the prompt that a chat template makes of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from ..bundle.reader import Bundle
from ..errors import CannotReadError, MalformedError, UsageError, naming, printable
from ..gguf import read_gguf
from ..text import Tokenizer, Vocabulary, chat

_JINJA = {".jinja", ".jinja2", ".j2"}


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
def chat_command(source: Path) -> None:
    """Render the conversation on stdin, one JSON object, by the chat template of SOURCE: a compiled
    model, a GGUF file or a .jinja file.

    Its keys: messages, tools, add_generation_prompt, bos_token, eos_token (those of the model
    unless given), now (YYYY-MM-DD), and others that the template reads.
    """
    conversation = _conversation()
    templates, tokens = _open(source)
    prompt = chat.render_chat(templates, tokens | conversation)
    sys.stdout.buffer.write(prompt.encode("utf-8", "surrogatepass"))


def _conversation() -> dict[str, Any]:
    try:
        value = json.loads(sys.stdin.buffer.read().decode())
    except (ValueError, RecursionError):
        raise MalformedError("TEXT011", "standard input is not JSON") from None
    if not isinstance(value, dict):
        raise UsageError("CHAT009", "standard input is not a JSON object with messages")
    return value


def _open(source: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Trees by name, and texts of special tokens."""
    if source.is_dir():
        bundle = Bundle.open(source)
        return bundle.chat_templates(), chat.special_texts(Tokenizer(bundle.vocabulary()))
    with naming(printable(source.name)):
        if source.suffix in _JINJA:
            return {chat.DEFAULT: chat.compile_apart({source.name: _read(source)})[source.name]}, {}
        with read_gguf(source) as file:
            texts = chat.read_templates(file.metadata)
            tokenizer = Tokenizer(Vocabulary.from_metadata(file.metadata))
        trees = chat.load_templates(chat.compile_templates(texts)) if texts else {}
        return trees, chat.special_texts(tokenizer)


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except OSError as error:
        shown = printable(str(path), limit=400)
        raise CannotReadError("CHAT011", f"{shown}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise MalformedError("CHAT012", f"it is not UTF-8: byte {error.start}") from None
