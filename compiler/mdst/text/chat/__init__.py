"""Chat templates: Jinja2 source in GGUF metadata → a tree as data → a conversation's prompt.

`templates` reads the metadata and makes chat_template.json; `parse` turns a text into a tree of
what `allowed` lists, in the limited process of `isolate` and `child`.
"""

from __future__ import annotations

from .templates import FILE, compile_templates, load_templates, read_templates

__all__ = ["FILE", "compile_templates", "load_templates", "read_templates"]
