"""The sampler: logits → the next token. This numpy version is the reference for every host.

bias and mask → repetition penalty → presence and frequency penalty → top-k → top-p → min-p →
temperature → draw. Hosts given equal logits differ at most in the last bits of exp() and of the
penalties' arithmetic; all that follows is integer arithmetic, so neither the order of a sum nor the
number of its threads ever shows in the text.

Order: the larger logit first, equal logits the lowest id first; +0 and −0 are equal.
Mass of a token: floor(exp(l − max) · 2^29), the integer that stands for its probability.
Masked: a logit or a bias that is −inf, NaN or ≤ −3e38. A masked token is drawn only if every token
is masked; then the lowest id, 0, is the answer. Other sizes are cut to ±1e30.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .errors import UsageError
from .philox import philox4x32

F32Array = npt.NDArray[np.float32]
IdArray = npt.NDArray[np.intp]

MASKED = np.float32(-3e38)
LARGEST = np.float32(1e30)
"""Sums and products of what is below it stay finite: WGSL may assume that infinity never occurs."""
MASS_ONE = np.float32(2**29)
"""Mass of the largest logit. Four of them fit 32 bits, and e^−21 of one is nothing."""
NO_MASS = np.float32(-21)
MIN_TEMPERATURE = np.float32(1e-6)
"""Below it the temperature counts as 0."""
IN_PROMPT = 1 << 31
"""Bit of a token's count that says that it occurs in the prompt; the others count the output."""

_RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0, 1e6),
    "top_k": (0, 2**32 - 1),
    "top_p": (0, 1),
    "min_p": (0, 1),
    "repetition_penalty": (1e-3, 1e3),
    "presence_penalty": (-1e3, 1e3),
    "frequency_penalty": (-1e3, 1e3),
    "seed": (0, 2**64 - 1),
    "choice": (0, 2**32 - 1),
}


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How tokens are drawn. The defaults draw from the model's own distribution.

    `temperature` 0 takes the largest logit; `top_k` 0, `top_p` 1 and `min_p` 0 are off, as are
    `repetition_penalty` 1 and the other penalties at 0. `choice` numbers independent answers to
    one prompt. Raises UsageError for a value out of range.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int = 0
    choice: int = 0

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:  # also true of NaN
                least, most = (int(b) if b == int(b) else b for b in (low, high))
                raise UsageError(
                    "SAMPLING001", f"{name} is {value}, but must be from {least} to {most}"
                )


def log_min_p(params: SamplingParams) -> float:
    """Natural logarithm of min-p; −3e38 when it is off."""
    return math.log(params.min_p) if params.min_p > 0 else float(MASKED)


def state_fields(params: SamplingParams) -> dict[str, int | float | tuple[int, int]]:
    """The sampling fields of the state buffer (codegen/state.py)."""
    return {
        "seed": (params.seed & 0xFFFFFFFF, params.seed >> 32),
        "choice": params.choice,
        "top_k": params.top_k,
        "temperature": params.temperature,
        "top_p": params.top_p,
        "log_min_p": log_min_p(params),
        "repetition_penalty": params.repetition_penalty,
        "presence_penalty": params.presence_penalty,
        "frequency_penalty": params.frequency_penalty,
    }


def sample(
    logits: F32Array,
    counts: npt.NDArray[np.uint32],
    bias: F32Array,
    params: SamplingParams,
    step: int,
) -> int:
    """The id of output token `step`. `logits` and `bias` are float32 [n_vocab], `counts` uint32
    [n_vocab]: occurrences in the output, and bit 31 for the prompt."""
    return choose(penalise(logits, counts, bias, params), params, random_word(params, step))


def random_word(params: SamplingParams, step: int) -> int:
    """The 32 random bits of output token `step`."""
    key = (params.seed & 0xFFFFFFFF, params.seed >> 32)
    counter = np.array([[step, params.choice, 0, 0]], np.uint32)
    return int(philox4x32(counter, key)[0, 0])


def penalise(
    logits: F32Array, counts: npt.NDArray[np.uint32], bias: F32Array, params: SamplingParams
) -> F32Array:
    """Logits after bias, mask and penalties, float32 [n_vocab]: MASKED, or within ±LARGEST.

    The repetition penalty divides positive logits and multiplies negative ones, as in CTRL
    (Keskar et al. 2019) and llama.cpp; the other two are those of the OpenAI API.
    """
    masked = ~(logits > MASKED) | ~(bias > MASKED)  # NaN compares false
    result = _tidy(np.where(masked, 0, logits)) + _tidy(np.where(masked, 0, bias))
    penalty = np.float32(params.repetition_penalty)
    penalised = np.where(result > 0, result / penalty, result * penalty)
    result = np.where(counts != 0, penalised, result)
    output = counts & np.uint32(IN_PROMPT - 1)
    drop = np.float32(params.frequency_penalty) * output.astype(np.float32)
    drop += np.float32(params.presence_penalty)
    result = np.where(output > 0, result - drop, result)
    return np.where(masked, MASKED, _tidy(result))


def _tidy(values: F32Array) -> F32Array:
    """Cut to ±LARGEST, with one zero."""
    return np.clip(values, -LARGEST, LARGEST) + np.float32(0)


def choose(adjusted: F32Array, params: SamplingParams, word: int) -> int:
    """The token that 32 random bits pick from penalised logits: the first in id order at which the
    sum of masses passes floor(total · word / 2^32)."""
    top = int(np.argmax(adjusted))
    temperature = np.float32(params.temperature)
    if temperature < MIN_TEMPERATURE or adjusted[top] == MASKED:
        return top
    ids = kept(adjusted, params)
    sums = np.cumsum(masses(adjusted[ids], adjusted[top], temperature))
    target = np.uint64((int(sums[-1]) * word) >> 32)
    return int(ids[np.searchsorted(sums, target, side="right")])


def kept(adjusted: F32Array, params: SamplingParams) -> IdArray:
    """Ids that the filters leave, ascending; never empty. Each filter sees what the one before
    left, all at temperature 1.

    - top-k: the first k of the order.
    - top-p: the shortest prefix of the order with mass ≥ ceil(total · floor(p · 2^32) / 2^32), one
      token at least.
    - min-p: logits ≥ max + log(min_p), in float32.
    """
    largest = np.float32(adjusted.max())
    ids = np.arange(adjusted.size)
    if 0 < params.top_k < adjusted.size or params.top_p < 1:
        ids = np.argsort(-adjusted, kind="stable")
    if params.top_k:
        ids = ids[: params.top_k]
    share = int(np.float32(params.top_p) * np.float64(2**32))
    if share < 2**32:
        sums = np.cumsum(masses(adjusted[ids], largest, np.float32(1)))
        wanted = max(1, -((-int(sums[-1]) * share) >> 32))
        ids = ids[: np.searchsorted(sums, np.uint64(wanted), side="left") + 1]
    least = largest + np.float32(log_min_p(params))
    return np.sort(ids[adjusted[ids] >= least])


def masses(
    logits: F32Array, largest: np.float32, temperature: np.float32
) -> npt.NDArray[np.uint64]:
    """floor(exp((l − largest) / temperature) · 2^29) of each logit, exp() rounded to float32."""
    scaled = np.maximum(logits - largest, NO_MASS * temperature) * (np.float32(1) / temperature)
    weights: F32Array = np.exp(scaled.astype(np.float64)).astype(np.float32)
    result: npt.NDArray[np.uint64] = (weights * MASS_ONE).astype(np.uint64)
    return result
