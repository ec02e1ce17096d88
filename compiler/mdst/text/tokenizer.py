"""Text ↔ token ids, as llama.cpp's `llama_vocab::impl::tokenize` and `token_to_piece`."""

from __future__ import annotations

import codecs
from collections.abc import Iterable

from ..errors import UsageError
from . import bpe
from .end_tokens import BYTE, CONTROL, NORMAL, UNKNOWN, USER_DEFINED
from .sentencepiece import SPACE, SentencePieceBpe
from .special import SpecialTokens
from .vocabulary import GPT2, Vocabulary, byte_of


class Tokenizer:
    """Encodes and decodes with one vocabulary. Keeps no state between calls."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._special = SpecialTokens(vocabulary)
        self._bpe = (
            bpe.ByteLevelBpe(vocabulary)
            if vocabulary.model == GPT2
            else SentencePieceBpe(vocabulary)
        )

    def encode(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        """`add_special`: BOS in front and EOS behind where the vocabulary asks for them.
        `parse_special`: control tokens written in the text are found. A lone surrogate reads as
        U+FFFD, as with JavaScript's TextEncoder."""
        vocabulary = self.vocabulary
        ids: list[int] = []
        if add_special and vocabulary.add_bos and vocabulary.bos is not None:
            ids.append(vocabulary.bos)
        after_special = True
        for part in self._special.partition(_well_formed(text), parse_special=parse_special):
            if isinstance(part, int):
                ids.append(part)
            elif vocabulary.add_space_prefix and after_special:
                ids += self._bpe.encode(" " + part)
            else:
                ids += self._bpe.encode(part)
            after_special = isinstance(part, int)
        if add_special and vocabulary.add_eos and vocabulary.eos is not None:
            ids.append(vocabulary.eos)
        return ids

    def decode(self, ids: Iterable[int], *, special: bool = False, whole: bool = False) -> bytes:
        """The bytes that `ids` stand for, not always valid UTF-8.

        `special`: control and unknown tokens give their text, else nothing. `whole`: the ids are
        a text from its beginning, so the space that `encode` put in front is taken off again.
        Raises UsageError (TEXT009) for an id that no token has.
        """
        data = b"".join([self._piece(id, special) for id in ids])
        if whole and self.vocabulary.add_space_prefix:
            return data.removeprefix(b" ")
        return data

    def decode_text(self, ids: Iterable[int], *, special: bool = False, whole: bool = False) -> str:
        """`decode` as text; each part that is not UTF-8 reads as U+FFFD."""
        return self.decode(ids, special=special, whole=whole).decode(errors="replace")

    def _piece(self, id: int, special: bool) -> bytes:
        if not 0 <= id < len(self.vocabulary.tokens):
            last = len(self.vocabulary.tokens) - 1
            raise UsageError("TEXT009", f"token id {id} is not one of 0 to {last}")
        token, type = self.vocabulary.tokens[id], self.vocabulary.types[id]
        if type == NORMAL:
            return self._normal(token)
        if type == BYTE:
            byte = byte_of(token)
            return b"" if byte is None else bytes([byte])
        shown = type == USER_DEFINED or (special and type in (CONTROL, UNKNOWN))
        return token if shown else b""

    def _normal(self, token: bytes) -> bytes:
        if self.vocabulary.model == GPT2:
            return bpe.token_bytes(token)
        return token.replace(SPACE.encode(), b" ")


class StreamDecoder:
    """Ids one at a time → text as soon as its characters are complete."""

    def __init__(self, tokenizer: Tokenizer, *, special: bool = False) -> None:
        self._tokenizer = tokenizer
        self._special = special
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def push(self, id: int) -> str:
        return self._utf8.decode(self._tokenizer.decode([id], special=self._special))

    def flush(self) -> str:
        """What is left; half a character reads as U+FFFD. The decoder can then begin anew."""
        rest = self._utf8.decode(b"", final=True)
        self._utf8.reset()
        return rest


def _well_formed(text: str) -> str:
    """Surrogate pairs joined, lone surrogates replaced."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
