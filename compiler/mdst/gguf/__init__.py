"""Strict reader of GGUF: an untrusted file → typed metadata and tensors whose place was checked.

    read_gguf(path) → GgufFile {metadata: key → Value, tensors: name → TensorInfo, read()}

`reader` drives; `source` is the open file, `cursor` reads fields from it, `metadata` and `tensors`
read the two lists of records, `limits` says how much is too much, `errors` what each id means.
Nothing here knows models: any type of tensor that GGML knows passes.
"""

from __future__ import annotations

from .file import GgufFile
from .reader import read_gguf
from .types import TensorInfo, Value, type_name

__all__ = ["GgufFile", "TensorInfo", "Value", "read_gguf", "type_name"]
