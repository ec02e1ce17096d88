"""Text ↔ token ids, as llama.cpp's `llama_vocab::impl::tokenize` and `token_to_piece`."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Mapping
from typing import Protocol

from ..errors import UsageError
from .bpe import Bpe, token_bytes
from .end_tokens import BYTE, CONTROL, NORMAL, UNKNOWN, USER_DEFINED
from .longest import LongestToken
from .plamo2 import CheapestTokens
from .sentencepiece import SPACE, SentencePieceBpe
from .special import SpecialTokens
from .tokens import byte_of
from .unigram import Unigram
from .vocabulary import BERT, GPT2, LLAMA, PLAMO2, RWKV, T5, Vocabulary
from .wordpiece import WordPiece

_SPACE = SPACE.encode()


class _Encoder(Protocol):
    def __init__(self, vocabulary: Vocabulary) -> None: ...

    def encode(self, text: str) -> list[int]: ...


_ENCODERS: Mapping[str, type[_Encoder]] = {
    GPT2: Bpe,
    LLAMA: SentencePieceBpe,
    BERT: WordPiece,
    T5: Unigram,
    RWKV: LongestToken,
    PLAMO2: CheapestTokens,
}


class Tokenizer:
    """Encodes and decodes with one vocabulary. Keeps no state between calls."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._special = SpecialTokens(vocabulary)
        self._encoder = _ENCODERS[vocabulary.model](vocabulary)
        # Where the encoder itself puts a space in front, or its words do.
        self._begins_with_space = vocabulary.add_space_prefix or vocabulary.model == BERT

    def encode(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        """`add_special`: BOS in front, EOS and SEP behind where the vocabulary asks for
        them.
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
            elif vocabulary.model == LLAMA and vocabulary.add_space_prefix and after_special:
                ids += self._encoder.encode(" " + part)
            else:
                ids += self._encoder.encode(part)
            after_special = isinstance(part, int)
        if add_special and vocabulary.add_eos and vocabulary.eos is not None:
            ids.append(vocabulary.eos)
        if add_special and vocabulary.sep is not None:
            ids.append(vocabulary.sep)
        return ids

    def decode(self, ids: Iterable[int], *, special: bool = False, whole: bool = False) -> bytes:
        """The bytes that `ids` stand for, not always valid UTF-8.

        `special`: control and unknown tokens give their text, else nothing. `whole`: the ids are
        a text from its beginning, so the space that `encode` put in front is taken off again.
        Raises UsageError (TEXT009) for an id that no token has.
        """
        data = b"".join([self._piece(id, special) for id in ids])
        if whole and self._begins_with_space:
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
        if self.vocabulary.model in (RWKV, PLAMO2):
            return token
        return token_bytes(token) if self.vocabulary.byte_level else token.replace(_SPACE, b" ")


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
