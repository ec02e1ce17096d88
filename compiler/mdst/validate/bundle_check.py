"""What a compile proves before its result counts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..bundle.reader import Bundle
from ..codegen.tiers import TIERS, Tier
from ..errors import UnsupportedError
from ..hosts.wgpu_device import Device, best_tier
from ..options import Options
from ..report import Reporter
from .known_answers import KnownAnswer, check_answers
from .whole_model import check_model

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


def validate_model(
    folder: Path, weight_bytes: int, options: Options, report: Reporter
) -> list[str]:
    """Runs the written bundle whole: when its weights are small, or with `--validate full`."""
    small = weight_bytes <= SMALL_WEIGHTS
    if options.validate == "none" or not (small or options.validate == "full"):
        return []
    tiers: list[Tier] = [tier for tier in TIERS if best_tier([tier])]
    bundle = Bundle.open(folder, check=False)  # the list of files comes last
    report.phase("checking the whole model", len(tiers))
    checked = []
    for tier in tiers:
        error = check_model(bundle, tier)
        report.advance(1)
        if error is None:
            report.warn("the model's logits are not finite: nothing to compare")
            return []
        checked.append(f"logits in tier {tier} within {error:.1g} of numpy's (NMSE)")
    return checked
