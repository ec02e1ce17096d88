"""The known answer of the sampler's first kernel: first, middle and last group with penalties,
masks, a NaN, and a largest logit that occurs twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ...codegen.kernels.sample_prepare import TOKENS_PER_GROUP, SamplePrepare
from ...codegen.state import STATE_BYTES
from ...codegen.tiers import Tier
from ...sampling import MASKED, SamplingParams, penalise, state_fields
from ..case import UNIT, Case, Expected, Fill, Kind, Words, rounded, state_words

_COUNTS = Kind((0x80000003, 0, 0x80000000, 3), (0, 0, 0, 0))
"""In the prompt or not, 0 to 3 times in the output."""
_PENALTIES = SamplingParams(repetition_penalty=2, presence_penalty=0.5, frequency_penalty=0.25)
_FOUR, _NAN, _MINUS_INFINITY = 0x40800000, 0x7FC00000, 0xFF800000
_KEY_OF_FOUR, _KEY_OF_ZERO = 0xC0800000, 0x80000000
_EDGE = 24
"""Tokens looked at on either side of a group."""

Planted = tuple[str, int, int]


def _planted(start: int, end: int) -> Iterator[Planted]:
    """(binding, id, word) of the masked tokens start + half and the next, and of the largest, which
    are the one before them and the last."""
    middle = (start + end) // 2
    yield "bias", middle, _MINUS_INFINITY
    yield "logits", middle + 1, _NAN
    for id in (middle - 1, end - 1):
        yield from (("logits", id, _FOUR), ("counts", id, 0), ("bias", id, 0))


def _expected(
    params: SamplePrepare, data: dict[str, npt.NDArray[np.uint32]], starts: list[int]
) -> Iterator[Expected]:
    n = params.n_vocab
    logits, bias = (data[name][:n].view(np.float32) for name in ("logits", "bias"))
    adjusted = penalise(logits, data["counts"][:n], bias, _PENALTIES)
    maxima = [(_KEY_OF_ZERO, g * TOKENS_PER_GROUP) for g in range(params.groups)]
    for start in starts:
        end = min(n, start + TOKENS_PER_GROUP)
        middle = (start + end) // 2
        maxima[start // TOKENS_PER_GROUP] = (_KEY_OF_FOUR, middle - 1)
        masked = adjusted[middle : middle + 2].view(np.uint32)
        yield Expected("adjusted", 4 * middle, words=tuple(masked.tolist()))
        for first, last in (
            (start, min(middle, start + _EDGE)),
            (max(middle + 2, end - _EDGE), end),
        ):
            yield Expected("adjusted", 4 * first, floats=rounded(adjusted[first:last]))
    if n % 4:  # up to a multiple of four all is masked
        yield Expected("adjusted", 4 * n, words=(int(MASKED.view(np.uint32)),) * (-n % 4))
    yield Expected("maxima", 0, words=tuple(word for pair in maxima for word in pair))


def case(params: SamplePrepare, tier: Tier, tokens: int) -> Case:
    """At least four tokens in the last group are needed to plant what the case looks at; a
    vocabulary that has fewer there is checked at its other groups."""
    n = params.n_vocab
    last = max(0, n - 4) // TOKENS_PER_GROUP
    starts = sorted({g * TOKENS_PER_GROUP for g in (0, last // 2, last)})
    inputs: dict[str, list[Fill | Words]] = {"logits": [], "counts": [], "bias": []}
    for start in starts:
        size = min(n - start, TOKENS_PER_GROUP)
        for i, (name, kind) in enumerate((("logits", UNIT), ("counts", _COUNTS), ("bias", UNIT))):
            inputs[name].append(Fill(4 * start, size, 3 * start + i, kind))
        for name, id, word in _planted(start, start + size):
            inputs[name].append(Words(4 * id, (word,)))
    sizes = dict.fromkeys(("logits", "counts", "bias", "adjusted"), -(-n // 4) * 16)
    unanswered = Case(
        {"state": STATE_BYTES, **sizes, "maxima": -(-params.groups // 2) * 16},
        {"state": (state_words(**state_fields(_PENALTIES)),)}
        | {name: tuple(parts) for name, parts in inputs.items()},
        params.grid(tier, tokens),
        (),
    )
    expected = _expected(params, unanswered.contents(), starts)
    return replace(unanswered, expected=tuple(expected))
