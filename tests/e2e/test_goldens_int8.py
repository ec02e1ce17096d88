"""Activations of 8 bits, from file to logits, against llama.cpp's logits of 32."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from mdst.bundle.reader import Bundle
from mdst.codegen.tiers import INT8_TIERS
from mdst.hosts.host import Host, Request

Compiled = Callable[..., Bundle]
HostOf = Callable[[Bundle, str], Host]
Rows = npt.NDArray[np.float32]

MODELS = (
    *("llama-tiny." + type for type in ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K")),
    *("llama-tiny." + type for type in ("Q3_K_M", "Q4_K_M", "Q5_K_M", "Q6_K", "Q1_0", "MXFP4")),
    *("llama-tiny." + type for type in ("IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "TQ1_0")),
    *("llama-tiny." + type for type in ("IQ3_XXS", "IQ3_S", "IQ4_NL", "IQ4_XS", "TQ2_0")),
    "qwen2-tiny.Q8_0",
    "qwen3-tiny.Q8_0",
)
TOGETHER = 1.5e-3
"""Bound of the error over all positions of a file."""
ALONE = 6e-3
"""And of the error at any one of them."""


def error(found: Rows, expected: Rows) -> float:
    difference = found.astype(np.float64) - expected
    return float(np.sum(difference**2) / np.sum(expected.astype(np.float64) ** 2))


@pytest.mark.parametrize("tier", INT8_TIERS)
@pytest.mark.parametrize("name", MODELS)
def test_logits_are_near_those_of_llama_cpp(
    shared: Path, compiled: Compiled, host_of: HostOf, name: str, tier: str
) -> None:
    path = shared / f"goldens/models/{name}.gguf"
    with np.load(path.with_suffix(".golden.npz")) as golden:
        prompt, logits = golden["prompt"].tolist(), golden["logits"]
    bundle = compiled(path, kv="f32", chunk=64)
    host = host_of(bundle, tier)

    host.start(Request())
    rows = np.array([host.decode_logits(id) for id in prompt])
    together = error(rows, logits)
    alone = [error(*pair) for pair in zip(rows, logits, strict=True)]
    print(f"{name}: {together:.2e}, at most {max(alone):.2e}")
    assert together <= TOGETHER
    assert max(alone) <= ALONE
    assert together > 1e-7  # the float path would be much nearer

    host.start(Request())
    host.prefill(prompt)
    last = error(host.logits(), logits[-1])
    assert 1e-8 < last <= ALONE
