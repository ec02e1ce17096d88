"""Templates by Hugging Face's renderer, as Jinja2 runs it, and by the JavaScript interpreter."""

from __future__ import annotations

import copy
import datetime
import json
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Template, TemplateError, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

ROOT = Path(__file__).resolve().parents[3]
Conversation = dict[str, Any]
Ask = Callable[[list[dict[str, Any]]], list[dict[str, str]]]


class Generation(Extension):
    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        call = self.call_method("_render")
        return nodes.CallBlock(call, [], [], body).set_lineno(line)

    def _render(self, caller: Callable[[], str]) -> str:
        return caller()


def _tojson(
    x: Any,
    ensure_ascii: bool = False,
    indent: int | str | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(
        x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


@cache
def template_of(text: str) -> Template:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", Generation]
    )
    environment.filters["tojson"] = _tojson
    environment.filters["from_json"] = json.loads
    with warnings.catch_warnings():  # of code such as `1[0]`
        warnings.simplefilter("ignore", SyntaxWarning)
        return environment.from_string(text)


def render_reference(text: str, conversation: Conversation) -> str:
    """What Hugging Face's `apply_chat_template` renders. Raises whatever Jinja2 raises."""
    values = {"add_generation_prompt": False, **conversation}
    now = values.pop("now", None)

    def raise_exception(message: str) -> None:
        raise TemplateError(message)

    def strftime_now(format: str) -> str:
        time = datetime.datetime.fromisoformat(now) if now else datetime.datetime.now()
        return time.strftime(format)

    functions = {"raise_exception": raise_exception, "strftime_now": strftime_now}
    # A copy: Jinja2's own filters may change a list (`indent` adds to it in place).
    return template_of(text).render(functions | copy.deepcopy(values))


@pytest.fixture(scope="session")
def reference() -> Callable[[str, Conversation], str | None]:
    """What a template should render; None where it fails."""

    def render(text: str, conversation: Conversation) -> str | None:
        try:
            return render_reference(text, conversation)
        except Exception:  # Jinja2's errors, and any of Python's that a template runs into
            return None

    return render


@pytest.fixture(scope="session")
def ask() -> Ask:
    """Questions → answers of tests/runtime_js/template/answer.js."""
    beside = Path(sys.executable).with_name("deno")
    deno = shutil.which("deno") or (str(beside) if beside.exists() else None)
    if deno is None:
        pytest.skip("needs deno (the PyPI package of that name)")
    script = ROOT / "tests/runtime_js/template/answer.js"
    command = [deno, "run", "--no-config", "--no-remote", str(script)]

    def run(questions: list[dict[str, Any]]) -> list[dict[str, str]]:
        done = subprocess.run(
            command, input=json.dumps(questions), capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        answers: list[dict[str, str]] = json.loads(done.stdout)
        return answers

    return run
