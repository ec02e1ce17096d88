"""Plan, code and shards → the manifest and the WGSL files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from .. import __version__
from ..codegen.generate import CodeStep, TierCode
from ..codegen.state import MAX_POSITION, STATE
from ..codegen.tiers import NEEDS, Tier
from ..codegen.wasm.generate import WasmCode
from ..codegen.wasm.memory import JOB, MOST_THREADS
from ..graph.fused import QkvRope
from ..graph.ops import MAX_SINKS
from ..models.decoder import Model
from ..options import Options
from ..schedule.plan import Plan
from ..schedule.plan import View as PlannedView
from . import manifest as m
from .reader import KERNEL_MARK

DEFAULT_SINKS = 4
_SHOWN_NAME = 200


def make_manifest(
    model: Model,
    options: Options,
    plan: Plan,
    code: Sequence[TierCode],
    modules: Sequence[WasmCode],
    cuts: Sequence[Sequence[WasmCode]],
    shards: Sequence[m.Shard],
    files: Sequence[m.File],
) -> m.Manifest:
    """The manifest of a bundle whose weights are `shards`, and of which a page loads `files`."""
    config = model.config
    views = _Views(plan)
    tiers = [_tier(each, views) for each in code]
    names = [program.name for program in tiers[0].programs]
    return m.Manifest(
        format=m.FORMAT,
        compiler=__version__,
        model=m.ModelInfo(
            name=config.name[:_SHOWN_NAME],
            architecture=config.architecture,
            parameters=model.parameters,
            layers=config.n_layers,
            vocabulary=config.n_vocab,
            trained_context=config.context_length,
        ),
        context=m.Context(
            window=plan.sizes.window,
            least_window=_least_window(plan),
            ahead=plan.sizes.ahead,
            chunk=plan.sizes.chunk,
            sinks=DEFAULT_SINKS,
            max_sinks=MAX_SINKS,
            max_position=MAX_POSITION,
        ),
        kv=options.kv,
        limits=m.Limits(
            maxBufferSize=max(plan.buffers.values()),
            maxStorageBufferBindingSize=max(view.size for view in views.listed),
        ),
        buffers=[m.Buffer(n, n.rstrip("0123456789"), s) for n, s in plan.buffers.items()],
        logits=views.number(plan.pinned["logits"]),
        views=views.listed,
        tiers=tiers,
        wasm=[_module(each) for each in modules],
        wasm_cuts=[_cut(each) for each in cuts],
        files=list(files),
        weights=[m.WeightSet("main", names, list(shards))],
        weights_url=options.weights_url,
        state=[m.Field(f.name, f.type, f.offset, f.count) for f in STATE],
    )


def _least_window(plan: Plan) -> int:
    graph = plan.program(f"prefill_{plan.sizes.chunk}").graph
    ops = map(graph.op, graph)
    return min(op.cache.window for op in ops if isinstance(op, QkvRope))


def wgsl_file(code: TierCode) -> str:
    """All kernels of a tier, each after a line with its name."""
    return "".join(f"{KERNEL_MARK}{k.name}\n{k.wgsl.rstrip()}\n\n" for k in code.kernels)


class _Views:
    """Numbers views, each once."""

    def __init__(self, plan: Plan) -> None:
        self._buffers = {name: i for i, name in enumerate(plan.buffers)}
        self._numbers: dict[PlannedView, int] = {}

    def number(self, view: PlannedView) -> int:
        return self._numbers.setdefault(view, len(self._numbers))

    @property
    def listed(self) -> list[m.View]:
        return [m.View(self._buffers[v.buffer], v.offset, v.size) for v in self._numbers]


def _tier(code: TierCode, views: _Views) -> m.Tier:
    kernels = code.kernels
    index = {kernel.name: i for i, kernel in enumerate(kernels)}

    def step(s: CodeStep) -> m.Step:
        return m.Step(index[s.kernel.name], [*map(views.number, s.views)], list(s.grid), s.label)

    programs = [
        m.Program(
            name,
            _phase(name),
            steps[0].tokens,
            code.reach.get(name, MAX_POSITION),
            [*map(step, steps)],
        )
        for name, steps in code.programs.items()
    ]
    needs = NEEDS[code.tier]
    return m.Tier(
        name=code.tier,
        arithmetic=needs.arithmetic,
        features=list(needs.features),
        language=list(needs.language),
        subgroup_size=needs.subgroup_size,
        limits=[m.Limit(name, least) for name, least in needs.limits.items()],
        wgsl=wgsl_name(code.tier),
        kernels=[m.KernelInfo(k.name, list(k.access)) for k in kernels],
        programs=programs,
    )


def wgsl_name(tier: Tier) -> str:
    return f"kernels-{tier}.wgsl"


def _module(code: WasmCode) -> m.WasmModule:
    map = code.map
    return m.WasmModule(
        name=code.variant.name,
        features=code.variant.features,
        file=wasm_name(code),
        size=len(code.data),
        sha256=hashlib.sha256(code.data).hexdigest(),
        pages=map.pages,
        chunk=code.chunk,
        threads=MOST_THREADS if code.variant.threads else 1,
        weights=list(map.weights),
        state=map.state,
        tokens=map.tokens,
        counts=map.counts,
        bias=map.bias,
        logits=map.logits,
        team=map.team + JOB,
    )


def _cut(codes: Sequence[WasmCode]) -> m.WasmCut:
    code = codes[-1]
    map = code.map
    return m.WasmCut(
        name=f"{code.variant.name}-cut",
        features=code.variant.features,
        parts=[_part(each) for each in codes],
        width=code.width,
        chunk=code.chunk,
        threads=MOST_THREADS if code.variant.threads else 1,
        state=map.state,
        tokens=map.tokens,
        counts=map.counts,
        bias=map.bias,
        logits=map.logits,
        team=map.team + JOB,
    )


def _part(code: WasmCode) -> m.WasmPart:
    assert code.part is not None
    map = code.map
    first, end = code.part.layers
    return m.WasmPart(
        first=first,
        end=end,
        file=wasm_name(code),
        size=len(code.data),
        sha256=hashlib.sha256(code.data).hexdigest(),
        pages=map.pages,
        places=[m.WasmPlace(p.buffer, p.offset, p.size, p.address) for p in map.places],
        entry=map.entry if code.part.number > 1 else 0,
        hidden=map.hidden,
    )


def wasm_name(code: WasmCode) -> str:
    return f"model-{code.name}.wasm"


def _phase(program: str) -> str:
    """The phase of a program: its name without the size of its chunk or `_short`."""
    return program.rstrip("0123456789").rstrip("_").removesuffix("_short")
