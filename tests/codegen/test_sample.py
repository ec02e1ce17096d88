"""Both kernels of the sampler against sampling.py, on fresh random logits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mdst.codegen.kernel import Kernel
from mdst.codegen.kernels.sample_prepare import SamplePrepare
from mdst.codegen.kernels.sample_select import SampleSelect
from mdst.codegen.state import MAX_END_TOKENS, STATE, STATE_BYTES
from mdst.codegen.templates import render
from mdst.hosts.wgpu_device import Device
from mdst.sampling import (
    IN_PROMPT,
    MASKED,
    SamplingParams,
    choose,
    penalise,
    random_word,
    sample,
    state_fields,
)
from mdst.validate.case import state_words

EDGE = 2**12  # of 2^32: one millionth

U32Array = npt.NDArray[np.uint32]
F32Array = npt.NDArray[np.float32]
CONTEXT = 13
GUARD = 16
"""Words behind each output that no kernel may touch."""
f32 = np.float32


class Sampler:
    """Both steps over one set of buffers, so that a test costs two dispatches."""

    def __init__(self, device: Device, n_vocab: int) -> None:
        self.device, self.n_vocab = device, n_vocab
        prepare = SamplePrepare(n_vocab)
        select = SampleSelect(n_vocab, CONTEXT, prepare.groups)
        padded = -(-n_vocab // 4) * 4
        self.words = {"state": STATE_BYTES // 4, "logits": n_vocab, "counts": n_vocab,
                      "bias": n_vocab, "adjusted": padded, "maxima": 2 * prepare.groups,
                      "tokens": CONTEXT}  # fmt: skip
        self.buffers = {n: device.buffer(4 * (w + GUARD)) for n, w in self.words.items()}
        self.steps = [self._bind(render(p, device.tier)) for p in (prepare, select)]

    def _bind(self, kernel: Kernel) -> Any:
        views = [
            (self.buffers[b.name], 0, -(-self.words[b.name] // 4) * 16) for b in kernel.bindings
        ]
        grid = kernel.params.grid(self.device.tier, 1)
        return self.device.bind(self.device.pipeline(kernel), views, grid)

    def write(self, name: str, data: npt.NDArray[Any], at: int = 0) -> None:
        self.device.write(self.buffers[name], 4 * at, np.ascontiguousarray(data))

    def read(self, name: str) -> U32Array:
        """All words of a buffer, the guard included."""
        return self.device.read(self.buffers[name], 0, 4 * (self.words[name] + GUARD)).view(
            np.uint32
        )

    def set_state(self, **fields: Any) -> None:
        values = {"n_tokens": 1, "limit": 1 << 20} | fields
        self.write("state", np.array(state_words(**values).values, np.uint32))

    def state(self) -> dict[str, int]:
        words = self.read("state")
        return {f.name: int(words[f.offset // 4]) for f in STATE}

    def load(
        self, logits: F32Array, counts: U32Array | None = None, bias: F32Array | None = None
    ) -> None:
        zeros = np.zeros(self.n_vocab, np.uint32)
        self.write("logits", logits)
        self.write("counts", zeros if counts is None else counts)
        self.write("bias", zeros if bias is None else bias)

    def token(self, params: SamplingParams, step: int) -> int:
        """What the kernels draw as output token `step` (its count goes up by one)."""
        self.set_state(**state_fields(params), step=step)
        self.device.submit(self.steps)
        return int(self.read("tokens")[1])


@pytest.fixture(scope="module", params=[7, 290, 5000, 70_000])
def sampler(device: Device, request: pytest.FixtureRequest) -> Sampler:
    return Sampler(device, request.param)


def random_params(rng: np.random.Generator, n_vocab: int) -> SamplingParams:
    """Each filter and penalty on about half of the time."""

    def maybe(value: float, off: float) -> float:
        return value if rng.random() < 0.5 else off

    return SamplingParams(
        temperature=float(rng.choice([0.3, 1, 1, 2, 30])),
        top_k=int(maybe(int(rng.integers(1, max(2, int(n_vocab ** rng.random())))), 0)),
        top_p=maybe(float(rng.choice([0.02, 0.5, 0.9, 0.999, 0])), 1),
        min_p=maybe(float(rng.choice([0.001, 0.1, 0.7, 1])), 0),
        repetition_penalty=maybe(rng.uniform(0.7, 1.6), 1),
        presence_penalty=maybe(rng.uniform(-1, 1), 0),
        frequency_penalty=maybe(rng.uniform(-1, 1), 0),
        seed=int(rng.integers(2**63)),
        choice=int(rng.integers(2**32)),
    )


def random_counts(rng: np.random.Generator, n: int) -> U32Array:
    seen = rng.integers(0, 4, n, np.uint32) * rng.integers(0, 2, n, np.uint32)
    counts: U32Array = seen | rng.integers(0, 2, n, np.uint32) * np.uint32(IN_PROMPT)
    return counts


def random_logits(rng: np.random.Generator, n: int, kind: str) -> F32Array:
    spread = 10_000 if kind == "wide" else rng.choice([0.01, 1, 3])
    logits: F32Array = rng.normal(rng.uniform(-20, 20), spread, n).astype(f32)
    if kind == "ties":
        logits = (np.round(2 * logits) / 2).astype(f32)
    if kind == "masked":
        logits[rng.random(n) < 0.8] = rng.choice([-np.inf, np.nan, -3e38])
    if kind == "alike":
        logits[:] = logits[0]
    if kind == "one":
        logits[:] = -1e30
        logits[rng.integers(n)] = 1e30
    return logits


@pytest.mark.parametrize("kind", ["normal", "wide", "ties", "masked", "alike", "one"])
def test_tokens_are_those_of_the_reference(
    sampler: Sampler, rng: np.random.Generator, kind: str
) -> None:
    """Equal, but for draws at the very edge of a token's share: the last bits of exp(), divisions
    and fused multiply-adds are the device's own, and move the edges by up to 1e-6 of the sum."""
    n = sampler.n_vocab
    for step in range(25 if n < 10_000 else 6):
        params = random_params(rng, n)
        logits, counts = random_logits(rng, n, kind), random_counts(rng, n)
        bias = np.where(rng.random(n) < 0.1, rng.normal(0, 2, n), 0).astype(f32)
        bias[rng.random(n) < 0.05] = -np.inf
        sampler.load(logits, counts, bias)
        token = sampler.token(params, step)
        if token != sample(logits, counts, bias, params, step):
            adjusted, word = penalise(logits, counts, bias, params), random_word(params, step)
            near = [min(max(word + d, 0), 2**32 - 1) for d in (-EDGE, EDGE)]
            assert token in {choose(adjusted, params, w) for w in near}, params


