"""Text → token ids of RWKV's "world" vocabulary: the longest token that comes next, in bytes.

As llama.cpp's `llm_tokenizer_rwkv_session`. A byte that begins no token is the unknown token.
"""

from __future__ import annotations

from .vocabulary import Vocabulary


class LongestToken:
    """Encodes text that holds no special tokens."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._ids = {token: id for id, token in enumerate(vocabulary.tokens)}
        self._longest = max(map(len, self._ids), default=0)
        self._unknown = vocabulary.unk

    def encode(self, text: str) -> list[int]:
        data = text.encode()
        ids: list[int] = []
        start = 0
        while start < len(data):
            for end in range(min(len(data), start + self._longest), start, -1):
                id = self._ids.get(data[start:end])
                if id is not None:
                    break
            else:
                end, id = start + 1, self._unknown
            if id is not None:
                ids.append(id)
            start = end
        return ids
