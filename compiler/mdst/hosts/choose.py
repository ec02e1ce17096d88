"""Picks the host and tier that can run a bundle here."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import cast

from ..bundle.manifest import WasmCut, WasmModule
from ..bundle.reader import Bundle
from ..codegen.tiers import TIERS, Tier
from ..errors import UnsupportedError, UsageError, printable
from .host import Host
from .numpy_host import NumpyHost
from .wasm_cut_host import WasmCutHost
from .wasm_host import WasmHost
from .wgpu_device import best_tier
from .wgpu_host import WgpuHost


def open_host(bundle: Bundle, name: str, tier: str | None, tell: Callable[[str], None]) -> Host:
    """`name`: wgpu, wasm, numpy, or auto: the first of them that can run it (`tell` is told when
    that is not a GPU). `tier`: None for the best that a GPU has, and WASM's plainest module. Raises
    UnsupportedError when a GPU is asked for and there is none."""
    if name == "numpy":
        if tier is not None:
            raise UsageError("HOST003", "--tier chooses kernels, and the numpy host has none")
        return NumpyHost(bundle)
    if name == "wasm":
        return open_wasm(bundle, tier)
    offered = {t.name for t in bundle.manifest.tiers}
    best = best_tier([t for t in TIERS if t in offered])
    if best is None and name == "auto":
        return _without_gpu(bundle, tell)
    if best is None:
        raise UnsupportedError(
            "HOST002",
            "no GPU adapter was found",
            hint="install a Vulkan driver (Debian: mesa-vulkan-drivers), or use --host wasm",
        )
    return WgpuHost(bundle, cast(Tier, bundle.tier(tier).name) if tier else best)


def open_wasm(bundle: Bundle, name: str | None = None, threads: int | None = None) -> WasmHost:
    """The module `name`, or the plainest; on as many threads as there are processors, where it has
    threads and nothing else is asked for."""
    modules: list[WasmModule | WasmCut] = [*bundle.manifest.wasm, *bundle.manifest.wasm_cuts]
    for module in modules:
        if name in (None, module.name):
            wanted = threads or min(os.cpu_count() or 1, module.threads)
            if isinstance(module, WasmCut):
                return WasmCutHost(bundle, module, wanted)
            return WasmHost(bundle, module, wanted)
    names = ", ".join(module.name for module in modules)
    raise UsageError("OPEN002", f"no tier {printable(name or '')} (there are: {names})")


def _without_gpu(bundle: Bundle, tell: Callable[[str], None]) -> Host:
    try:
        host = open_wasm(bundle)
    except UnsupportedError as error:
        tell(f"no GPU adapter was found, and {error.message}: running on numpy, which is slow")
        return NumpyHost(bundle)
    tell("no GPU adapter was found: running on WASM")
    return host
