"""Whether the parts of a manifest fit together: whoever runs a bundle relies on it.

Types and missing fields are `parse_manifest`'s matter.
"""

from __future__ import annotations

import re

from ..codegen.state import STATE, STATE_BYTES
from ..errors import MalformedError
from .listing import is_bundle_name
from .manifest import Manifest, Tier, WasmModule

_PHASES = {"prefill", "prefill_logits", "decode", "decode_logits", "sample"}
_KINDS = ("state", "tokens", "counts", "bias")
"""Buffers of which there is one."""
_HASH = re.compile("[0-9a-f]{64}")
_PAGE = 1 << 16


def check_manifest(manifest: Manifest) -> None:
    """Raises MalformedError (MANIFEST004) for references to what is not there, places outside of
    their buffer, and names of files outside of the bundle."""
    for problem, holds in _rules(manifest).items():
        if not holds:
            raise MalformedError("MANIFEST004", f"manifest.json contradicts itself: {problem}")


def _rules(m: Manifest) -> dict[str, bool]:
    """What is wrong where a rule does not hold."""
    shards = [shard for weights in m.weights for shard in weights.shards]
    places = [(each.buffer, each.offset, each.size) for each in m.views]
    places += [(each.buffer, each.offset, each.size) for each in shards]
    counts = [sum(buffer.kind == kind for buffer in m.buffers) for kind in _KINDS]
    ends = [(field.offset, field.offset + 4 * field.count) for field in m.state]
    sizes = [buffer.size for buffer in m.buffers if buffer.kind == "weights"]
    return {
        "a file lies outside of the bundle": all(map(is_bundle_name, _names(m))),
        "a weight file has no hash": all(_HASH.fullmatch(shard.sha256) for shard in shards),
        "a view or a weight file lies outside of its buffer": all(
            0 <= buffer < len(m.buffers) and 0 <= offset <= offset + size <= m.buffers[buffer].size
            for buffer, offset, size in places
        ),
        "a weight file goes to another kind of buffer": all(
            shard.buffer < len(sizes) for shard in shards
        ),
        "the logits are in no view": 0 <= m.logits < len(m.views),
        f"not one buffer for each of {', '.join(_KINDS)}": counts == [1] * len(_KINDS),
        "a size that is not positive": all(
            size > 0 for size in (m.context.window, m.context.chunk, m.model.vocabulary)
        ),
        "the state lacks fields": {f.name for f in STATE} <= {f.name for f in m.state},
        "a field lies outside of the state": all(0 <= a <= b <= STATE_BYTES for a, b in ends),
        "a program is missing, or has a step of what is not there": all(
            _steps_fit(tier, len(m.views)) for tier in m.tiers
        ),
        "a module's memory is too small": all(_module_fits(each, sizes, m) for each in m.wasm),
    }


def _names(m: Manifest) -> list[str]:
    files = [*(file.name for file in m.files), *(tier.wgsl for tier in m.tiers)]
    parts = [part.file for cut in m.wasm_cuts for part in cut.parts]
    return [*files, *(module.file for module in m.wasm), *parts]


def _steps_fit(tier: Tier, views: int) -> bool:
    steps = [step for program in tier.programs for step in program.steps]
    return {program.phase for program in tier.programs} >= _PHASES and all(
        0 <= step.kernel < len(tier.kernels)
        and len(step.views) == len(tier.kernels[step.kernel].access)
        and all(0 <= view < views for view in step.views)
        and len(step.grid) == 3
        for step in steps
    )


def _module_fits(module: WasmModule, weights: list[int], m: Manifest) -> bool:
    row, end = 4 * m.model.vocabulary, module.pages * _PAGE
    places = [
        *zip(module.weights, weights, strict=False),
        (module.state, STATE_BYTES),
        (module.tokens, 4 * m.context.window),
        *((at, row) for at in (module.counts, module.bias, module.logits)),
        (module.team, 4),
    ]
    whole = len(module.weights) == len(weights)
    return whole and all(0 <= at <= at + size <= end for at, size in places)
