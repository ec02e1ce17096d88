"""Text → token ids by a unigram model ("t5"): the tokens whose scores add up to the most.

As llama.cpp's `llm_tokenizer_ugm_session`, which is SentencePiece's Viterbi search. Characters that
no token covers are the unknown token, one for a run of them.
"""

from __future__ import annotations

import numpy as np

from .charsmap import CharsMap
from .end_tokens import NORMAL, UNUSED, USER_DEFINED
from .sentencepiece import SPACE
from .vocabulary import Vocabulary, ids_by_text

_UNKNOWN_PENALTY = 10
_UNKNOWN = -1


class Unigram:
    """Encodes text that holds no special tokens."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        types, scores = vocabulary.types, vocabulary.scores or (0.0,) * len(vocabulary.tokens)
        # User-defined tokens count as certain.
        self._scores = {
            text: (0.0 if types[id] == USER_DEFINED else scores[id], id)
            for text, id in ids_by_text(vocabulary).items()
            if types[id] in (NORMAL, USER_DEFINED, UNUSED)
        }
        self._longest = max(map(len, self._scores), default=0)
        normal = (score for score, type in zip(scores, types, strict=True) if type == NORMAL)
        least = np.float32(min(normal, default=0.0))
        self._unknown_score = float(least - np.float32(_UNKNOWN_PENALTY))
        self._unknown = vocabulary.unk
        self._charsmap = CharsMap(vocabulary.charsmap) if vocabulary.charsmap else None
        self._space_prefix = vocabulary.add_space_prefix
        self._merge_spaces = vocabulary.merge_spaces

    def encode(self, text: str) -> list[int]:
        ids: list[int] = []
        last: int | None = None
        for found in self._best(self._normalized(text)):
            id = self._unknown if found == _UNKNOWN else found
            if id is not None and (id != last or id != self._unknown):
                ids.append(id)
            last = id
        return ids

    def _normalized(self, text: str) -> str:
        """Mapped, with `▁` for spaces and where a word begins."""
        mapped = text if self._charsmap is None else _mapped(text, self._charsmap)
        if self._merge_spaces:
            return "".join(SPACE + word for word in mapped.split(" ") if word)
        prefix = SPACE if self._space_prefix and mapped.strip(" ") else ""
        return prefix + mapped.replace(" ", SPACE)

    def _best(self, text: str) -> list[int]:
        """Ids, or _UNKNOWN for a character. Of equal sums the longer last token wins."""
        n = len(text)
        sums = [0.0] + [-np.inf] * n
        chosen: list[tuple[int, int]] = [(0, _UNKNOWN)] * (n + 1)  # where the token begins, its id
        for start in range(n):
            for end in range(start + 1, min(n, start + self._longest) + 1):
                score, id = self._scores.get(text[start:end], (None, 0))
                if score is not None and sums[start] + score > sums[end]:
                    sums[end], chosen[end] = sums[start] + score, (start, id)
            # Below what any token gives, so only where no token is the character.
            unknown = sums[start] + self._unknown_score
            if text[start] not in self._scores and unknown > sums[start + 1]:
                sums[start + 1], chosen[start + 1] = unknown, (start, _UNKNOWN)
        ids: list[int] = []
        end = n
        while end:
            end, id = chosen[end]
            ids.append(id)
        return ids[::-1]


def _mapped(text: str, charsmap: CharsMap) -> str:
    data, mapped = text.encode(), bytearray()
    start = 0
    while start < len(data):
        replacement, end = charsmap.longest(data, start) or (data[start : start + 1], start + 1)
        mapped += replacement
        start = end
    return mapped.decode(errors="replace")
