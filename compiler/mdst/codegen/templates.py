"""The one door to jinja2: renders the parameters of a kernel or a module through its template."""

from __future__ import annotations

import hashlib
import struct
from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..errors import InternalError
from ..resources import folder
from .kernel import Kernel, KernelParams, workgroup_limit
from .loads import split_loads
from .state import STATE
from .tiers import NEEDS, Tier
from .workgroup_memory import workgroup_bytes


def _require(condition: bool, message: str) -> str:
    if not condition:
        raise InternalError("KERNEL001", f"a template's precondition failed: {message}")
    return ""


@cache
def _environment(language: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(folder("templates") / language),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        extensions=["jinja2.ext.do"],
    )
    environment.globals["require"] = _require
    environment.globals["STATE"] = STATE
    environment.globals["split_loads"] = split_loads
    environment.filters["f32"] = _f32
    return environment


def _f32(value: float) -> str:
    """A WGSL literal with the exact value of the nearest float32."""
    (single,) = struct.unpack("<f", struct.pack("<f", value))
    return f"{single!r}f"


def render(params: KernelParams, tier: Tier) -> Kernel:
    """The kernel of `params` for `tier`. Its name carries a hash of its text, so equal kernels
    have equal names and a changed one never hides behind an old name."""
    template = _environment("wgsl").get_template(f"{params.template}.wgsl.j2")
    text = template.render(
        p=params,
        tier=tier,
        subgroups="subgroups" in NEEDS[tier].features,
        workgroup_size=params.workgroup(tier),
        bindings=params.bindings,
    )
    _require(
        workgroup_bytes(text) <= workgroup_limit(tier),
        f"{params.template} needs {workgroup_bytes(text)} bytes of workgroup memory",
    )
    digest = hashlib.sha256(text.encode()).hexdigest()[:10]
    return Kernel(f"{params.template}_{digest}", tier, params, text)


def render_wat(**choices: object) -> str:
    """The text of a WASM module (templates/wat/module.wat.j2 says of what)."""
    return _environment("wat").get_template("module.wat.j2").render(**choices)
