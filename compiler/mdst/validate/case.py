"""A known answer: tiny instructions that fill a kernel's buffers, and what must come out.

Buffers have the sizes of the real step and start as zeros; a case fills only what the answers look
at (a few rows of a weight), so it costs some bytes in the bundle and one dispatch on the device.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..codegen.kernel import Grid
from ..codegen.state import STATE, STATE_BYTES, pack_state
from ..philox import random_words

Pattern = tuple[int, int, int, int]

_ALL = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Kind:
    """What random words become: word i is `random & keep[i % 4] | add[i % 4]`."""

    keep: Pattern
    add: Pattern


BITS = Kind((_ALL,) * 4, (0,) * 4)
"""Any 32 bits."""
UNIT = Kind((0x807FFFFF,) * 4, (0x3F000000,) * 4)
"""float32 of either sign with a size in [0.5, 1)."""
HALF_PAIR = Kind((0x83FF83FF,) * 4, (0x2C002C00,) * 4)
"""Two float16 of either sign with a size in [1/16, 1/8)."""


@dataclass(frozen=True, slots=True)
class Fill:
    """`words` random words of `kind` from byte `offset` (a multiple of 4) on."""

    offset: int
    words: int
    seed: int
    kind: Kind = BITS

    def data(self) -> npt.NDArray[np.uint32]:
        keep = np.resize(np.array(self.kind.keep, np.uint32), self.words)
        add = np.resize(np.array(self.kind.add, np.uint32), self.words)
        return random_words(self.seed, self.words) & keep | add


@dataclass(frozen=True, slots=True)
class Words:
    """Given 32-bit words from byte `offset` on."""

    offset: int
    values: tuple[int, ...]

    def data(self) -> npt.NDArray[np.uint32]:
        return np.array(self.values, np.uint32)


@dataclass(frozen=True, slots=True)
class Expected:
    """What `binding` must hold from byte `offset` on: float32 within the case's tolerance, or
    32-bit words exactly."""

    binding: str
    offset: int
    floats: tuple[float, ...] = ()
    words: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One dispatch with its inputs and answers. `sizes` in bytes, in the order of the kernel's
    bindings; `tolerance` bounds Σ(a−b)² / Σb² over all float answers together."""

    sizes: Mapping[str, int]
    inputs: Mapping[str, tuple[Fill | Words, ...]]
    grid: Grid
    expected: tuple[Expected, ...]
    tolerance: float = 1e-9

    def contents(self) -> dict[str, npt.NDArray[np.uint32]]:
        """Every binding's initial content as 32-bit words."""
        buffers = {name: np.zeros(size // 4, np.uint32) for name, size in self.sizes.items()}
        for name, parts in self.inputs.items():
            for part in parts:
                data = part.data()
                buffers[name][part.offset // 4 : part.offset // 4 + data.size] = data
        return buffers


def state_words(**values: int | float | Iterable[int]) -> Words:
    """The state buffer with the given fields (others 0)."""
    return Words(0, struct.unpack(f"<{STATE_BYTES // 4}I", pack_state(STATE, values)))


def rounded(values: npt.NDArray[np.floating]) -> tuple[float, ...]:
    """Values cut to 16 mantissa bits: the last bits of a CPU's libm never reach a bundle."""
    mantissa, exponent = np.frexp(np.asarray(values, np.float64).reshape(-1))
    return tuple(np.ldexp(np.round(mantissa * 65536), exponent - 16).tolist())
