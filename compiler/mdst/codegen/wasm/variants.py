"""The forms of a module: what an engine must have for it, and what it then uses."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Variant:
    """`relaxed`: dot products of relaxed SIMD on int8 activations. `threads`: shared memory and a
    team of instances. `wide`: 64-bit addresses."""

    relaxed: bool = False
    threads: bool = False
    wide: bool = False

    @property
    def name(self) -> str:
        kind = "relaxed" if self.relaxed else "base"
        return kind + ("-threads" if self.threads else "")

    @property
    def features(self) -> list[str]:
        """Names of WebAssembly's features beyond its first version."""
        wanted = {
            "simd": True,
            "relaxed-simd": self.relaxed,
            "threads": self.threads,
            "memory64": self.wide,
        }
        return [name for name, needed in wanted.items() if needed]


FORMS = (
    Variant(),
    Variant(relaxed=True),
    Variant(threads=True),
    Variant(relaxed=True, threads=True),
)
"""The modules of a bundle, the plainest first; wide where their memory asks for it."""
