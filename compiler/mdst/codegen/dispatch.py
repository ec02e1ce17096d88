"""A planned dispatch: which kernel runs on which views."""

from __future__ import annotations

from dataclasses import dataclass

from ..schedule.plan import View
from .kernel import KernelParams


@dataclass(frozen=True, slots=True)
class Dispatch:
    """One step of a program before its kernel is rendered for a tier."""

    label: str
    params: KernelParams
    views: tuple[View, ...]
