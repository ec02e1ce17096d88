"""Known answers of the WASM modules: every matrix product and what prepares it, on random
weights."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import numpy as np
import numpy.typing as npt

from ..codegen.part import Part
from ..codegen.wasm.generate import WasmCode, probe
from ..codegen.wasm.kernels import MatMul
from ..codegen.wasm.memory import MemoryMap
from ..errors import InternalError
from ..hosts.wasm_engine import Instance
from ..quant.layout import format_named, slice_layout
from .case import UNIT, Fill, Words
from .cases.weights import fill_part, grid_words, part_end

_ROWS = 5
_TOKENS = 5
"""More than the four that kernels take at a time."""
_BOUND = {"f32": 1e-10, "i16": 1e-7, "i7": 1e-3}
"""Largest Σ(a−b)² / Σb² by the form of the activations."""
_ALIGNMENT = 64

Floats = npt.NDArray[np.float32]


def check_products(code: WasmCode) -> Iterator[str]:
    """Runs the products of a module on one token and on several, and yields the functions that were
    right. Raises InternalError for the first that is wrong."""
    products = [kernel for kernel in code.functions.kernels if isinstance(kernel, MatMul)]
    data, map = probe(code, max([map_bytes(kernel) for kernel in products], default=0))
    module = Instance(f"{code.name} (probe)", data, map.pages, code.variant.features)
    for kernel in products:
        for tokens in (1, _TOKENS):
            error = _error(module, map, kernel, tokens)
            if not error <= _BOUND[kernel.format.kind]:
                raise InternalError(
                    "VALIDATE004",
                    f"{kernel.function[1:]} of the WASM module {code.name} is off by {error:.2g}",
                    hint="this is a bug in mdst or in wasmtime; --validate none skips the check",
                )
        yield kernel.function[1:]


def _part(kernel: MatMul) -> Part:
    """Rows of the kernel's format alone in a binding, its code book behind them."""
    format = format_named(kernel.format.name)
    layout = slice_layout(format, _ROWS, 32 * kernel.chunks)
    grid = (("grid", layout.total // 16),) if format.grid else ()
    return Part(kernel.format.name, _ROWS, layout.cols, layout.vec4_offsets(0) + grid)


def _places(kernel: MatMul) -> tuple[int, int, int, int]:
    """Offsets of x, its record and out behind the weights, and the end. Decoders may read on for a
    group."""
    tokens = -(-_TOKENS // 4) * 4
    x = -(-(part_end(_part(kernel)) + 4096) // _ALIGNMENT) * _ALIGNMENT
    record = x + tokens * 128 * kernel.chunks
    out = record + tokens * kernel.shape.record
    return x, record, out, out + 4 * tokens * _ROWS


def map_bytes(kernel: MatMul) -> int:
    """Memory for a case of the kernel."""
    return _places(kernel)[3] + 4096


def _error(module: Instance, map: MemoryMap, kernel: MatMul, tokens: int) -> float:
    part, start = _part(kernel), map.weights[0]
    filled = fill_part(part, range(_ROWS), count(1))
    fills: list[Fill | Words] = [*filled.fills, *grid_words([part])]
    for fill in fills:
        _put(module, start + fill.offset, fill.data())
    x_at, record_at, out_at, _ = (start + offset for offset in _places(kernel))
    x = Fill(0, tokens * 32 * kernel.chunks, 7, UNIT).data().view(np.float32)
    _put(module, x_at, x)
    planes = [start + 16 * part.planes[plane.name] for plane in kernel.format.planes]
    if kernel.format.grid:
        planes.append(start + 16 * part.planes["grid"])
    source = x_at
    if kernel.format.kind != "f32":
        module.call(f"quantise_{kernel.format.kind}_{kernel.chunks}", x_at, record_at, tokens)
        source = record_at
    module.call(kernel.function[1:], *planes, _ROWS, source, out_at, 4 * _ROWS, tokens)
    found = module.memory[out_at : out_at + 4 * tokens * _ROWS].view(np.float32)
    expected = x.reshape(tokens, -1).astype(np.float64) @ filled.matrix.weights.T
    difference = found.reshape(tokens, _ROWS).astype(np.float64) - expected
    return float(np.sum(difference**2) / np.sum(expected**2))


def _put(module: Instance, address: int, words: npt.NDArray[np.generic]) -> None:
    data = words.view(np.uint8)
    module.memory[address : address + data.size] = data
