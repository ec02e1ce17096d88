"""Picks the host and tier that can run a bundle here."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from ..bundle.reader import Bundle
from ..codegen.kernel import TIERS, Tier
from ..errors import UnsupportedError, UsageError
from .host import Host
from .numpy_host import NumpyHost
from .wgpu_device import best_tier
from .wgpu_host import WgpuHost


def open_host(bundle: Bundle, name: str, tier: str | None, tell: Callable[[str], None]) -> Host:
    """`name`: wgpu, numpy, or auto, which is numpy where there is no GPU (`tell` is told so).
    `tier`: None for the best that the adapter has. Raises UnsupportedError when a GPU is asked for
    and there is none."""
    if name == "numpy":
        if tier is not None:
            raise UsageError("HOST003", "--tier chooses kernels, and the numpy host has none")
        return NumpyHost(bundle)
    offered = {t.name for t in bundle.manifest.tiers}
    best = best_tier([t for t in TIERS if t in offered])
    if best is None and name == "auto":
        tell("no GPU adapter was found: running on numpy, which is slow")
        return NumpyHost(bundle)
    if best is None:
        raise UnsupportedError(
            "HOST002",
            "no GPU adapter was found",
            hint="install a Vulkan driver (Debian: mesa-vulkan-drivers), or use --host numpy",
        )
    return WgpuHost(bundle, cast(Tier, bundle.tier(tier).name) if tier else best)
