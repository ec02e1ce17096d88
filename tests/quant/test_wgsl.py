"""The macros of `_quant.wgsl.j2` on a device: the same bits as numpy, and accurate dot products."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pytest
from gguf.constants import GGMLQuantizationType
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mdst.codegen.kernel import Binding, Grid, Kernel, KernelParams
from mdst.codegen.part import Part
from mdst.codegen.tiers import Tier
from mdst.hosts.wgpu_device import Device
from mdst.quant.block import Format
from mdst.quant.decode import decode
from mdst.quant.grids import packed_grid
from mdst.quant.layout import FORMATS, slice_layout
from mdst.quant.repack import pack_slice
from mdst.resources import folder

Bytes = npt.NDArray[np.uint8]
RandomBlocks = Callable[[Format, int], Bytes]

FORMAT = pytest.mark.parametrize("format", FORMATS.values(), ids=lambda f: f.type.name)

PROBE = """
{% import "_quant.wgsl.j2" as quant %}
@group(0) @binding(0) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> values: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> dots: array<f32>;
{{ quant.helpers(parts | map(attribute="type")) }}
{% for part in parts %}
{{ quant.chunk_decoder("decode" ~ loop.index, part, "weights") }}
{{ quant.chunk_dot("dot" ~ loop.index, part, "weights") }}
{% endfor %}
@compute @workgroup_size(1) fn main(@builtin(workgroup_id) group: vec3<u32>) {
  let out = group.x;
  let here = array<vec4<f32>, 8>(
{% for k in range(8) %}
    x[out * 8u + {{ k }}u],
{% endfor %}
  );
{% for part in parts %}
{% set chunks = part.rows * part.cols // 32 %}
{% set before = loop.index0 * chunks %}
  if (out >= {{ before }}u && out < {{ before + chunks }}u) {
    let w = decode{{ loop.index }}(out - {{ before }}u);
{% for k in range(8) %}
    values[out * 8u + {{ k }}u] = w[{{ k }}];
{% endfor %}
    dots[out] = dot{{ loop.index }}(out - {{ before }}u, here);
  }
{% endfor %}
}
"""


class PreconditionError(Exception):
    pass


def _require(condition: bool, message: str) -> str:
    if not condition:
        raise PreconditionError(message)
    return ""


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(folder("templates") / "wgsl"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.do"],
    )
    environment.globals["require"] = _require
    return environment


@dataclass(frozen=True)
class _Probe(KernelParams):
    template: ClassVar[str] = "none"
    chunks: int

    @property
    def bindings(self) -> tuple[Binding, ...]:
        return (
            Binding("weights", "read", "array<vec4<u32>>"),
            Binding("x", "read", "array<vec4<f32>>"),
            Binding("values", "read_write", "array<vec4<f32>>"),
            Binding("dots", "read_write", "array<f32>"),
        )

    def workgroup(self, tier: Tier) -> int:
        return 1

    def grid(self, tier: Tier, tokens: int) -> Grid:
        return (self.chunks, 1, 1)


@FORMAT
def test_decoder_and_dot_of_two_parts_in_one_module(
    format: Format, random_blocks: RandomBlocks, rng: np.random.Generator, device: Device
) -> None:
    rows, cols = 3, 3 * max(32, format.block)
    blocks = random_blocks(format, 2 * rows * cols // format.block)
    x = rng.standard_normal((2 * rows * cols // 32, 32), np.float32)
    values, dots = _run(device, format, blocks, x, rows)
    expected = decode(format, blocks).reshape(-1, 32)
    # A device may flush a result that is subnormal itself (MXFP4 has such weights), nothing else.
    flushed = (values == 0) & (np.abs(expected) < np.finfo(np.float32).tiny)
    np.testing.assert_array_equal(
        np.where(flushed, 0, values.view(np.uint32)), np.where(flushed, 0, expected.view(np.uint32))
    )
    _close(dots, expected, x)


def test_the_smallest_scales_of_mxfp4_count(rng: np.random.Generator, device: Device) -> None:
    """They are no normal float32 numbers, but their products with large inputs are."""
    format = FORMATS[GGMLQuantizationType.MXFP4]
    blocks = rng.integers(0, 256, (12, format.bytes), np.uint8)
    blocks[:, 0] = np.arange(12) % 4
    x = rng.standard_normal((12, 32), np.float32) * np.float32(2**100)
    _, dots = _run(device, format, blocks, x, 2)
    weights = decode(format, blocks).astype(np.float64)
    exact = (weights * x).sum(axis=1)
    assert (np.abs(dots - exact) < 1e-6 * np.abs(weights * x).sum(axis=1)).all()


def _run(
    device: Device, format: Format, blocks: Bytes, x: npt.NDArray[np.float32], rows: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Decoded chunks [n, 32] and their dots [n] with x [n, 32], for blocks of two parts of `rows`
    rows each."""
    chunks = len(x)
    cols = 32 * chunks // (2 * rows)
    layout = slice_layout(format, rows, cols)
    book = packed_grid(format.grid).view(np.uint8) if format.grid else np.zeros(0, np.uint8)
    start = 16 + book.size
    parts = [
        Part(
            format.type.name,
            rows,
            cols,
            (*layout.vec4_offsets(start + i * layout.total), ("grid", 1)),
        )
        for i in range(2)
    ]
    packed = [pack_slice(format, half, rows, cols) for half in np.split(blocks, 2)]
    probe = _Probe(chunks)
    text = _environment().from_string(PROBE).render(parts=parts)
    result = device.run(
        Kernel("probe", device.tier, probe, text),
        {
            "weights": np.concatenate([np.zeros(16, np.uint8), book, *packed]),
            "x": x,
            "values": np.zeros((chunks, 32), np.float32),
            "dots": np.zeros(chunks, np.float32),
        },
        probe.grid(device.tier, 1),
    )
    values = result["values"].view(np.float32).reshape(chunks, 32)
    return values, result["dots"].view(np.float32)[:chunks]


def _close(
    dots: npt.NDArray[np.float32], w: npt.NDArray[np.float32], x: npt.NDArray[np.float32]
) -> None:
    """Chunk by chunk relative to |w|·|x|, so that small scales count like large ones."""
    w64, x64 = w.astype(np.float64), x.astype(np.float64)
    size = np.linalg.norm(w64, axis=1) * np.linalg.norm(x64, axis=1)
    normal = size > 1e-30  # smaller products leave the normal range, where devices may flush
    exact = (w64 * x64).sum(axis=1)[normal] / size[normal]
    error = dots[normal] / size[normal] - exact
    assert np.abs(error).max() < 1e-6
    assert np.square(error).sum() < 1e-12 * np.square(exact).sum()
    np.testing.assert_allclose(dots[~normal], 0, atol=1e-29)


@pytest.mark.parametrize("macro", ["chunk_decoder", "chunk_dot"])
def test_broken_rows_do_not_render(macro: str) -> None:
    part = Part("Q4_K", 1, 128, (("header", 0), ("q", 1)))
    source = '{% import "_quant.wgsl.j2" as quant %}{{ quant.' + macro + '("f", part) }}'
    with pytest.raises(PreconditionError):
        _environment().from_string(source).render(part=part)


def test_every_format_and_no_other_has_a_decoder() -> None:
    source = '{% import "_quant.wgsl.j2" as quant %}{{ quant.helpers([type]) }}'
    template = _environment().from_string(source)
    for type in GGMLQuantizationType:
        if type in FORMATS:
            assert "fn quant_sum" in template.render(type=type.name)
        else:
            with pytest.raises(PreconditionError):
                template.render(type=type.name)


@FORMAT
def test_nothing_needs_a_language_extension(format: Format) -> None:
    """packed_4x8_integer_dot_product and f16 are for higher tiers; naga alone would not notice."""
    planes = (*(plane.name for plane in format.planes), "grid")
    part = Part(format.type.name, 1, 256, tuple((name, 0) for name in planes))
    text = _environment().from_string(PROBE).render(parts=[part])
    assert not re.search(r"\b(unpack4x[UI]8|dot4[UI]8Packed|f16|enable|requires)\b", text)
