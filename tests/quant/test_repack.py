"""Repacking moves every bit to one place, and back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from gguf.constants import GGMLQuantizationType

from mdst.quant import repack
from mdst.quant.block import Format
from mdst.quant.layout import FORMATS, format_of, slice_layout
from mdst.quant.repack import (
    pack,
    pack_rows,
    pack_slice,
    unpack,
    unpack_rows,
    unpack_slice,
)

Bytes = npt.NDArray[np.uint8]
RandomBlocks = Callable[[Format, int], Bytes]

FORMAT = pytest.mark.parametrize("format", FORMATS.values(), ids=lambda f: f.type.name)


def _joined(format: Format, planes: dict[str, Bytes], n: int) -> Bytes:
    return np.concatenate([planes[p.name].reshape(n, -1) for p in format.planes], axis=1)


@FORMAT
def test_unpack_undoes_pack(format: Format, random_blocks: RandomBlocks) -> None:
    blocks = random_blocks(format, 37)
    before = blocks.copy()
    planes = pack(format, blocks)
    assert {p.name: p.bytes * 37 for p in format.planes} == {k: v.size for k, v in planes.items()}
    packed = {name: data.copy() for name, data in planes.items()}
    np.testing.assert_array_equal(unpack(format, planes), before)
    np.testing.assert_array_equal(blocks, before)
    for name, data in planes.items():
        np.testing.assert_array_equal(data, packed[name])


@FORMAT
def test_pack_undoes_unpack(format: Format, rng: np.random.Generator) -> None:
    planes = {p.name: rng.integers(0, 256, 5 * p.bytes, np.uint8) for p in format.planes}
    again = pack(format, unpack(format, planes))
    for name, data in planes.items():
        np.testing.assert_array_equal(again[name], data)


@FORMAT
def test_every_bit_goes_to_one_place_of_its_own(format: Format) -> None:
    bits = 8 * format.bytes
    blocks = np.packbits(np.eye(bits, dtype=np.uint8), axis=1, bitorder="little")
    moved = np.unpackbits(_joined(format, pack(format, blocks), bits), axis=1)
    assert (moved.sum(axis=0) == 1).all()
    assert (moved.sum(axis=1) == 1).all()


@FORMAT
def test_many_slabs_give_what_one_gives(
    format: Format, random_blocks: RandomBlocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = random_blocks(format, 23)
    whole = _joined(format, pack(format, blocks), 23)
    monkeypatch.setattr(repack, "_SLAB", 5 * format.bytes)
    planes = pack(format, blocks)
    np.testing.assert_array_equal(_joined(format, planes, 23), whole)
    np.testing.assert_array_equal(unpack(format, planes), blocks)


@FORMAT
def test_row_ranges_write_what_the_whole_slice_has(
    format: Format, random_blocks: RandomBlocks
) -> None:
    rows, cols = 7, 3 * max(32, format.block)
    layout = slice_layout(format, rows, cols)
    raw = random_blocks(format, rows * layout.row_blocks).reshape(rows, -1)
    streamed = np.zeros(layout.total, np.uint8)
    for first, last in ((0, 2), (2, 3), (3, 7)):
        for offset, data in pack_rows(layout, raw[first:last], first):
            streamed[offset : offset + data.size] = data
    packed = pack_slice(format, raw, rows, cols)
    np.testing.assert_array_equal(streamed, packed)
    np.testing.assert_array_equal(unpack_slice(format, packed, rows, cols), raw)
    np.testing.assert_array_equal(unpack_rows(layout, packed, 2, 3), raw[2:5])


def test_a_nibble_chunk_is_32_consecutive_weights(rng: np.random.Generator) -> None:
    """Codes put into a Q4_K block as ggml does are found where the layout promises."""
    codes = rng.integers(0, 16, (8, 32), np.uint8)
    format = format_of(GGMLQuantizationType.Q4_K)
    blocks = np.zeros((1, format.bytes), np.uint8)
    blocks[0, 16:] = (codes[0::2] | codes[1::2] << 4).reshape(-1)
    chunks = pack(format, blocks)["q"].reshape(8, 16)
    np.testing.assert_array_equal(chunks, codes[:, :16] | codes[:, 16:] << 4)


def test_fifth_bits_of_a_chunk_are_one_word(rng: np.random.Generator) -> None:
    bits = rng.integers(0, 2, (8, 32), np.uint8)
    format = format_of(GGMLQuantizationType.Q5_K)
    blocks = np.zeros((1, format.bytes), np.uint8)
    blocks[0, 16:48] = np.packbits(bits, axis=0, bitorder="little")[0]
    words = pack(format, blocks)["h"].view("<u4")
    for k in range(8):
        lanes = ((words >> np.uint32(k)) & np.uint32(0x01010101)).view(np.uint8).reshape(8, 4)
        np.testing.assert_array_equal(lanes, bits[:, 4 * k : 4 * k + 4])


def test_high_pairs_of_a_chunk_are_two_words(rng: np.random.Generator) -> None:
    pairs = rng.integers(0, 4, (2, 4, 32), np.uint8)
    format = format_of(GGMLQuantizationType.Q6_K)
    blocks = np.zeros((1, format.bytes), np.uint8)
    shift = np.arange(0, 8, 2, dtype=np.uint8)[:, None]
    blocks[0, 128:192] = np.bitwise_or.reduce(pairs << shift, axis=1).reshape(-1)
    words = pack(format, blocks)["qh"].view("<u4").reshape(8, 2)
    for k in range(4):
        lanes = ((words >> np.uint32(2 * k)) & np.uint32(0x03030303)).view(np.uint8)
        low_and_high = pairs.reshape(8, 2, 16)[:, :, 4 * k : 4 * k + 4]
        np.testing.assert_array_equal(lanes.reshape(8, 2, 4), low_and_high)


def test_nibbles_of_eight_weights_become_chunks(rng: np.random.Generator) -> None:
    """NVFP4: 8 bytes hold 8 weights in their low nibbles and the next 8 in the high ones."""
    codes = rng.integers(0, 16, (2, 2, 2, 8), np.uint8)  # chunk, half of it, nibble, byte
    format = format_of(GGMLQuantizationType.NVFP4)
    blocks = np.zeros((1, format.bytes), np.uint8)
    blocks[0, 4:] = (codes[:, :, 0] | codes[:, :, 1] << 4).reshape(-1)
    chunks = pack(format, blocks)["q"].reshape(2, 16)
    low, high = codes.reshape(2, 2, 16).swapaxes(0, 1)
    np.testing.assert_array_equal(chunks, low | high << 4)


def test_indices_and_signs_of_a_chunk_lie_together(rng: np.random.Generator) -> None:
    format = format_of(GGMLQuantizationType.IQ2_S)
    blocks = np.zeros((1, format.bytes), np.uint8)
    indices, signs = rng.integers(0, 256, (2, 8, 4), np.uint8)
    blocks[0, 2:66] = np.concatenate([indices, signs]).reshape(-1)
    chunks = pack(format, blocks)["q"].reshape(8, 8)
    np.testing.assert_array_equal(chunks, np.concatenate([indices, signs], axis=1))
