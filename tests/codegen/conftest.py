"""Fixtures of kernel tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import count

import numpy as np
import numpy.typing as npt
import pytest

from mdst.codegen.kernel import KernelParams
from mdst.codegen.part import Part
from mdst.codegen.templates import render
from mdst.hosts.wgpu_device import Device
from mdst.quant.grids import grid_bytes
from mdst.quant.layout import FORMATS, slice_layout
from mdst.validate.case import Case
from mdst.validate.cases.weights import fill_part, grid_words, part_end
from mdst.validate.reference.matmul import Matrix

LayOut = Callable[..., tuple[Part, ...]]
FillAll = Callable[[Sequence[Part]], tuple[npt.NDArray[np.uint32], list[Matrix]]]
CaseError = Callable[[KernelParams, Case], float]


@pytest.fixture
def lay_out() -> LayOut:
    """(type, rows, cols) of each part → parts one after another in a binding, with an odd start;
    `bias` and `scale` name the parts that have one."""
    formats = {format.type.name: format for format in FORMATS.values()}

    def build(
        *shapes: tuple[str, int, int], bias: Iterable[int] = (), scale: Iterable[int] = ()
    ) -> tuple[Part, ...]:
        parts: list[Part] = []
        start = 7 * 16
        for i, (type, rows, cols) in enumerate(shapes):
            layout = slice_layout(formats[type], rows, cols)
            grid = layout.format.grid
            books = (("grid", start // 16),) if grid else ()
            start += grid_bytes(grid) if grid else 0
            part = Part(type, rows, cols, layout.vec4_offsets(start) + books)
            if i in bias:
                part = replace(part, bias=part_end(part) // 16)
            if i in scale:
                part = replace(part, scale=part_end(part) // 16)
            parts.append(part)
            start = part_end(part)
        return tuple(parts)

    return build


@pytest.fixture
def fill_all(rng: np.random.Generator) -> FillAll:
    """Parts → their binding with all rows random, and the matrices that it means. Beyond the parts
    it holds 16 bytes of ones, which nothing may read."""

    def fill(parts: Sequence[Part]) -> tuple[npt.NDArray[np.uint32], list[Matrix]]:
        words = np.zeros(max(map(part_end, parts)) // 4 + 4, np.uint32)
        words[-4:] = 0xFFFFFFFF
        seeds = count(int(rng.integers(2**31)))
        matrices = []
        for book in grid_words(parts):
            words[book.offset // 4 : book.offset // 4 + len(book.values)] = book.data()
        for part in parts:
            filled = fill_part(part, range(part.rows), seeds)
            matrices.append(filled.matrix)
            for one in filled.fills:
                words[one.offset // 4 : one.offset // 4 + one.words] = one.data()
        return words, matrices

    return fill


@pytest.fixture
def case_error(device: Device) -> CaseError:
    """Σ(a−b)² / Σb² of what a kernel gives for the inputs of a case."""

    def run(params: KernelParams, case: Case) -> float:
        kernel = render(params, device.tier)
        outputs = device.run(kernel, case.contents(), case.grid)
        got = [
            outputs[e.binding].view(np.float32)[e.offset // 4 :][: len(e.floats)]
            for e in case.expected
        ]
        want = np.concatenate([e.floats for e in case.expected])
        return float(np.sum((np.concatenate(got) - want) ** 2) / np.sum(want**2))

    return run
