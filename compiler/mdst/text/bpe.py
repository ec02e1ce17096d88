"""Words → token ids by BPE ("gpt2"): the best-ranked neighbours join until none can.

As llama.cpp's `llm_tokenizer_bpe_session`, on ids in place of texts: O(n log n) in the length of a
word. Byte-level vocabularies (GPT-2) join bytes; a byte without token gives nothing, as there.
Others (Gemma 4) join characters, with `▁` for the space; a character that is part of no token
becomes its bytes, as tokens `<0xXX>`.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from .pretokenize import Pretokenizer
from .sentencepiece import SPACE
from .vocabulary import Vocabulary, ids_by_text

_JOINED = -1
# Further below: a character without token. It stays in the chain, so its neighbours do not join
# across it.
_NONE = -2


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


class Bpe:
    """Encodes text that holds no special tokens."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._pretokenizer = Pretokenizer(vocabulary.patterns)
        self._ids = ids_by_text(vocabulary)
        self._byte_level = vocabulary.byte_level
        self._whole_words = vocabulary.whole_words
        self._whole_line_feeds = vocabulary.whole_line_feeds
        self._byte_ids = [self._ids.get(f"<0x{byte:02X}>") for byte in range(256)]
        # A pair of ids is one key, left · base + right.
        self._base = len(vocabulary.tokens)
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
        for word in self._pretokenizer.split(
            text if self._byte_level else text.replace(" ", SPACE)
        ):
            if word not in known:
                known[word] = self._encode_word(word)
            ids += known[word]
        return ids

    def _encode_word(self, word: str) -> list[int]:
        if self._byte_level:
            word = word.encode().decode("latin-1").translate(_SPELLING)
        whole = self._whole_words or (self._whole_line_feeds and not word.strip("\n"))
        if whole and word in self._ids:
            return [self._ids[word]]
        ids = [self._ids.get(character, _NONE - ord(character)) for character in word]
        self._merge(ids)
        return [id for place in ids if place != _JOINED for id in self._of_place(place)]

    def _of_place(self, place: int) -> Iterable[int]:
        if place >= 0:
            return (place,)
        if self._byte_level:
            return ()
        bytes_ = chr(_NONE - place).encode()
        return [id for byte in bytes_ if (id := self._byte_ids[byte]) is not None]

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
        return None if left < 0 or right < 0 else self._ranks.get(left * self._base + right)
