"""How much a GGUF file may ask for.

The reader never allocates by a number that it read before that number has passed one of these
limits and the count of bytes that remain in the file.
"""

from __future__ import annotations

from typing import Final

HEADER_BYTES: Final = 128 << 20
"""Magic to last tensor record. The largest vocabularies (262,144 tokens with merges) need 20 MB."""

METADATA_KEYS: Final = 65_536
"""Real files have 20 to 200."""

TENSORS: Final = 65_536
"""512 layers of 128 tensors; the largest models published have some 2,000."""

KEY_BYTES: Final = 65_535
"""The GGUF specification's own bound on a metadata key."""

STRING_BYTES: Final = 16 << 20
"""A tokenizer or a licence embedded as text takes a few MB."""

ARRAY_ELEMENTS: Final = 4 << 20
"""Sixteen times the largest vocabulary; as u64 it takes 32 MiB."""

TENSOR_NAME_BYTES: Final = 64
"""The GGUF specification's own bound (GGML_MAX_NAME)."""

DIMENSIONS: Final = 4
"""GGML_MAX_DIMS."""

DIMENSION: Final = (1 << 32) - 1
"""Row and column counts are u32 on every device that could run the model."""

ALIGNMENT: Final = 64 << 10
"""Writers use 32; a page of any system is at most 64 KiB."""

LEAST_KEY_RECORD: Final = 8 + 1 + 4 + 1
"""Bytes: length of the key, a key of one byte, value type, a value of one byte."""

LEAST_TENSOR_RECORD: Final = 8 + 1 + 4 + 8 + 4 + 8
"""Bytes: length of the name, a name of one byte, number of dimensions, one of them, type, place."""
