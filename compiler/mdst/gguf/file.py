"""A GGUF file whose header was checked, open for reading tensor data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from .source import Source
from .types import TensorInfo, Value


@dataclass(frozen=True, slots=True, eq=False)
class GgufFile:
    """The result of `read_gguf`; a context manager that closes the file.

    `size` is in bytes. `metadata` and `tensors` are read-only and in file order. `warnings` are
    sentences about what was odd but harmless.
    """

    path: Path
    size: int
    metadata: Mapping[str, Value]
    tensors: Mapping[str, TensorInfo]
    warnings: tuple[str, ...]
    _source: Source = field(repr=False)

    def read(
        self, info: TensorInfo, start: int = 0, length: int | None = None
    ) -> npt.NDArray[np.uint8]:
        """Bytes `start` to `start + length` (default: to the end) of a tensor's data.

        Returns a read-only uint8 array of shape (length,). Raises CannotReadError (GGUF002) when
        the file can no longer be read or has changed since it was opened, ValueError for a range
        outside of the tensor or a closed file.
        """
        stop = info.size if length is None else start + length
        if not 0 <= start <= stop <= info.size or self.tensors.get(info.name) != info:
            raise ValueError(f"bytes {start} to {stop} are not in tensor {info.name!r}: {info}")
        return np.frombuffer(self._source.read(info.offset + start, stop - start), np.uint8)

    def close(self) -> None:
        """Close the file; `metadata` and `tensors` stay valid."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
