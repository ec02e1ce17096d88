"""The numpy sampler against a slow one that follows the words of its definition, and against the
probabilities that it stands for."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdst.codegen.state import STATE
from mdst.errors import UsageError
from mdst.sampling import (
    IN_PROMPT,
    MASKED,
    SamplingParams,
    choose,
    kept,
    penalise,
    random_word,
    sample,
    state_fields,
)

f32 = np.float32


def literal_mass(logit: float, largest: float, temperature: float) -> int:
    scaled = max(f32(logit) - f32(largest), f32(-21) * f32(temperature)) * (
        f32(1) / f32(temperature)
    )
    return math.floor(float(f32(math.exp(float(scaled)))) * 2**29)


def literal_choose(logits: list[float], params: SamplingParams, word: int) -> int:
    """One token after the other, in the order of the definition."""
    order = sorted(range(len(logits)), key=lambda i: (-logits[i], i))
    largest = logits[order[0]]
    if params.temperature < 1e-6 or largest == MASKED:
        return order[0]
    if params.top_k > 0:
        order = order[: params.top_k]
    if f32(params.top_p) < 1:
        total = sum(literal_mass(logits[i], largest, 1) for i in order)
        share = math.floor(float(f32(params.top_p)) * 2**32)
        prefix: list[int] = []
        mass = 0
        for i in order:
            if prefix and mass * 2**32 >= total * share:
                break
            prefix.append(i)
            mass += literal_mass(logits[i], largest, 1)
        order = prefix
    if params.min_p > 0:
        least = f32(largest) + f32(math.log(params.min_p))
        order = [i for i in order if logits[i] >= least]
    mass_of = {i: literal_mass(logits[i], largest, params.temperature) for i in sorted(order)}
    target = sum(mass_of.values()) * word // 2**32
    for i, mass in mass_of.items():
        target -= mass
        if target < 0:
            return i
    raise AssertionError("the target is below the total")


coarse = st.integers(-30, 30).map(lambda i: i / 4)
fine = st.floats(-40, 40, width=32)
rare = st.sampled_from([0.0, 1e30, -1e30, float(MASKED)])
params_st = st.builds(
    SamplingParams,
    temperature=st.sampled_from([0, 1e-7, 1e-5, 0.1, 0.7, 1, 1.5, 100]),
    top_k=st.integers(0, 12),
    top_p=st.sampled_from([0, 1e-9, 0.1, 0.5, 0.9, 0.99999994, 1]),
    min_p=st.sampled_from([0, 1e-30, 0.01, 0.2, 0.6065307, 1]),
)


@settings(max_examples=600, deadline=None)
@given(
    logits=st.lists(st.one_of(coarse, fine, rare), min_size=1, max_size=30),
    params=params_st,
    word=st.one_of(st.integers(0, 2**32 - 1), st.sampled_from([0, 2**32 - 1])),
)
def test_choose_follows_the_definition(
    logits: list[float], params: SamplingParams, word: int
) -> None:
    adjusted = np.array(logits, f32) + f32(0)
    assert choose(adjusted, params, word) == literal_choose(adjusted.tolist(), params, word)


@settings(max_examples=200, deadline=None)
@given(logits=st.lists(st.one_of(coarse, fine), min_size=1, max_size=30), params=params_st)
def test_filters_keep_the_largest_and_nothing_else_changes_when_off(
    logits: list[float], params: SamplingParams
) -> None:
    adjusted = np.array(logits, f32)
    ids = kept(adjusted, params)
    assert int(np.argmax(adjusted)) in ids
    assert ids.tolist() == sorted(set(ids.tolist()))
    assert kept(adjusted, SamplingParams()).tolist() == list(range(adjusted.size))


def test_penalties_one_by_one() -> None:
    logits = np.array([2, -2, 2, -2, 0, 1], f32)
    counts = np.array([0, 0, IN_PROMPT, IN_PROMPT, 2, IN_PROMPT | 3], np.uint32)
    none = np.zeros(6, f32)
    repetition = SamplingParams(repetition_penalty=2)
    assert penalise(logits, counts, none, repetition).tolist() == [2, -2, 1, -4, 0, 0.5]
    presence = SamplingParams(presence_penalty=0.5)
    assert penalise(logits, counts, none, presence).tolist() == [2, -2, 2, -2, -0.5, 0.5]
    frequency = SamplingParams(frequency_penalty=0.25)
    assert penalise(logits, counts, none, frequency).tolist() == [2, -2, 2, -2, -0.5, 0.25]
    # The bias comes first, so the repetition penalty sees its sign.
    bias = np.full(6, -3, f32)
    assert penalise(logits, counts, bias, repetition).tolist() == [-1, -5, -2, -10, -6, -4]


@pytest.mark.parametrize("bad", [np.nan, -np.inf, -3e38, -3.4e38])
def test_masks(bad: float) -> None:
    logits, zeros = np.array([1, 5, 2], f32), np.zeros(3, f32)
    counts, params = np.ones(3, np.uint32), SamplingParams(temperature=0)
    masked = zeros.copy()
    masked[1] = bad
    assert sample(logits, counts, masked, params, 0) == 2
    assert sample(logits + masked, counts, zeros, params, 0) == 2
    everything = np.full(3, bad, f32)
    for temperature in (0.0, 1.0):
        alike = replace(params, temperature=temperature, top_k=2, top_p=0.5)
        assert sample(logits, counts, everything, alike, 0) == 0


def test_infinite_and_huge_logits_stay_in_order() -> None:
    zeros, counts = np.zeros(3, f32), np.zeros(3, np.uint32)
    logits = np.array([-np.inf, np.inf, 3e38], f32)
    adjusted = penalise(logits, counts, zeros, SamplingParams())
    assert adjusted.tolist() == [float(MASKED), float(f32(1e30)), float(f32(1e30))]
    draws = {sample(logits, counts, zeros, SamplingParams(), step) for step in range(60)}
    assert draws == {1, 2}


def test_zeros_of_either_sign_are_equal() -> None:
    counts, zeros = np.zeros(2, np.uint32), np.zeros(2, f32)
    for logits in ([-0.0, 0.0], [0.0, -0.0]):
        array = np.array(logits, f32)
        assert sample(array, counts, zeros, SamplingParams(temperature=0), 0) == 0
        assert sample(array, counts, zeros, SamplingParams(top_k=1), 0) == 0


# 99.99 % quantile of chi-square with 39 and 5 degrees of freedom.
CHI_SQUARE = {40: 79.08, 6: 25.75}


def chi_square(draws: list[int], expected: dict[int, float]) -> float:
    assert set(draws) <= set(expected)
    total = len(draws)
    return sum((draws.count(i) - total * p) ** 2 / (total * p) for i, p in expected.items())


def test_draws_have_the_probabilities_of_softmax(rng: np.random.Generator) -> None:
    logits = rng.normal(0, 1, 40).astype(f32)
    counts, zeros = np.zeros(40, np.uint32), np.zeros(40, f32)
    params = SamplingParams(temperature=1.3, seed=int(rng.integers(2**63)), choice=3)
    weights = np.exp(logits.astype(np.float64) / 1.3)
    expected = dict(enumerate((weights / weights.sum()).tolist()))
    draws = [sample(logits, counts, zeros, params, step) for step in range(6000)]
    assert chi_square(draws, expected) < CHI_SQUARE[40]


def test_draws_after_filters_are_softmax_over_what_they_keep(rng: np.random.Generator) -> None:
    logits = rng.normal(0, 1, 40).astype(f32)
    params = SamplingParams(top_k=6, seed=int(rng.integers(2**63)))
    six = np.argsort(-logits)[:6]
    weights = np.exp(logits[six].astype(np.float64))
    expected = dict(zip(six.tolist(), (weights / weights.sum()).tolist(), strict=True))
    words = [random_word(params, step) for step in range(4000)]
    draws = [choose(logits, params, word) for word in words]
    assert chi_square(draws, expected) < CHI_SQUARE[6]


def test_random_words_differ_by_step_choice_and_seed() -> None:
    variants = [(s, SamplingParams(seed=seed, choice=c)) for s in (0, 1) for c in (0, 1)
                for seed in (0, 1, 1 << 32)]  # fmt: skip
    assert len({random_word(params, step) for step, params in variants}) == len(variants)


@pytest.mark.parametrize(
    ("name", "value"),
    [("temperature", -0.1), ("temperature", math.nan), ("temperature", math.inf), ("top_k", -1),
     ("top_p", 1.01), ("min_p", -0.1), ("repetition_penalty", 0), ("presence_penalty", 1e9),
     ("frequency_penalty", math.nan), ("seed", 2**64), ("seed", -1), ("choice", 2**32)],
)  # fmt: skip
def test_values_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(UsageError, match=name) as caught:
        SamplingParams(**{name: value})  # type: ignore[arg-type]
    assert caught.value.id == "SAMPLING001"


def test_state_fields_name_the_state() -> None:
    fields = state_fields(SamplingParams(seed=0x0123456789ABCDEF, min_p=0.5))
    assert fields["seed"] == (0x89ABCDEF, 0x01234567)
    assert fields["log_min_p"] == math.log(0.5)
    assert set(fields) <= {field.name for field in STATE}
