"""Text → token ids by WordPiece ("bert"): each word as the longest tokens that make it up.

GGUF spells the beginning of a word `▁` and its other pieces without BERT's `##`. As llama.cpp's
`llm_tokenizer_wpm_session`, but accents go as in BERT's own normalizer: letters are taken apart
whole (Unicode's NFD) and marks without width dropped. llama.cpp keeps the first part of a letter
only, which loses Korean.
"""

from __future__ import annotations

import unicodedata

import regex

from .sentencepiece import SPACE
from .vocabulary import Vocabulary, ids_by_text

_MARKS = regex.compile(r"\p{Mn}+")


class WordPiece:
    """Encodes text that holds no special tokens.

    `patterns` of the vocabulary: what is dropped, then what is a word.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._ids = ids_by_text(vocabulary)
        self._longest = max(map(len, self._ids), default=0)
        self._unknown = [] if vocabulary.unk is None else [vocabulary.unk]
        self._dropped, self._words = map(regex.compile, vocabulary.patterns)
        self._lowercase = vocabulary.lowercase
        self._strip_accents = vocabulary.strip_accents

    def encode(self, text: str) -> list[int]:
        ids: list[int] = []
        for word in self._words.findall(self._normalized(text)):
            ids += self._pieces(SPACE + word) or self._unknown
        return ids

    def _normalized(self, text: str) -> str:
        if self._strip_accents:
            text = _MARKS.sub("", unicodedata.normalize("NFD", text))
        text = self._dropped.sub("", text)
        # One by one: a sigma at the end of a word is like any other.
        return "".join(map(str.lower, text)) if self._lowercase else text

    def _pieces(self, word: str) -> list[int]:
        """None at all for a word that has a part without token."""
        found: list[int] = []
        start = 0
        while start < len(word):
            for end in range(min(len(word), start + self._longest), start, -1):
                id = self._ids.get(word[start:end])
                if id is not None:
                    found.append(id)
                    start = end
                    break
            else:
                return []
        return found
