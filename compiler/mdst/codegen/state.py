"""The `state` buffer: all that changes from token to token, with one definition of its fields.

The WGSL struct, the manifest and every host take names and offsets from here. All fields are
32 bits wide.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class StateField:
    """`count` consecutive values of `type` at `offset` bytes."""

    name: str
    type: Literal["u32", "f32"]
    offset: int
    count: int


MAX_END_TOKENS = 16
MAX_POSITION = (1 << 24) - 1
"""Positions have three bytes, one rotary table each."""

_FIELDS: tuple[tuple[str, Literal["u32", "f32"], int], ...] = (
    ("position", "u32", 1),  # of the first token that the next step processes
    ("n_tokens", "u32", 1),  # tokens it processes: 1 at decode, up to the chunk at prefill
    ("done", "u32", 1),  # 0 = going on, 1 = an end token was drawn, 2 = `limit` was reached
    ("limit", "u32", 1),  # generation stops when the position reaches it
    ("sinks", "u32", 1),  # first tokens kept in sight when the window slides past them
    ("step", "u32", 1),  # output tokens so far; the counter of the random numbers
    ("seed", "u32", 2),
    ("choice", "u32", 1),
    ("top_k", "u32", 1),  # 0 = off
    ("temperature", "f32", 1),  # 0 = the largest logit
    ("top_p", "f32", 1),  # 1 = off
    ("log_min_p", "f32", 1),  # natural logarithm of min-p; -3e38 = off
    ("repetition_penalty", "f32", 1),  # 1 = off
    ("presence_penalty", "f32", 1),
    ("frequency_penalty", "f32", 1),
    ("end_count", "u32", 1),
    ("end_ids", "u32", MAX_END_TOKENS),
)


def _layout() -> tuple[StateField, ...]:
    fields, offset = [], 0
    for name, kind, count in _FIELDS:
        fields.append(StateField(name, kind, offset, count))
        offset += 4 * count
    return tuple(fields)


STATE = _layout()
STATE_BYTES = 256
"""Size of the buffer: the fields, padded to the alignment of bindings."""


class _Field(Protocol):
    """A StateField, or what a manifest tells of one."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def offset(self) -> int: ...


def pack_state(
    fields: Iterable[_Field], values: Mapping[str, int | float | Iterable[int]]
) -> bytes:
    """The buffer with these values, little-endian; whatever is not named is 0."""
    raw = bytearray(STATE_BYTES)
    named = {field.name: field for field in fields}
    for name, value in values.items():
        items = tuple(value) if isinstance(value, Iterable) else (value,)
        code = "I" if named[name].type == "u32" else "f"
        struct.pack_into(f"<{len(items)}{code}", raw, named[name].offset, *items)
    return bytes(raw)
