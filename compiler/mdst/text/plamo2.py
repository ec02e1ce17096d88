"""Text → token ids of PLaMo 2: the tokens whose costs add up to the least.

As llama.cpp's `llm_tokenizer_plamo2`: costs are negated scores in steps of 1e-4, found from the
text's end; a character that no token covers becomes its bytes. Unlike there, control tokens are
found on request only, so that what a user types cannot end a turn.
"""

from __future__ import annotations

import math

from .end_tokens import NORMAL, UNUSED, USER_DEFINED
from .vocabulary import Vocabulary, ids_by_text

_STEPS = 10_000
_UNKNOWN_COST = 10_000_000
_TOO_COSTLY = 20_000_000
_UNKNOWN = -1
_BYTE_ORDER_MARK = "\ufeff"


class CheapestTokens:
    """Encodes text that holds no special tokens."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        ids = ids_by_text(vocabulary)
        scores = vocabulary.scores or (0.0,) * len(vocabulary.tokens)
        kept = (NORMAL, USER_DEFINED, UNUSED)
        costs = {text: (cost(scores[id]), id) for text, id in ids.items()}
        self._costs = {
            text: entry
            for text, entry in costs.items()
            if vocabulary.types[entry[1]] in kept and entry[0] < _TOO_COSTLY
        }
        self._longest = max(map(len, self._costs), default=0)
        self._byte_ids = [ids.get(f"<0x{byte:02X}>") for byte in range(256)]

    def encode(self, text: str) -> list[int]:
        text = text.removeprefix(_BYTE_ORDER_MARK)
        n = len(text)
        sums = [math.inf] * n + [0]
        chosen = [(_UNKNOWN, 1)] * n  # the token that begins here, its length
        for start in range(n - 1, -1, -1):
            for end in range(min(n, start + self._longest), start, -1):
                price, id = self._costs.get(text[start:end], (math.inf, 0))
                if sums[end] + price < sums[start]:
                    sums[start], chosen[start] = sums[end] + price, (id, end - start)
            if sums[start + 1] + _UNKNOWN_COST < sums[start]:
                sums[start], chosen[start] = sums[start + 1] + _UNKNOWN_COST, (_UNKNOWN, 1)
        ids: list[int | None] = []
        start = 0
        while start < n:
            id, length = chosen[start]
            ids += [id] if id != _UNKNOWN else [self._byte_ids[b] for b in text[start].encode()]
            start += length
        return [id for id in ids if id is not None]


def cost(score: float) -> int:
    """Halves are rounded away from zero, as in C."""
    return -int(math.copysign(math.floor(abs(score * _STEPS) + 0.5), score))
