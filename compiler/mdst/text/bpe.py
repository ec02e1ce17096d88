"""Words → token ids by byte-level BPE ("gpt2"): the best-ranked neighbours join until none can.

As llama.cpp's `llm_tokenizer_bpe_session`, on ids in place of texts: O(n log n) in the length of a
word. A byte that the vocabulary has no token for gives nothing (llama.cpp drops it too).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from .pretokenize import Pretokenizer
from .vocabulary import Vocabulary, ids_by_text

_JOINED = -1


def _alphabet() -> str:
    """GPT-2's printable stand-in for each byte (openai/gpt-2, encoder.py, bytes_to_unicode)."""
    kept = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return "".join(chr(b if b in kept else next(others)) for b in range(256))


ALPHABET = _alphabet()
_SPELLING = dict(enumerate(ALPHABET))
BYTE_OF = {character: byte for byte, character in enumerate(ALPHABET)}


def token_bytes(text: bytes) -> bytes:
    """What a token text stands for. A text outside the alphabet (an added token) is itself."""
    try:
        return bytes(BYTE_OF[character] for character in text.decode())
    except (KeyError, UnicodeDecodeError):
        return text


class ByteLevelBpe:
    """Encodes text that holds no special tokens."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._pretokenizer = Pretokenizer(vocabulary.patterns)
        self._ids = ids_by_text(vocabulary)
        self._whole_words = vocabulary.whole_words
        # A pair of ids is one key, left · base + right. `none` is the id of a byte without token:
        # it stays in the chain, so its neighbours do not join across it.
        self._none = len(vocabulary.tokens)
        self._base = self._none + 1
        self._joined = [merge[2] for merge in vocabulary.merges]
        # Backwards, so that of equal pairs the first keeps its rank.
        last = len(vocabulary.merges) - 1
        self._ranks = {
            left * self._base + right: last - i
            for i, (left, right, _) in enumerate(reversed(vocabulary.merges))
        }

    def encode(self, text: str) -> list[int]:
        known: dict[str, list[int]] = {}
        ids: list[int] = []
        for word in self._pretokenizer.split(text):
            if word not in known:
                known[word] = self._encode_word(word)
            ids += known[word]
        return ids

    def _encode_word(self, word: str) -> list[int]:
        spelled = word.encode().decode("latin-1").translate(_SPELLING)
        if self._whole_words and spelled in self._ids:
            return [self._ids[spelled]]
        ids = [self._ids.get(character, self._none) for character in spelled]
        self._merge(ids)
        return [id for id in ids if id not in (_JOINED, self._none)]

    def _merge(self, ids: list[int]) -> None:
        """Joins in place: a token stays where it began, the places it absorbed become _JOINED.

        A heap entry is rank · n + position. One is stale when the pair at its position now has
        another rank.
        """
        n = len(ids)
        after = list(range(1, n + 1))
        before = list(range(-1, n - 1))
        heap = list(self._entries(ids, after, range(n - 1)))
        heapq.heapify(heap)
        while heap:
            rank, left = divmod(heapq.heappop(heap), n)
            right = after[left]
            if right == n or self._rank(ids[left], ids[right]) != rank:
                continue
            ids[left], ids[right] = self._joined[rank], _JOINED
            after[left] = after[right]
            if after[left] < n:
                before[after[left]] = left
            for entry in self._entries(ids, after, (before[left], left)):
                heapq.heappush(heap, entry)

    def _entries(self, ids: list[int], after: list[int], lefts: Iterable[int]) -> Iterable[int]:
        n = len(ids)
        for left in lefts:
            if left >= 0 and after[left] < n:
                rank = self._rank(ids[left], ids[after[left]])
                if rank is not None:
                    yield rank * n + left

    def _rank(self, left: int, right: int) -> int | None:
        """None too where `left` is _JOINED: its keys are negative."""
        return self._ranks.get(left * self._base + right)
