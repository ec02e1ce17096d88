"""The dataclasses of the manifest → TypeScript declarations for the browser runtime.

`python -m mdst.bundle.types_js` writes runtime_js/runtime/manifest.d.ts anew; a test fails when the
file is not what this gives.
"""

from __future__ import annotations

import textwrap
import types
from dataclasses import fields, is_dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

from ..resources import folder
from .manifest import Manifest

TARGET = "runtime/manifest.d.ts"
"""The generated file, relative to runtime_js/."""

_HEAD = "// Generated from compiler/mdst/bundle/manifest.py by `python -m mdst.bundle.types_js`.\n"
_SCALARS = {int: "number", float: "number", str: "string", bool: "boolean", type(None): "null"}
_WIDTH = 100


def declarations() -> str:
    """An exported interface for Manifest and each dataclass in it, what is used before its user."""
    found: dict[type, str] = {}
    _declare(Manifest, found)
    return _HEAD + "".join(f"\n{text}" for text in found.values())


def _declare(cls: type, found: dict[type, str]) -> None:
    if cls in found:
        return
    hints = get_type_hints(cls)
    lines = []
    for field in fields(cls):
        lines.append(f"  {field.name}: {_type(hints[field.name], found)};\n")
    found[cls] = f"{_comment(cls.__doc__)}export interface {cls.__name__} {{\n{''.join(lines)}}}\n"


def _type(hint: Any, found: dict[type, str]) -> str:
    """The TypeScript of an annotation made of dataclasses, lists, unions and scalars."""
    if isinstance(hint, type) and is_dataclass(hint):
        _declare(hint, found)
        return hint.__name__
    if get_origin(hint) is list:
        item = _type(get_args(hint)[0], found)
        return f"({item})[]" if " " in item else f"{item}[]"
    if get_origin(hint) in (Union, types.UnionType):
        return " | ".join(_type(each, found) for each in get_args(hint))
    return _SCALARS[hint]


def _comment(text: str | None) -> str:
    words = " ".join((text or "").split())
    if len(words) + 7 <= _WIDTH:
        return f"/** {words} */\n"
    lines = textwrap.wrap(words, _WIDTH - 3, break_long_words=False, break_on_hyphens=False)
    return "/**\n" + "".join(f" * {line}\n" for line in lines) + " */\n"


def main() -> None:
    """Writes the file into a checkout."""
    path = folder("runtime_js") / TARGET
    path.write_text(declarations(), encoding="utf-8")
    print(path)


if __name__ == "__main__":
    main()
