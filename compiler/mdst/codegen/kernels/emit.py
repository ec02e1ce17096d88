"""Kernels that leave records of what they make."""

from __future__ import annotations

from dataclasses import dataclass

from ..kernel import Binding


@dataclass(frozen=True, slots=True)
class Emit:
    """Records (quant/records.py) of an output of `blocks` blocks, of which this kernel's begin at
    `first_block`. `gamma`: where γ begins in its binding, in units of 4 bytes, or None for records
    without one; `interleaved`: γ is not in plain order (quant/interleave.py)."""

    blocks: int
    first_block: int = 0
    gamma: int | None = None
    interleaved: bool = False


def emit_bindings(emit: Emit | None) -> tuple[Binding, ...]:
    """[gamma], [record]: after all others."""
    if emit is None:
        return ()
    record = Binding("record", "read_write", "array<vec4<u32>>")
    if emit.gamma is None:
        return (record,)
    return (Binding("gamma", "read", "array<f32>"), record)
