"""The state of a text (codegen/state.py) as the bytes that programs read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..bundle.manifest import Field
from ..codegen.state import pack_state
from ..sampling import state_fields
from .host import Host


def state_bytes(host: Host, n_tokens: int, position: int) -> npt.NDArray[np.uint8]:
    """The state for a run of `n_tokens` tokens that stand at `position`."""
    request = host.request
    values = {
        **state_fields(request.sampling),
        "position": position,
        "n_tokens": n_tokens,
        "done": host.done,
        "limit": host.limit,
        "sinks": request.sinks,
        "step": host.step,
        "end_count": len(request.end_ids),
        "end_ids": request.end_ids,
    }
    return np.frombuffer(pack_state(host.manifest.state, values), np.uint8)


def read_state(fields: Sequence[Field], raw: npt.NDArray[np.uint8]) -> dict[str, int]:
    """The unsigned fields of one value."""
    words = raw.view(np.uint32)
    return {f.name: int(words[f.offset // 4]) for f in fields if f.type == "u32" and f.count == 1}