def test_greedy_takes_the_lowest_of_the_largest(sampler: Sampler, rng: np.random.Generator) -> None:
    n = sampler.n_vocab
    logits = rng.integers(-3, 3, n).astype(f32)
    logits[rng.random(n) < 0.5] *= f32(-1)  # some zeros become negative
    for temperature in (0, 1e-7):
        for cut in (2.0, 0.0):
            cut_logits = np.minimum(logits, f32(cut)) * f32(1)
            sampler.load(cut_logits)
            assert sampler.token(SamplingParams(temperature=temperature), 0) == np.argmax(
                cut_logits
            )


@pytest.mark.parametrize("bad", [np.nan, -np.inf, -3e38])
def test_nothing_left_gives_the_first_token(sampler: Sampler, bad: float) -> None:
    sampler.load(np.full(sampler.n_vocab, bad, f32))
    for temperature in (0.0, 1.0):
        assert sampler.token(SamplingParams(temperature, top_k=2, top_p=0.9), 3) == 0


def test_prepare_writes_logits_maxima_and_nothing_else(
    sampler: Sampler, rng: np.random.Generator
) -> None:
    n = sampler.n_vocab
    params = random_params(rng, n)
    logits, counts = random_logits(rng, n, "masked"), random_counts(rng, n)
    bias = rng.normal(0, 1, n).astype(f32)
    bias[rng.integers(n, size=2)] = [np.nan, -3.1e38]
    sampler.load(logits, counts, bias)
    guard = np.arange(GUARD, dtype=np.uint32) + 0xABCD0000
    for name in ("adjusted", "maxima"):
        sampler.write(name, guard, sampler.words[name])
    sampler.set_state(**state_fields(params))
    sampler.device.submit(sampler.steps[:1])
    words = sampler.read("adjusted")
    result, expected = words[:n].view(f32), penalise(logits, counts, bias, params)
    assert ((result == MASKED) == (expected == MASKED)).all()
    a, b = (np.where(expected == MASKED, 0, v).astype(np.float64) for v in (result, expected))
    assert ((a - b) ** 2).sum() <= 1e-13 * (b**2).sum()
    assert (words[n:-GUARD].view(f32) == MASKED).all()
    assert (words[-GUARD:] == guard).all()
    maxima = sampler.read("maxima")
    assert (maxima[-GUARD:] == guard).all()
    starts = np.arange(0, n, 1024)
    best = [s + int(np.argmax(result[s : s + 1024])) for s in starts]
    bits = result[best].view(np.uint32)
    keys = np.where(bits >> 31, ~bits, bits | np.uint32(IN_PROMPT))
    assert maxima[: 2 * starts.size].reshape(-1, 2).tolist() == np.stack([keys, best], 1).tolist()


