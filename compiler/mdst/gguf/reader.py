"""Path of an untrusted file → GgufFile, or one error that names the place of the fault.

Layout (GGUF specification, docs/gguf.md in ggml): magic, version, counts, metadata records, tensor
records, padding, tensor data; all little-endian.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from gguf.constants import GGUFValueType

from ..errors import MalformedError, UnsupportedError
from . import limits
from .cursor import CUT_SHORT, Cursor
from .file import GgufFile
from .metadata import read_metadata
from .signature import looks_like
from .source import Source
from .tensors import align, place_tensors, read_tensors
from .types import Value

MAGIC = b"GGUF"
VERSIONS = (2, 3)
DEFAULT_ALIGNMENT = 32


def read_gguf(path: Path) -> GgufFile:
    """Read and check the header of the GGUF file at `path`, versions 2 and 3.

    Tensor data is not read, only its extent is checked. Raises CannotReadError, MalformedError, and
    UnsupportedError for one part of a split model.
    """
    source = Source(path)
    try:
        return _parse(source)
    except BaseException:
        source.close()
        raise


def _parse(source: Source) -> GgufFile:
    _check_magic(source)
    cursor = Cursor(source)
    n_tensors, n_keys = _read_counts(cursor)
    metadata = read_metadata(cursor, n_keys)
    _refuse_split(source, metadata)
    alignment = _alignment(cursor, metadata)
    records = read_tensors(cursor, n_tensors)
    # Padding is only there to be followed by data: a file without tensors may end before it.
    start = align(cursor.offset, alignment)
    tensors, end = place_tensors(cursor, records, start, alignment)
    return GgufFile(
        source.path,
        source.size,
        MappingProxyType(metadata),
        MappingProxyType(tensors),
        _end_warnings(source, end, bool(tensors)),
        source,
    )


def _check_magic(source: Source) -> None:
    if source.size == 0:
        raise MalformedError("GGUF003", f"{source.name}: the file is empty")
    head = source.read(0, min(source.size, 512))
    if head.startswith(MAGIC):
        return
    begins = f"{source.name}: not a GGUF file: it begins with {head[:4].hex(' ')} at byte 0"
    kind = looks_like(head)
    if kind is None:
        raise MalformedError("GGUF004", f"{begins}, not with {MAGIC.hex(' ')} ('GGUF')")
    raise MalformedError("GGUF004", f"{begins} and looks like {kind[0]}", hint=kind[1])


def _read_counts(cursor: Cursor) -> tuple[int, int]:
    """Number of tensors and of metadata keys, each small enough to be true."""
    cursor.begin("header")
    cursor.take(len(MAGIC))
    version = cursor.u32()
    if version not in VERSIONS:
        swapped = int.from_bytes(version.to_bytes(4, "little"), "big")
        hint = (
            "the file is big-endian: convert it to little-endian" if swapped in VERSIONS else None
        )
        raise cursor.malformed(
            "GGUF005", f"GGUF version {version}; versions 2 and 3 are read", hint=hint
        )
    n_tensors, n_keys = cursor.u64(), cursor.u64()
    for what, count, limit, least in (
        ("tensors", n_tensors, limits.TENSORS, limits.LEAST_TENSOR_RECORD),
        ("metadata keys", n_keys, limits.METADATA_KEYS, limits.LEAST_KEY_RECORD),
    ):
        fits = cursor.remaining // least
        if count > min(limit, fits):
            raise cursor.malformed(
                "GGUF007",
                f"declares {count} {what}; the limit is {limit} "
                f"and the rest of the file holds at most {fits}",
                hint=CUT_SHORT if count <= limit else None,
            )
    return n_tensors, n_keys


def _refuse_split(source: Source, metadata: Mapping[str, Value]) -> None:
    count = metadata.get("split.count")
    if count is not None and isinstance(count.value, int) and count.value > 1:
        raise UnsupportedError(
            "GGUF018",
            f"{source.name}: key 'split.count' (at byte {count.offset}): the file is one of "
            f"{count.value} parts of a split model",
            hint="join the parts first: llama-gguf-split --merge FIRST_PART.gguf WHOLE.gguf",
        )


def _alignment(cursor: Cursor, metadata: Mapping[str, Value]) -> int:
    """Alignment of tensor data in bytes."""
    value = metadata.get("general.alignment")
    if value is None:
        return DEFAULT_ALIGNMENT
    cursor.place, cursor.record_start = "key 'general.alignment'", value.offset
    if value.type is not GGUFValueType.UINT32 or not isinstance(value.value, int):
        raise cursor.malformed("GGUF017", f"must be u32, is {value.type_name}")
    # A power of two shares no bit with its predecessor.
    if not 1 <= value.value <= limits.ALIGNMENT or value.value & (value.value - 1):
        raise cursor.malformed(
            "GGUF017", f"is {value.value}; must be a power of two, at most {limits.ALIGNMENT}"
        )
    return value.value


def _end_warnings(source: Source, end: int, has_tensors: bool) -> tuple[str, ...]:
    if source.size > end:
        extra = source.size - end
        return (f"{source.name}: {extra} bytes after the tensor data, at byte {end}, are ignored",)
    if source.size < end and has_tensors:
        return (
            f"{source.name}: the padding after the last tensor is missing ({end - source.size} "
            f"bytes at byte {source.size}): the file may have been cut",
        )
    return ()
