"""The whole-model check: a few tokens through a host's programs against the numpy host."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..bundle.reader import Bundle
from ..errors import InternalError
from ..hosts.host import Host
from ..hosts.numpy_host import NumpyHost

Logits = npt.NDArray[np.float32]

_TOKENS = 4
_BOUND = {"f32": 1e-6, "f16": 1e-5}
"""Largest Σ(a−b)² / Σb² of the logits, by the format of the cache."""
INT8_BOUND = 0.05
"""The same for activations of 8 bits: rounding gives about 1e-3, a wrong kernel about 1."""


def expected_rows(bundle: Bundle) -> list[Logits] | None:
    """The witness's logits after each of a few tokens; None when they are not finite, so that
    nothing can be compared."""
    witness = NumpyHost(bundle)
    rows = [witness.decode_logits(id) for id in _ids(bundle)]
    return rows if np.isfinite(rows).all() else None


def check_model(
    bundle: Bundle, host: Host, expected: Sequence[Logits], bound: float | None = None
) -> float:
    """The largest error of any row of logits that was compared: decode_logits on each token, and
    prefill on all of them. `expected`: from `expected_rows`. Raises InternalError when the error
    passes the bound (None: that of floats)."""
    bound = _BOUND[bundle.manifest.kv] if bound is None else bound
    ids = _ids(bundle)
    errors = [_error(host.decode_logits(id), row) for id, row in zip(ids, expected, strict=True)]
    host.start(host.request)
    host.prefill(ids)
    errors.append(_error(host.logits(), expected[-1]))
    worst = float(np.max(errors))  # NaN, unlike max(), if there is one
    if not worst <= bound:
        raise InternalError(
            "VALIDATE002",
            f"the model's {host.name} logits in tier {host.tier} are off by {worst:.2g} (bound: "
            f"{bound:.0e})",
            hint="this is a bug in mdst or in a driver; --validate none skips the check",
        )
    return worst


def _ids(bundle: Bundle) -> list[int]:
    return [(7 + 31 * i) % bundle.manifest.model.vocabulary for i in range(_TOKENS)]


def _error(found: Logits, expected: Logits) -> float:
    difference = found.astype(np.float64) - expected
    return float(np.sum(difference**2) / np.sum(expected.astype(np.float64) ** 2))
