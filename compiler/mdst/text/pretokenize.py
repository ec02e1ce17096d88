"""Text → words, by the regular expressions that a BPE model was trained behind (see `rules`).

Patterns are applied one after another: each cuts every piece the one before it left into its
matches and the gaps between them, and sees nothing outside its piece (a lookahead at the end of a
piece finds the end of the text).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import regex

from ..errors import MalformedError, printable


class Pretokenizer:
    """Cuts text into words; joined again the words are the text.

    Raises MalformedError (TEXT008) for a pattern that is no regular expression.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = [_compiled(pattern) for pattern in patterns]

    def split(self, text: str) -> list[str]:
        words = [text] if text else []
        for pattern in self._patterns:
            words = [piece for word in words for piece in _pieces(pattern, word)]
        return words


def _compiled(pattern: str) -> regex.Pattern[str]:
    try:
        return regex.compile(pattern)
    except regex.error as error:
        message = f"pre-tokenizer pattern {printable(pattern)} is not valid: {error}"
        raise MalformedError("TEXT008", message) from None


def _pieces(pattern: regex.Pattern[str], word: str) -> Iterator[str]:
    end = 0
    for match in pattern.finditer(word):
        if match.start() > end:
            yield word[end : match.start()]
        if match.end() > match.start():
            yield match[0]
        end = match.end()
    if end < len(word):
        yield word[end:]
