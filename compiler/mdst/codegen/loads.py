"""A decoder's loads apart from its arithmetic, so that a kernel can issue them long before."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAMES = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Apart:
    """A function that takes what it loaded as its last arguments, and the index of each load in
    the binding, as an expression of `chunk`."""

    text: str
    loads: tuple[str, ...]


def split_loads(text: str, binding: str = "w") -> Apart:
    """`text`: a WGSL function whose last parameter is `about: vec4<f32>`. Its loads
    `binding[index]` of which the index depends on nothing but `chunk` become parameters
    `load0: vec4<u32>`, …; others stay."""
    loads: list[str] = []
    out, at = "", 0
    for match in re.finditer(rf"\b{binding}\[", text):
        if match.start() < at:
            continue
        end = _closing(text, match.end())
        index = text[match.end() : end]
        if set(_NAMES.findall(re.sub(r"\d+u", "", index))) - {"chunk"}:
            continue
        if index not in loads:
            loads.append(index)
        out += text[at : match.start()] + f"load{loads.index(index)}"
        at = end + 1
    out += text[at:]
    more = "".join(f", load{i}: vec4<u32>" for i in range(len(loads)))
    return Apart(out.replace("about: vec4<f32>)", f"about: vec4<f32>{more})", 1), tuple(loads))


def _closing(text: str, start: int) -> int:
    """Where the bracket ends that opened before `start`."""
    depth = 1
    for i in range(start, len(text)):
        depth += {"[": 1, "]": -1}.get(text[i], 0)
        if depth == 0:
            return i
    raise ValueError(f"no closing bracket in {text[start:]!r}")
