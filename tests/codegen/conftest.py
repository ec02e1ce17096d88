"""Fixtures of kernel tests.

A device without subgroups of 32 lanes runs kernels that want them all the same: what lanes tell
each other goes through workgroup memory. That takes barriers, so it wants uniform control flow,
where the kernels only need it uniform in a subgroup.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mdst.codegen.kernel import KernelParams
from mdst.codegen.part import Part
from mdst.codegen.templates import render
from mdst.codegen.tiers import FLOAT_TIERS
from mdst.errors import UnsupportedError
from mdst.hosts import wgpu_device
from mdst.hosts.wgpu_device import Device, Shader
from mdst.quant.grids import grid_bytes
from mdst.quant.layout import FORMATS, slice_layout
from mdst.validate.case import Case
from mdst.validate.cases.weights import fill_part, grid_words, part_end
from mdst.validate.reference.matmul import Matrix

LayOut = Callable[..., tuple[Part, ...]]
FillAll = Callable[[Sequence[Part]], tuple[npt.NDArray[np.uint32], list[Matrix]]]
CaseError = Callable[[KernelParams, Case], float]


_FUNCTIONS = """
var<private> subgroup_lane: u32;
var<workgroup> subgroup_values: array<vec4<f32>, 1024>;
var<workgroup> subgroup_words: array<u32, 1024>;

fn exchanged_vec4(value: vec4<f32>, mask: u32) -> vec4<f32> {
  subgroup_values[subgroup_lane] = value;
  workgroupBarrier();
  let other = subgroup_values[subgroup_lane ^ mask];
  workgroupBarrier();
  return other;
}

fn exchanged_f32(value: f32, mask: u32) -> f32 {
  return exchanged_vec4(vec4<f32>(value), mask).x;
}

fn exchanged_u32(value: u32, mask: u32) -> u32 {
  subgroup_words[subgroup_lane] = value;
  workgroupBarrier();
  let other = subgroup_words[subgroup_lane ^ mask];
  workgroupBarrier();
  return other;
}

fn value_of_lane(value: f32, lane: u32) -> f32 {
  subgroup_values[subgroup_lane] = vec4<f32>(value);
  workgroupBarrier();
  let other = subgroup_values[(subgroup_lane & ~31u) + lane];
  workgroupBarrier();
  return other.x;
}

fn subgroup_sum(value: f32) -> f32 {
  var sum = value;
  for (var mask = 1u; mask < 32u; mask *= 2u) {
    sum += exchanged_f32(sum, mask);
  }
  return sum;
}

fn subgroup_largest(value: f32) -> f32 {
  var largest = value;
  for (var mask = 1u; mask < 32u; mask *= 2u) {
    largest = max(largest, exchanged_f32(largest, mask));
  }
  return largest;
}
"""
_DECLARED = re.compile(r"\bvar (\w+) = (vec4<f32>|bitcast<u32>)")
_TWINS = {
    "subgroupAdd": "subgroup_sum",
    "subgroupMax": "subgroup_largest",
    "subgroupShuffle": "value_of_lane",
}
_SHUFFLE = re.compile(r"\bsubgroupShuffleXor\(([\w.]+), ")
_MAIN = re.compile(r"(local_invocation_index\) lane: u32,\n\) \{\n)")


def without_subgroups(wgsl: str) -> str:
    """A kernel that means the same, for one-dimensional workgroups of whole subgroups."""
    types = {name: "vec4" if "vec4" in kind else "u32" for name, kind in _DECLARED.findall(wgsl)}

    def exchanged(match: re.Match[str]) -> str:
        return f"exchanged_{types.get(match[1], 'f32')}({match[1]}, "

    wgsl = _SHUFFLE.sub(exchanged, wgsl)
    for function, twin in _TWINS.items():
        wgsl = wgsl.replace(f"{function}(", f"{twin}(")
    assert not re.search(r"\bsubgroup[A-Z]", wgsl), "a subgroup function that is not emulated"
    return _FUNCTIONS + _MAIN.sub(r"\1  subgroup_lane = lane;\n", wgsl)


@dataclass(frozen=True)
class _Rewritten:
    name: str
    wgsl: str
    access: tuple[str, ...]


class EmulatedSubgroups(Device):
    """A device of tier dp4a32 that needs no subgroups."""

    def __init__(self) -> None:
        with pytest.MonkeyPatch.context() as patch:
            more = {**wgpu_device.LIMITS, **wgpu_device._limits("dp4a32")}
            patch.setattr(wgpu_device, "LIMITS", more)
            super().__init__("dp4a")
        self.tier = "dp4a32"

    def pipeline(self, shader: Shader) -> Any:
        wgsl = without_subgroups(shader.wgsl)
        return super().pipeline(_Rewritten(shader.name, wgsl, tuple(shader.access)))


@pytest.fixture(scope="session", params=FLOAT_TIERS)
def device(request: pytest.FixtureRequest) -> Iterator[Device]:
    """A GPU device of each tier; skips where there is no adapter, but for subgroups of 32 lanes."""
    try:
        yield Device(request.param)
    except UnsupportedError as error:
        if request.param != "dp4a32":
            pytest.skip(error.message)
        yield EmulatedSubgroups()


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
