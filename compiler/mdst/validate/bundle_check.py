"""What a compile proves before its result counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from ..bundle.manifest import WasmCut, WasmModule
from ..bundle.reader import Bundle
from ..codegen.tiers import TIERS
from ..codegen.wasm.generate import WasmCode
from ..errors import UnsupportedError
from ..hosts.host import Host
from ..hosts.wasm_cut_host import WasmCutHost
from ..hosts.wasm_host import WasmHost
from ..hosts.wgpu_device import Device, best_tier
from ..hosts.wgpu_host import WgpuHost
from ..options import Options
from ..report import Reporter
from .known_answers import KnownAnswer, check_answers
from .wasm_products import check_products
from .whole_model import INT8_BOUND, check_model, expected_rows

SMALL_WEIGHTS = 256 << 20
"""Models of up to this many bytes of weights are run whole unless checks are turned off."""


def validate_kernels(
    answers: Sequence[KnownAnswer], options: Options, report: Reporter
) -> list[str]:
    """Runs the known answers of all kernels on every tier that a device here has; returns sentences
    on what was checked. Raises InternalError for a wrong answer, and UnsupportedError when there is
    no adapter and `require_gpu` asks for one."""
    if options.validate == "none":
        return []
    if best_tier(TIERS) is None:
        message = "no GPU adapter was found: kernels are not checked"
        if options.require_gpu:
            raise UnsupportedError("VALIDATE003", message, hint="leave out --require-gpu")
        report.warn(message)
        return []
    report.phase("checking kernels", len(answers))
    checked = []
    for tier in TIERS:
        mine = [answer for answer in answers if answer.kernel.tier == tier]
        if not mine:
            continue
        try:
            device = Device(tier)
        except UnsupportedError:
            checked.append(f"not the kernels of tier {tier}, which no GPU here can run")
            continue
        for _ in check_answers(mine, device):
            report.advance(1)
        checked.append(
            f"{len({a.kernel.name for a in mine})} kernels of tier {tier} on {device.adapter}"
        )
    return checked


def validate_modules(modules: Sequence[WasmCode], options: Options, report: Reporter) -> list[str]:
    """Runs the matrix products of every module on random weights; returns a sentence on what was
    checked. Raises InternalError for a wrong answer, or a module that does not compile."""
    if options.validate == "none":
        return []
    report.phase("checking modules", len(modules))
    checked = set()
    for module in modules:
        checked |= {f"{module.name}: {name}" for name in check_products(module)}
        report.advance(1)
    return [f"{len(checked)} matrix products of {len(modules)} WASM modules"]


def validate_model(
    folder: Path, weight_bytes: int, options: Options, report: Reporter
) -> list[str]:
    """Runs the written bundle whole: when its weights are small, or with `--validate full`."""
    small = weight_bytes <= SMALL_WEIGHTS
    if options.validate == "none" or not (small or options.validate == "full"):
        return []
    bundle = Bundle.open(folder, check=False)  # the list of files comes last
    hosts = list(_hosts(bundle))
    report.phase("checking the whole model", len(hosts))
    expected = expected_rows(bundle)
    if expected is None:
        report.warn("the model's logits are not finite: nothing to compare")
        return []
    checked = []
    for name, open_host, bound in hosts:
        host = open_host()
        error = check_model(bundle, host, expected, bound)
        host.close()
        report.advance(1)
        checked.append(f"logits in {name} within {error:.1g} of numpy's (NMSE)")
    return checked


def _hosts(bundle: Bundle) -> Iterator[tuple[str, Callable[[], Host], float | None]]:
    """What can run the bundle here: name, how to open it, bound of its error."""
    for tier in TIERS:
        if best_tier([tier]):
            int8 = bundle.tier(tier).arithmetic == "int8"
            yield f"tier {tier}", partial(WgpuHost, bundle, tier), INT8_BOUND if int8 else None
    for module in bundle.manifest.wasm:
        yield f"{module.file}", partial(WasmHost, bundle, module, _threads(module)), _bound(module)
    for cut in bundle.manifest.wasm_cuts:
        yield f"module {cut.name}", partial(WasmCutHost, bundle, cut, _threads(cut)), _bound(cut)


def _threads(module: WasmModule | WasmCut) -> int:
    return min(2, module.threads)


def _bound(module: WasmModule | WasmCut) -> float | None:
    return INT8_BOUND if "relaxed-simd" in module.features else None
