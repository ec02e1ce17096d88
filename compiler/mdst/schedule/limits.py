"""WebGPU's default limits and ours: what every plan must keep, so that any browser can run it."""

from __future__ import annotations

from ..options import MAX_BINDING as MAX_BINDING

ALIGNMENT = 256
"""Bytes: `minStorageBufferOffsetAlignment`; every view of a buffer starts at a multiple."""
MAX_BUFFER = 256 << 20
"""Bytes: `maxBufferSize`."""
MAX_BINDINGS = 8
"""`maxStorageBuffersPerShaderStage`."""


def align(size: int, to: int = ALIGNMENT) -> int:
    """`size` rounded up to a multiple of `to`."""
    return -(-size // to) * to
