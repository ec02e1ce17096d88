"""Chat templates of a GGUF file → chat_template.json, which hosts render conversations from.

    {"format": 1, "templates": {"default": tree, "tool_use": tree, …}}

A tree is what `translate` says. A model without a template has no such file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ...errors import MalformedError, printable
from .. import metadata as md
from .isolate import compile_apart

FILE = "chat_template.json"
FORMAT = 1
DEFAULT = "default"
TOOL_USE = "tool_use"
KEY = "tokenizer.chat_template"


def read_templates(metadata: md.Metadata) -> dict[str, str]:
    """Key → text of the templates that the file has: `tokenizer.chat_template`, and
    `tokenizer.chat_template.NAME` for others. Raises MalformedError (TEXT002) for what is no text.
    """
    keys = [key for key in metadata if key == KEY or key.startswith(f"{KEY}.")]
    return {key: md.text(metadata, key) or "" for key in keys}


def compile_templates(texts: Mapping[str, str]) -> bytes:
    """What chat_template.json holds for templates under their keys in the file.

    Raises MalformedError and UnsupportedError as `isolate.compile_apart`.
    """
    trees = compile_apart(texts)
    templates = {key.removeprefix(KEY).removeprefix(".") or DEFAULT: trees[key] for key in texts}
    return json.dumps(
        {"format": FORMAT, "templates": templates}, ensure_ascii=False, separators=(",", ":")
    ).encode("utf-8", "surrogatepass")


def load_templates(data: bytes) -> dict[str, Any]:
    """Trees by name, of a chat_template.json. Raises MalformedError (CHAT010)."""
    try:
        content = json.loads(data.decode("utf-8", "surrogatepass"))
        if content["format"] == FORMAT:
            return dict(content["templates"])
        what = f"has format {printable(str(content['format']))}, not {FORMAT}"
    except (ValueError, KeyError, TypeError, RecursionError):
        what = "is not what mdst writes"
    raise MalformedError("CHAT010", f"{FILE} {what}", hint="compile the model again")
