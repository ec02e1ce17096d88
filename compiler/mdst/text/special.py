"""Text → the special tokens in it and the texts between them.

As llama.cpp's `tokenizer_st_partition`: longest token first, each taken wherever the texts that
are left still hold it. User-defined tokens are always found; control and unknown tokens only on
request, so that what a user types cannot end a turn.
"""

from __future__ import annotations

from collections.abc import Iterator

from .end_tokens import CONTROL, UNKNOWN, USER_DEFINED
from .vocabulary import Vocabulary, ids_by_text

_ASCII_SPACE = " \t\n\v\f\r"


class SpecialTokens:
    def __init__(self, vocabulary: Vocabulary) -> None:
        special = [
            (id, text)
            for text, id in ids_by_text(vocabulary).items()
            if vocabulary.types[id] in (CONTROL, USER_DEFINED, UNKNOWN)
        ]
        special.sort(key=lambda entry: (-len(entry[1].encode()), entry[0]))
        self._texts = dict(special)
        self._always = {id for id, _ in special if vocabulary.types[id] == USER_DEFINED}
        self._lstrip = frozenset(vocabulary.lstrip_ids)
        self._rstrip = frozenset(vocabulary.rstrip_ids)

    def partition(self, text: str, *, parse_special: bool) -> list[str | int]:
        """Non-empty texts and ids of special tokens, in order. `parse_special`: find them all."""
        fragments: list[str | int] = [text] if text else []
        for id, special in self._texts.items():
            if (parse_special or id in self._always) and special in text:
                fragments = [
                    part
                    for fragment in fragments
                    for part in (
                        self._split(fragment, id) if isinstance(fragment, str) else (fragment,)
                    )
                ]
        return fragments

    def _split(self, text: str, id: int) -> Iterator[str | int]:
        pieces = text.split(self._texts[id])
        for index, piece in enumerate(pieces):
            if index:
                yield id
            if index and id in self._rstrip:
                piece = piece.lstrip(_ASCII_SPACE)
            if index < len(pieces) - 1 and id in self._lstrip:
                piece = piece.rstrip(_ASCII_SPACE)
            if piece:
                yield piece
