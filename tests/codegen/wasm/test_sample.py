"""The sampler in WASM draws what the reference draws, whatever the logits and the filters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from mdst.bundle.reader import Bundle
from mdst.hosts.choose import open_wasm
from mdst.hosts.host import Request
from mdst.hosts.wasm_host import WasmHost
from mdst.sampling import SamplingParams, sample

Floats = npt.NDArray[np.float32]
VOCABULARY = 1050
FILTERS: list[dict[str, float]] = [
    {},
    {"temperature": 0},
    {"temperature": 0.3},
    {"temperature": 3.0},
    {"top_k": 1},
    {"top_k": 7},
    {"top_k": 1049},
    {"top_p": 0.0},
    {"top_p": 0.5},
    {"top_p": 0.999},
    {"min_p": 0.1},
    {"min_p": 1.0},
    {"top_k": 40, "top_p": 0.9, "min_p": 0.02, "temperature": 0.8},
    {"repetition_penalty": 1.3, "presence_penalty": 0.5, "frequency_penalty": -0.25},
]


@pytest.fixture
def host(compiled: Callable[..., Bundle], tiny_model: Callable[..., Path]) -> WasmHost:
    return open_wasm(compiled(tiny_model(vocabulary=VOCABULARY, layers=1), kv="f32", context=32))


def logits_of(kind: str, rng: np.random.Generator) -> Floats:
    if kind == "peaked":
        return (rng.standard_normal(VOCABULARY) * 5).astype(np.float32)
    if kind == "flat":
        return (rng.standard_normal(VOCABULARY) * 1e-3).astype(np.float32)
    if kind == "ties":
        return rng.integers(-3, 3, VOCABULARY).astype(np.float32)
    if kind == "equal":
        return np.full(VOCABULARY, rng.choice([-0.0, 0.0, 2.5]), np.float32)
    odd = (rng.standard_normal(VOCABULARY) * 4).astype(np.float32)
    places = rng.choice(VOCABULARY, 200, replace=False)
    odd[places] = rng.choice(np.array([np.nan, -np.inf, -3.2e38, np.inf, 3e38], np.float32), 200)
    return odd


def drawn(host: WasmHost, logits: Floats, request: Request, counts: npt.NDArray[np.uint32]) -> int:
    host.start(request)
    host.prefill([5])
    host.counts[:] = counts
    host.step = 3
    module = host.module
    host.memory[module.logits : module.logits + 4 * VOCABULARY] = logits.view(np.uint8)
    (token,) = host.sample()
    return token


@pytest.mark.parametrize("kind", ["peaked", "flat", "ties", "equal", "odd"])
@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_draws_are_those_of_the_reference(
    host: WasmHost, kind: str, filters: dict[str, float]
) -> None:
    rng = np.random.default_rng()
    for _ in range(8):
        logits = logits_of(kind, rng)
        bias = np.zeros(VOCABULARY, np.float32)
        bias[rng.choice(VOCABULARY, 50)] = rng.choice([1.5, -2.0, -np.inf, np.nan], 50)
        counts = np.zeros(VOCABULARY, np.uint32)
        counts[rng.choice(VOCABULARY, 30)] = rng.choice(
            np.array([1, 2, 1 << 31, (1 << 31) + 3], np.uint32), 30
        )
        params = SamplingParams(
            **filters,  # type: ignore[arg-type]
            seed=int(rng.integers(2**63)),
            choice=int(rng.integers(100)),
        )
        expected = sample(logits, counts, bias, params, 3)
        assert drawn(host, logits, Request(params, bias=bias), counts) == expected


def test_all_masked_is_the_lowest_id(host: WasmHost) -> None:
    logits = np.full(VOCABULARY, -np.inf, np.float32)
    counts = np.zeros(VOCABULARY, np.uint32)
    for temperature in (0.0, 1.0):
        request = Request(SamplingParams(temperature=temperature))
        assert drawn(host, logits, request, counts) == 0
