"""Tiers: sets of kernels by what they need of a device, the better one later.

Without subgroups of 32 lanes, integer dot products were nowhere faster than float32 so far, so that
`dp4a` is chosen by measurement or by name only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Tier = Literal["base", "subgroups", "dp4a", "dp4a32"]
Arithmetic = Literal["float", "int8"]


@dataclass(frozen=True, slots=True)
class Needs:
    """What a tier needs beyond WebGPU's defaults, by WebGPU's names: `features` of the device,
    extensions of the `language`, all subgroups of `subgroup_size` lanes, and larger `limits`.
    `arithmetic`: how decoding multiplies weights."""

    arithmetic: Arithmetic
    features: tuple[str, ...] = ()
    language: tuple[str, ...] = ()
    subgroup_size: int | None = None
    limits: Mapping[str, int] = field(default_factory=dict)


_DOT = ("packed_4x8_integer_dot_product",)

NEEDS: Final[Mapping[Tier, Needs]] = {
    "dp4a": Needs("int8", (), _DOT),
    "base": Needs("float"),
    "subgroups": Needs("float", ("subgroups",)),
    "dp4a32": Needs(
        "int8",
        ("subgroups",),
        _DOT,
        32,
        {"maxComputeInvocationsPerWorkgroup": 1024, "maxComputeWorkgroupSizeX": 1024},
    ),
}

TIERS: tuple[Tier, ...] = tuple(NEEDS)
FLOAT_TIERS: tuple[Tier, ...] = tuple(t for t in TIERS if NEEDS[t].arithmetic == "float")
INT8_TIERS: tuple[Tier, ...] = tuple(t for t in TIERS if NEEDS[t].arithmetic == "int8")
