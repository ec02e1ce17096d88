"""A plan → the kernels and steps of every tier."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..options import KvFormat
from ..schedule.plan import Arithmetic, Plan, PlannedProgram, View
from .dispatch import Dispatch
from .kernel import Grid, Kernel, KernelParams
from .lower import lower
from .templates import render
from .tiers import NEEDS, Tier


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
    """The programs of one tier: name → steps. `reach`: the position before which a program may
    run, for those that may not run at all of them."""

    tier: Tier
    programs: Mapping[str, tuple[CodeStep, ...]]
    reach: Mapping[str, int]

    @property
    def kernels(self) -> list[Kernel]:
        """The distinct kernels, in the order of first use."""
        found = {s.kernel.name: s.kernel for steps in self.programs.values() for s in steps}
        return list(found.values())


def generate_code(plan: Plan, kv: KvFormat) -> list[TierCode]:
    """Lowers every program of `plan` and renders its kernels for every tier; equal parameters are
    rendered once. Tiers of an arithmetic that no program has are left out."""
    lowered = {program.name: lower(program, plan, kv) for program in plan.programs}
    found = []
    for tier, needs in NEEDS.items():
        chosen = _of_arithmetic(plan.programs, needs.arithmetic)
        if any(program.arithmetic == needs.arithmetic for program in chosen.values()):
            found.append(_tier(tier, chosen, lowered))
    return found


def _of_arithmetic(
    programs: Iterable[PlannedProgram], arithmetic: Arithmetic
) -> dict[str, PlannedProgram]:
    """phase → the program of that arithmetic, or else the float one."""
    chosen = {p.phase: p for p in programs if p.arithmetic == "float"}
    if arithmetic != "float":
        chosen |= {p.phase: p for p in programs if p.arithmetic == arithmetic}
    return chosen


def _tier(
    tier: Tier, chosen: Mapping[str, PlannedProgram], lowered: Mapping[str, list[Dispatch]]
) -> TierCode:
    rendered: dict[KernelParams, Kernel] = {}
    programs = {}
    for name, program in chosen.items():
        steps = []
        for d in lowered[program.name]:
            if d.params not in rendered:
                rendered[d.params] = render(d.params, tier)
            grid = d.params.grid(tier, program.tokens)
            steps.append(CodeStep(d.label, rendered[d.params], d.views, grid, program.tokens))
        programs[name] = tuple(steps)
    reach = {name: p.reach for name, p in chosen.items() if p.reach is not None}
    return TierCode(tier, programs, reach)
