"""What a kernel is before and after rendering.

A `KernelParams` subclass holds every constant of one compute shader and names its template;
rendering it for a tier gives a `Kernel`, which hosts compile as it stands. All kernels of a bundle
follow the same convention: one bind group, bindings numbered in order, entry point `main`,
one-dimensional workgroups.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

from .tiers import NEEDS, Tier

Access = Literal["read", "read_write"]
Grid = tuple[int, int, int]

MAX_GROUPS = 65_535
"""Workgroups in one dimension of a dispatch (WebGPU's default limit)."""
MAX_WORKGROUP_BYTES = 16_384
"""Workgroup memory of a kernel (WebGPU's default limit)."""


def workgroup_limit(tier: Tier) -> int:
    """Bytes of workgroup memory that a kernel of `tier` may have."""
    return NEEDS[tier].limits.get("maxComputeWorkgroupStorageSize", MAX_WORKGROUP_BYTES)


@dataclass(frozen=True, slots=True)
class Binding:
    """A storage buffer of a kernel: `var<storage, access> name: type`."""

    name: str
    access: Access
    type: str


@dataclass(frozen=True)
class KernelParams(ABC):
    """All constants of one compute shader. Subclasses are frozen and hashable: equal parameters are
    one kernel."""

    template: ClassVar[str]
    """File name in templates/wgsl without `.wgsl.j2`."""

    @property
    @abstractmethod
    def bindings(self) -> tuple[Binding, ...]:
        """Bindings 0, 1, … in order."""

    @abstractmethod
    def workgroup(self, tier: Tier) -> int:
        """Invocations per workgroup."""

    @abstractmethod
    def grid(self, tier: Tier, tokens: int) -> Grid:
        """Workgroups to dispatch when at most `tokens` tokens are processed."""


def fold(groups: int) -> Grid:
    """A grid with at least `groups` workgroups, none of its dimensions over the limit. The kernel
    computes its index as y · x_count + x and returns when that is `groups` or more."""
    rows = -(-groups // MAX_GROUPS)
    return (-(-groups // rows), rows, 1)


@dataclass(frozen=True, slots=True)
class Kernel:
    """A rendered compute shader: `wgsl` without `enable` lines, which depend on the host."""

    name: str
    tier: Tier
    params: KernelParams
    wgsl: str

    @property
    def bindings(self) -> tuple[Binding, ...]:
        return self.params.bindings

    @property
    def access(self) -> tuple[Access, ...]:
        return tuple(binding.access for binding in self.bindings)