def test_a_run_of_steps_follows_the_reference(sampler: Sampler, rng: np.random.Generator) -> None:
    """Steps in one submit: counts, positions and the token ring go on from one to the next."""
    n, runs, steps = sampler.n_vocab, 2, 5
    params = replace(random_params(rng, n), frequency_penalty=0.9, repetition_penalty=1.3)
    logits, counts = random_logits(rng, n, "normal"), random_counts(rng, n)
    bias = np.zeros(n, f32)
    sampler.load(logits, counts, bias)
    sampler.set_state(**state_fields(params), position=4, n_tokens=3)
    ring = np.arange(CONTEXT + GUARD, dtype=np.uint32) + 0xFEED0000
    sampler.write("tokens", ring)
    for _ in range(runs):
        sampler.device.submit(sampler.steps * steps)
    for step in range(runs * steps):
        token = sample(logits, counts, bias, params, step)
        counts[token] += 1
        ring[(7 + step) % CONTEXT] = token
    assert sampler.read("tokens").tolist() == ring.tolist()
    assert sampler.read("counts")[:n].tolist() == counts.tolist()
    state = sampler.state()
    assert (state["position"], state["n_tokens"], state["step"]) == (6 + runs * steps, 1, 10)
    assert state["done"] == 0


@pytest.mark.parametrize(
    ("ends", "limit", "done"),
    [((), 9, 0), ((), 8, 2), ((), 3, 2), ((99, 5), 9, 1), ((5,), 8, 1), ((99,) * 15 + (5,), 9, 1)],
)
def test_done_after_an_end_token_or_at_the_limit(
    sampler: Sampler, ends: tuple[int, ...], limit: int, done: int
) -> None:
    logits = np.zeros(sampler.n_vocab, f32)
    logits[5] = 1
    sampler.load(logits)
    fields = state_fields(SamplingParams(temperature=0))
    # Ids behind `end_count` do not end anything.
    ids = (*ends, *(5,) * (MAX_END_TOKENS - len(ends)))
    sampler.set_state(
        **fields, position=6, n_tokens=2, limit=limit, end_count=len(ends), end_ids=ids
    )
    sampler.device.submit(sampler.steps)
    state = sampler.state()
    assert (state["done"], state["position"], state["step"]) == (done, 8, 1)
    assert sampler.read("tokens")[8] == 5
    assert sampler.read("counts")[5] == 1


@pytest.mark.parametrize("done", [1, 2])
def test_nothing_changes_once_done(sampler: Sampler, rng: np.random.Generator, done: int) -> None:
    sampler.load(rng.normal(size=sampler.n_vocab).astype(f32))
    sampler.set_state(**state_fields(SamplingParams()), done=done, position=3, limit=3)
    before = {name: sampler.read(name).tolist() for name in sampler.words}
    sampler.device.submit(sampler.steps * 2)
    assert {name: sampler.read(name).tolist() for name in sampler.words} == before


def test_every_random_word_gives_the_token_of_its_mass(
    sampler: Sampler, rng: np.random.Generator
) -> None:
    """Many draws from one distribution: where the sums of masses lie, not only their order."""
    logits = rng.normal(0, 1, sampler.n_vocab).astype(f32)
    sampler.load(logits)
    params = SamplingParams(seed=int(rng.integers(2**63)), min_p=0.2)
    for step in range(30 if sampler.n_vocab < 10_000 else 5):
        token = sampler.token(params, step)
        assert token == choose(logits, params, random_word(params, step))
