"""What each error id of the GGUF reader means. An id is never reused or given another meaning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MEANINGS: Final[Mapping[str, str]] = {
    "GGUF001": "the file cannot be opened, or is not a regular file",
    "GGUF002": "reading failed, or the file changed while it was read",
    "GGUF003": "the file is empty",
    "GGUF004": "the file does not begin with the GGUF magic",
    "GGUF005": "the GGUF version or byte order is not one that this reader knows",
    "GGUF006": "a record of the header runs past the end of the file",
    "GGUF007": "the number of tensors or metadata keys is more than the limit or the file allows",
    "GGUF008": "the header is longer than the limit",
    "GGUF010": "a metadata key is empty, too long, not UTF-8 or not printable",
    "GGUF011": "a metadata key appears twice",
    "GGUF012": "the type number of a metadata value is unknown",
    "GGUF013": "a string is longer than the limit",
    "GGUF014": "the element type of an array is unknown, or the array is nested",
    "GGUF015": "the number of elements of an array is more than the limit or the file allows",
    "GGUF016": "a bool is neither 0 nor 1",
    "GGUF017": "general.alignment is not a power of two within the limit, or is not of type u32",
    "GGUF018": "the file is one part of a split model",
    "GGUF020": "a tensor name is empty, too long, not UTF-8 or not printable",
    "GGUF021": "a tensor name appears twice",
    "GGUF022": "a tensor has no dimension, or more than the limit",
    "GGUF023": "a dimension of a tensor is zero, or more than the limit",
    "GGUF024": "the type number of a tensor is unknown, or names a type removed from GGML",
    "GGUF025": "the rows of a tensor do not divide into blocks of its type",
    "GGUF026": "the data of a tensor lies outside of the file",
    "GGUF027": "the offset of a tensor is not a multiple of the alignment",
    "GGUF028": "the data of a tensor overlaps its predecessor, or leaves a gap after it",
}
