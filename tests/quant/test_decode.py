"""Decoding agrees bit for bit with `gguf`'s own dequantisation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from gguf.constants import GGMLQuantizationType
from gguf.gguf_reader import GGUFReader

from mdst.quant.block import Format
from mdst.quant.decode import decode, decode_rows
from mdst.quant.layout import FORMATS, format_of

Bytes = npt.NDArray[np.uint8]
RandomBlocks = Callable[[Format, int], Bytes]
Oracle = Callable[[npt.NDArray[Any], GGMLQuantizationType], npt.NDArray[np.float32]]

FORMAT = pytest.mark.parametrize("format", FORMATS.values(), ids=lambda f: f.type.name)


def _differing(ours: npt.NDArray[np.float32], theirs: npt.NDArray[np.float32]) -> int:
    """Values that differ in a bit."""
    assert ours.dtype == theirs.dtype == np.float32
    a, b = ours.reshape(-1).view(np.uint32), theirs.reshape(-1).view(np.uint32)
    assert a.size == b.size
    return int(np.count_nonzero(a != b))


@FORMAT
def test_finite_blocks(format: Format, random_blocks: RandomBlocks, oracle: Oracle) -> None:
    blocks = random_blocks(format, 1024)
    assert _differing(decode(format, blocks), oracle(blocks, format.type)) == 0


@FORMAT
def test_infinite_and_nan_fields_give_the_same_and_no_warning(
    format: Format, rng: np.random.Generator, oracle: Oracle
) -> None:
    blocks = rng.integers(0, 256, (2048, format.bytes), np.uint8)
    ours = decode(format, blocks).reshape(-1)
    np.testing.assert_array_equal(ours, oracle(blocks, format.type).reshape(-1))


@pytest.mark.parametrize("bits", [0x0000, 0x8000, 0x0001, 0x03FF, 0x0400, 0x7BFF, 0xFBFF])
@FORMAT
def test_all_codes_with_an_extreme_scale(format: Format, bits: int, oracle: Oracle) -> None:
    """Every byte of codes and sub-block scales takes all 256 values, every f16 is `bits`."""
    blocks = np.tile(np.arange(256, dtype=np.uint8)[:, None], (1, format.bytes))
    records = blocks.reshape(-1).view(format.dtype)
    for field in format.fields:
        if field.number == "f16":
            records[field.name] = np.uint16(bits).view(np.float16)
        if field.number == "split f16":
            tops = np.uint16(bits) >> np.arange(0, 16, 4, dtype=np.uint16) << np.uint16(12)
            records[field.name] = records[field.name] & np.uint16(0x0FFF) | tops
    assert _differing(decode(format, blocks), oracle(blocks, format.type)) == 0


def test_rows() -> None:
    format = format_of(GGMLQuantizationType.Q8_0)
    block = np.concatenate([np.array([0.5], "<f2").view(np.uint8), np.arange(32, dtype=np.uint8)])
    raw = np.tile(block, 6)
    expected = np.tile(np.arange(32, dtype=np.float32) / 2, (3, 2))
    np.testing.assert_array_equal(decode_rows(format, raw, rows=3, cols=64), expected)


@pytest.mark.parametrize(
    "name", ["Q4_0", "Q1_0", "Q5_1", "Q3_K_M", "Q5_K_M", "IQ1_M", "IQ3_XXS", "MXFP4", "TQ1_0"]
)
def test_tensors_of_a_real_file(name: str, shared: Path, oracle: Oracle) -> None:
    reader = GGUFReader(shared / "goldens" / "models" / f"llama-tiny.{name}.gguf")
    seen = set()
    for tensor in reader.tensors:
        if tensor.tensor_type.name in seen:
            continue
        format = format_of(tensor.tensor_type)
        raw = np.ascontiguousarray(tensor.data).view(np.uint8)
        theirs = oracle(np.asarray(tensor.data), tensor.tensor_type)
        assert _differing(decode(format, raw), theirs) == 0, tensor.name
        seen.add(tensor.tensor_type.name)
    assert name.removesuffix("_M") in seen or name in seen
