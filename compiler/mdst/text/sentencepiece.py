"""Text → token ids by SentencePiece BPE ("llama"): the neighbours whose union scores best join.

As llama.cpp's `llm_tokenizer_spm_session`: highest score first, leftmost on ties, O(n log n).
A character that is part of no token becomes its UTF-8 bytes, as tokens `<0xXX>`.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from .vocabulary import Vocabulary, ids_by_text

SPACE = "▁"


class SentencePieceBpe:
    """Encodes text that holds no special tokens."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._ids = ids_by_text(vocabulary)
        self._longest = max(map(len, self._ids), default=0)
        self._scores = vocabulary.scores or (0.0,) * len(vocabulary.tokens)
        self._byte_ids = [self._byte_id(byte, vocabulary.unk) for byte in range(256)]

    def encode(self, text: str) -> list[int]:
        escaped = text.replace(" ", SPACE)
        ids: list[int] = []
        for piece in self._pieces(escaped):
            if piece in self._ids:
                ids.append(self._ids[piece])
            else:
                found = (self._byte_ids[byte] for byte in piece.encode())
                ids += (id for id in found if id is not None)
        return ids

    def _pieces(self, text: str) -> list[str]:
        """`sizes[i]` is the length of the piece that begins at character i, 0 inside a piece.

        A heap entry is (−score, position, size of both). One is stale when the two pieces at its
        position no longer have that size.
        """
        n = len(text)
        sizes = [1] * n
        before = list(range(-1, n - 1))
        heap = list(self._entries(text, sizes, range(n - 1)))
        heapq.heapify(heap)
        while heap:
            _, left, size = heapq.heappop(heap)
            right = left + sizes[left]
            if right == n or sizes[left] + sizes[right] != size:
                continue
            sizes[left], sizes[right] = size, 0
            if left + size < n:
                before[left + size] = left
            for entry in self._entries(text, sizes, (before[left], left)):
                heapq.heappush(heap, entry)
        return [text[i : i + size] for i, size in enumerate(sizes) if size]

    def _entries(
        self, text: str, sizes: list[int], lefts: Iterable[int]
    ) -> Iterable[tuple[float, int, int]]:
        for left in lefts:
            right = left + sizes[left]
            if left < 0 or right == len(text):
                continue
            size = sizes[left] + sizes[right]
            if size <= self._longest:
                id = self._ids.get(text[left : left + size])
                if id is not None:
                    yield -self._scores[id], left, size

    def _byte_id(self, byte: int, unknown: int | None) -> int | None:
        """`<0xXX>`, or the character itself for ASCII, or the unknown token."""
        id = self._ids.get(f"<0x{byte:02X}>")
        if id is None and byte < 128:
            id = self._ids.get(chr(byte))
        return unknown if id is None else id
