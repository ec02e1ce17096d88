"""A plan → the kernels and steps of every tier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..options import KvFormat
from ..schedule.plan import Plan, View
from .dispatch import Dispatch
from .kernel import TIERS, Grid, Kernel, KernelParams, Tier
from .lower import lower
from .templates import render


@dataclass(frozen=True, slots=True)
class CodeStep:
    """A dispatch of a rendered kernel, for programs of up to `tokens` tokens."""

    label: str
    kernel: Kernel
    views: tuple[View, ...]
    grid: Grid
    tokens: int


@dataclass(frozen=True, slots=True)
class TierCode:
    """The programs of one tier: name → steps."""

    tier: Tier
    programs: Mapping[str, tuple[CodeStep, ...]]

    @property
    def kernels(self) -> list[Kernel]:
        """The distinct kernels, in the order of first use."""
        found = {s.kernel.name: s.kernel for steps in self.programs.values() for s in steps}
        return list(found.values())


def generate_code(plan: Plan, kv: KvFormat) -> list[TierCode]:
    """Lowers every program of `plan` and renders its kernels for every tier; equal parameters are
    rendered once."""
    lowered = {
        program.name: (program.tokens, lower(program, plan, kv)) for program in plan.programs
    }
    return [TierCode(tier, _programs(lowered, tier)) for tier in TIERS]


_Lowered = Mapping[str, tuple[int, list[Dispatch]]]


def _programs(lowered: _Lowered, tier: Tier) -> dict[str, tuple[CodeStep, ...]]:
    rendered: dict[KernelParams, Kernel] = {}
    programs = {}
    for name, (tokens, dispatches) in lowered.items():
        steps = []
        for d in dispatches:
            if d.params not in rendered:
                rendered[d.params] = render(d.params, tier)
            grid = d.params.grid(tier, tokens)
            steps.append(CodeStep(d.label, rendered[d.params], d.views, grid, tokens))
        programs[name] = tuple(steps)
    return programs
