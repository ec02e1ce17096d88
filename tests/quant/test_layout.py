"""The table: block sizes, planes that cover every field once, slice offsets, refusals."""

from __future__ import annotations

import pytest
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from mdst.errors import UnsupportedError
from mdst.quant.block import Format
from mdst.quant.layout import FORMATS, format_of, slice_layout

FORMAT = pytest.mark.parametrize("format", FORMATS.values(), ids=lambda f: f.type.name)


@FORMAT
def test_block_and_byte_counts_are_those_of_gguf(format: Format) -> None:
    assert (format.block, format.dtype.itemsize) == GGML_QUANT_SIZES[format.type]
    assert format.bytes == format.dtype.itemsize


@FORMAT
def test_planes_cover_every_byte_of_a_block_once(format: Format) -> None:
    covered = [
        byte
        for plane in format.planes
        for byte in range(format.offset(plane), format.offset(plane) + plane.bytes)
    ]
    assert sorted(covered) == list(range(format.bytes))


@FORMAT
def test_a_slice_grows_by_padding_only(format: Format) -> None:
    rows, cols = 3, 5 * max(32, format.block)
    layout = slice_layout(format, rows, cols)
    ends = [*list(layout.offsets.values())[1:], layout.total]
    for plane, end in zip(format.planes, ends, strict=True):
        used = rows * layout.row_blocks * plane.bytes
        padding = end - layout.offsets[plane.name] - used
        assert 0 <= padding < 16
        assert layout.offsets[plane.name] % 16 == 0
    assert layout.total % 16 == 0


def test_offsets_of_a_part_count_vec4_from_the_start_of_its_binding() -> None:
    layout = slice_layout(format_of(GGMLQuantizationType.Q4_K), rows=2, cols=512)
    assert dict(layout.offsets) == {"header": 0, "q": 64}
    assert layout.total == 2 * 2 * 144
    assert layout.vec4_offsets(start=160) == (("header", 10), ("q", 14))


def test_an_unknown_type_is_refused_by_name() -> None:
    unknown = next(t for t in GGMLQuantizationType if t not in FORMATS)
    with pytest.raises(UnsupportedError) as caught:
        format_of(unknown)
    assert caught.value.id == "QUANT001"
    assert unknown.name in caught.value.message
    assert all(t.name in caught.value.message for t in FORMATS)


@FORMAT
def test_rows_that_are_not_whole_chunks_and_blocks_are_refused(format: Format) -> None:
    with pytest.raises(UnsupportedError) as caught:
        slice_layout(format, 1, max(32, format.block) + 16)
    assert caught.value.id == "QUANT002"
