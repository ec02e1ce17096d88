"""Chat templates: Jinja2 source in GGUF metadata → a tree as data → a conversation's prompt.

At compile time, `templates` reads the metadata and makes chat_template.json; `parse` and
`translate` turn a text into a tree of what `allowed` lists, and `trial` renders it once, all in the
limited process of `isolate` and `child`. Later, `conversation`, `render` and `renderer` make
prompts: `values` are what templates compute with, `operators`, `access`, `methods`, `filters` and
`tests` what they do with them. runtime_js/runtime/template/ does the same in the page.
"""

from __future__ import annotations

from .conversation import chat_ids, render_chat, special_texts
from .isolate import compile_apart
from .templates import DEFAULT, FILE, compile_templates, load_templates, read_templates

__all__ = [
    "DEFAULT",
    "FILE",
    "chat_ids",
    "compile_apart",
    "compile_templates",
    "load_templates",
    "read_templates",
    "render_chat",
    "special_texts",
]
