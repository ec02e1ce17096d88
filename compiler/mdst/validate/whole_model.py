"""The whole-model check: a few tokens through the GPU programs against the numpy host."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..bundle.reader import Bundle
from ..codegen.tiers import Tier
from ..errors import InternalError
from ..hosts.numpy_host import NumpyHost
from ..hosts.wgpu_host import WgpuHost

_TOKENS = 4
_BOUND = {"f32": 1e-6, "f16": 1e-5}
"""Largest Σ(a−b)² / Σb² of the logits, by the format of the cache."""
_INT8_BOUND = 0.05
"""The same for activations of 8 bits: rounding gives about 1e-3, a wrong kernel about 1."""


def check_model(bundle: Bundle, tier: Tier) -> float | None:
    """The largest error of any row of logits that was compared: decode_logits on each token, and
    prefill on all of them. None when the model's own logits are not finite, so that nothing can be
    compared. Raises InternalError when the error passes the bound."""
    vocabulary = bundle.manifest.model.vocabulary
    ids = [(7 + 31 * i) % vocabulary for i in range(_TOKENS)]
    witness, host = NumpyHost(bundle), WgpuHost(bundle, tier)
    expected = [witness.decode_logits(id) for id in ids]
    if not np.isfinite(expected).all():
        return None
    errors = [_error(host.decode_logits(id), row) for id, row in zip(ids, expected, strict=True)]
    host.start(host.request)
    host.prefill(ids)
    errors.append(_error(host.logits(), expected[-1]))
    worst = float(np.max(errors))  # NaN, unlike max(), if there is one
    int8 = bundle.tier(tier).arithmetic == "int8"
    bound = _INT8_BOUND if int8 else _BOUND[bundle.manifest.kv]
    if not worst <= bound:
        raise InternalError(
            "VALIDATE002",
            f"the model's logits in tier {tier} are off by {worst:.2g} (bound: {bound:.0e})",
            hint="this is a bug in mdst or in the GPU driver; --validate none skips the check",
        )
    return worst


def _error(found: npt.NDArray[np.float32], expected: npt.NDArray[np.float32]) -> float:
    difference = found.astype(np.float64) - expected
    return float(np.sum(difference**2) / np.sum(expected.astype(np.float64) ** 2))
