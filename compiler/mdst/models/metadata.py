"""Typed look-ups in the metadata of one GGUF file, with errors that name key, place and type."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import numpy.typing as npt
from gguf.constants import GGUFValueType

from ..errors import MalformedError, UnsupportedError, printable
from ..gguf import GgufFile, Value, type_name

MAX_SIZE: Final = 1 << 24
"""Bound on every width and on the context: far above any model, and exact in a float32."""

_T = TypeVar("_T")


class Metadata:
    """The metadata of `file`. Every look-up gives None for an absent key and raises MalformedError
    (CONF002) for a value of another type. Types are exact, as in llama.cpp's model loader."""

    def __init__(self, file: GgufFile) -> None:
        self.values: Mapping[str, Value] = file.metadata
        self.file = printable(file.path.name)

    def u32(self, key: str) -> int | None:
        value = self._typed(key, GGUFValueType.UINT32)
        return None if value is None else int(value)

    def f32(self, key: str) -> float | None:
        value = self._typed(key, GGUFValueType.FLOAT32)
        return None if value is None else float(value)

    def flag(self, key: str) -> bool | None:
        value = self._typed(key, GGUFValueType.BOOL)
        return None if value is None else bool(value)

    def text(self, key: str) -> bytes | None:
        value: bytes | None = self._typed(key, GGUFValueType.STRING)
        return value

    def texts(self, key: str) -> list[bytes] | None:
        """An array of strings."""
        value: list[bytes] | None = self._array(key, GGUFValueType.STRING)
        return value

    def numbers(self, key: str, *elements: GGUFValueType) -> npt.NDArray[Any] | None:
        """An array [n] of one of the types `elements`."""
        value: npt.NDArray[Any] | None = self._array(key, *elements)
        return value

    def token_id(self, key: str) -> int | None:
        """A u32 or i32 token id; None also for -1, which llama.cpp writes for "no such token"."""
        value = self._typed(key, GGUFValueType.UINT32, GGUFValueType.INT32)
        return None if value in (None, -1, 0xFFFFFFFF) else int(value)

    def u32_of_layers(self, key: str, n_layers: int) -> int | None:
        """A u32, or an array [n_layers] of one and the same value.

        Raises MalformedError (CONF006) for an array of another length, UnsupportedError (CONF007)
        when layers differ.
        """
        value = self.values.get(key)
        if value is None or value.type is not GGUFValueType.ARRAY:
            return self.u32(key)
        layers: list[int] = self._array(key, GGUFValueType.UINT32, GGUFValueType.INT32).tolist()
        if len(layers) != n_layers:
            raise self.malformed("CONF006", key, f"{len(layers)} values for {n_layers} layers")
        if len(set(layers)) > 1:
            text = f"layers differ ({min(layers)} to {max(layers)}); they must be the same"
            raise self.unsupported("CONF007", key, text)
        return layers[0]

    def required(self, key: str, found: _T | None, kind: str) -> _T:
        """`found`, the result of looking `key` up. Raises MalformedError (CONF001) if None."""
        if found is None:
            raise MalformedError(
                "CONF001", f"{self.file}: key {printable(key)} ({kind}) is missing"
            )
        return found

    def place(self, key: str) -> str:
        """File, key and byte, to begin a message with."""
        value = self.values.get(key)
        where = "" if value is None else f" (at byte {value.offset})"
        return f"{self.file}: key {printable(key)}{where}"

    def malformed(self, id: str, key: str, text: str, *, hint: str | None = None) -> MalformedError:
        return MalformedError(id, f"{self.place(key)}: {text}", hint=hint)

    def unsupported(self, id: str, key: str, text: str) -> UnsupportedError:
        return UnsupportedError(id, f"{self.place(key)}: {text}")

    def _typed(self, key: str, *kinds: GGUFValueType) -> Any:
        value = self.values.get(key)
        if value is None:
            return None
        if value.type not in kinds:
            raise self._wrong_type(key, value, " or ".join(map(type_name, kinds)))
        return value.value

    def _array(self, key: str, *elements: GGUFValueType) -> Any:
        value = self.values.get(key)
        if value is None:
            return None
        if value.element not in elements:
            wanted = " or ".join(map(type_name, elements))
            raise self._wrong_type(key, value, f"an array of {wanted}")
        return value.value

    def _wrong_type(self, key: str, value: Value, wanted: str) -> MalformedError:
        return self.malformed("CONF002", key, f"must be {wanted}, is {value.type_name}")


class ArchitectureKeys:
    """Sizes and constants under the keys `ARCHITECTURE.…`, each held to its range.

    Ranges that do not hold raise MalformedError CONF004.
    """

    def __init__(self, metadata: Metadata, architecture: str) -> None:
        self.metadata = metadata
        self.architecture = architecture

    def key(self, name: str) -> str:
        return f"{self.architecture}.{name}"

    def size(self, name: str, *, default: int | None = None, high: int = MAX_SIZE) -> int:
        """A u32 from 1 to `high`; `default` for an absent key, or else the key is required."""
        found = self.metadata.u32(self.key(name))
        return self._size(name, found if found is not None else default, high)

    def size_of_layers(self, name: str, n_layers: int, *, default: int | None = None) -> int:
        """As `size`, for a key that may be an array [n_layers] of one and the same value."""
        found = self.metadata.u32_of_layers(self.key(name), n_layers)
        return self._size(name, found if found is not None else default, MAX_SIZE)

    def optional_size(self, name: str) -> int | None:
        """A u32 up to MAX_SIZE; None for an absent key and for 0."""
        found = self.metadata.u32(self.key(name))
        return self._size(name, found, MAX_SIZE) if found else None

    def positive(self, name: str, *, default: float | None = None) -> float:
        """A finite f32 above 0; `default` for an absent key, or else the key is required."""
        found = self.metadata.f32(self.key(name))
        value = self.metadata.required(
            self.key(name), found if found is not None else default, "f32"
        )
        if not 0 < value < math.inf:
            text = f"is {value}; must be finite and greater than 0"
            raise self.metadata.malformed("CONF004", self.key(name), text)
        return value

    def optional_positive(self, name: str) -> float | None:
        """A finite f32 above 0; None for an absent key and for 0."""
        return self.positive(name) if self.metadata.f32(self.key(name)) else None

    def unequal(self, text: str) -> MalformedError:
        """The error for the equation `text` between sizes."""
        return MalformedError("CONF005", f"{self.metadata.file}: {text}")

    def _size(self, name: str, found: int | None, high: int) -> int:
        value = self.metadata.required(self.key(name), found, "u32")
        if not 1 <= value <= high:
            text = f"is {value}; must be 1 to {high}"
            raise self.metadata.malformed("CONF004", self.key(name), text)
        return value
