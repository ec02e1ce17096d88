"""The known answer of the sampler's second kernel: all filters on, with limits that fall between
equal logits, a draw from the last group, an end token, and a token ring that wraps."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import numpy as np
import numpy.typing as npt

from ...codegen.kernels.sample_prepare import TOKENS_PER_GROUP
from ...codegen.kernels.sample_select import SampleSelect
from ...codegen.state import MAX_END_TOKENS, STATE, STATE_BYTES
from ...codegen.tiers import Tier
from ...sampling import MASKED, SamplingParams, choose, random_word, state_fields
from ..case import Case, Expected, Fill, Kind, Words, state_words

_MASKED = Kind((0,) * 4, (int(MASKED.view(np.uint32)),) * 4)
_COARSE = Kind((0x80F00000,) * 4, (0x40000000,) * 4)
"""float32 ±2, ±2.25 … ±3.75, ±4, ±4.5 … ±7.5: about 1/32 of all tokens share each value."""
_STEP, _OUTPUT = 5, 3


def _keys(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.uint32]:
    """u32 that order like the floats."""
    bits = logits.view(np.uint32)
    return np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))


def _maxima(params: SampleSelect, adjusted: npt.NDArray[np.float32]) -> Words:
    """(key, id) of the best token of each group."""
    words: list[int] = []
    for start in range(0, params.n_vocab, TOKENS_PER_GROUP):
        group = adjusted[start : min(params.n_vocab, start + TOKENS_PER_GROUP)]
        best = int(np.argmax(group))
        words += [int(_keys(group[best : best + 1])[0]), start + best]
    return Words(0, tuple(words))


def _robust(adjusted: npt.NDArray[np.float32], sampling: SamplingParams) -> int | None:
    """The token that is drawn, unless another device's last bits could make it another one."""
    word = random_word(sampling, _STEP)
    drawn = {
        choose(adjusted, replace(sampling, top_p=sampling.top_p + p), max(0, word + w) % 2**32)
        for p in (-1e-5, 0, 1e-5)
        for w in (-(2**18), 0, 2**18)
    }
    return drawn.pop() if len(drawn) == 1 else None


def _sampling(adjusted: npt.NDArray[np.float32], last: int) -> tuple[SamplingParams, int]:
    """Parameters that draw a token of the last group, from `last` on, and that token."""
    ids = np.flatnonzero(adjusted != MASKED)
    # Two values whole, and a few tokens of the third.
    values = np.unique(adjusted[ids])[::-1]
    top_k = int((adjusted[ids] > values[min(2, values.size - 1)]).sum()) + 3
    for seed in count():
        sampling = SamplingParams(1.5, top_k, 0.9, 0.02, seed=seed << 16 | seed, choice=1)
        drawn = _robust(adjusted[ids], sampling)
        if drawn is not None and ids[drawn] >= last:
            return sampling, int(ids[drawn])
    raise AssertionError("count() ends never")


def case(params: SampleSelect, tier: Tier, tokens: int) -> Case:
    """The first, the middle and the last group have random logits, the others are masked."""
    n = params.n_vocab
    size = -(-n // 4) * 4
    starts = sorted({g * TOKENS_PER_GROUP for g in (0, params.groups // 2, params.groups - 1)})
    fills = [Fill(0, size, 0, _MASKED)]
    for start in starts:
        fills.append(Fill(4 * start, min(n - start, TOKENS_PER_GROUP), start + 1, _COARSE))
    # The last token of all is among the largest, so the last group can always be drawn.
    inputs: tuple[Fill | Words, ...] = (*fills, Words(4 * (n - 1), (0x40F00000,)))
    unanswered = Case({"adjusted": 4 * size}, {"adjusted": inputs}, params.grid(tier, tokens), ())
    adjusted = unanswered.contents()["adjusted"][:n].view(np.float32)
    sampling, drawn = _sampling(adjusted, starts[-1])
    before: dict[str, int | tuple[int, ...]] = {
        "position": params.context - 1,
        "n_tokens": 3,
        "limit": params.context,
        "step": _STEP,
        "end_count": MAX_END_TOKENS,
        "end_ids": (*(n + i for i in range(MAX_END_TOKENS - 1)), drawn),
    }
    after = {"position": params.context + 2, "n_tokens": 1, "done": 1, "step": _STEP + 1}
    offsets = {field.name: field.offset for field in STATE}
    return Case(
        {
            "state": STATE_BYTES,
            "adjusted": 4 * size,
            "maxima": -(-params.groups // 2) * 16,
            "tokens": -(-params.context // 4) * 16,
            "counts": 4 * size,
        },
        {
            "state": (state_words(**state_fields(sampling), **before),),
            "adjusted": inputs,
            "maxima": (_maxima(params, adjusted),),
            "counts": (Words(4 * drawn, (_OUTPUT,)),),
        },
        params.grid(tier, tokens),
        (
            *(Expected("state", offsets[name], words=(value,)) for name, value in after.items()),
            Expected("tokens", 4 * ((params.context + 2) % params.context), words=(drawn,)),
            Expected("counts", 4 * drawn, words=(_OUTPUT + 1,)),
        ),
    )
