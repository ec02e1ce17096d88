"""Byte-level byte-pair encoding in the manner of GPT-2: text → a vocabulary of merges → token ids.

Every byte is written as one visible character (bytes that are none get code points from 256 on),
words are cut by GPT-2's pattern, and the most frequent neighbouring pair becomes one token until
the vocabulary is full (Sennrich et al., "Neural Machine Translation of Rare Words with Subword
Units", 2016).
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

BEGIN, END = "<|begin|>", "<|end|>"
ROLES = {"system": "<|system|>", "user": "<|user|>", "assistant": "<|assistant|>"}
SPECIAL = (BEGIN, END, *ROLES.values())
RARE = 5
"""Words seen less often do not take part in learning; most are made-up names."""

# GPT-2's pattern, with \p{L} and \p{N} in the terms of Python's `re`.
_WORD = re.compile(r"'(?:s|t|re|ve|m|ll|d)| ?[^\W\d_]+| ?\d+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+")

Pair = tuple[str, str]


def byte_alphabet() -> dict[int, str]:
    """The character that stands for each of the 256 bytes; visible Latin-1 stands for itself."""
    visible = [
        *range(ord("!"), ord("~") + 1),
        *range(ord("¡"), ord("¬") + 1),
        *range(ord("®"), ord("ÿ") + 1),
    ]
    alphabet = {byte: chr(byte) for byte in visible}
    for byte in range(256):
        alphabet.setdefault(byte, chr(256 + len(alphabet) - len(visible)))
    return alphabet


def _merged(symbols: tuple[str, ...], pair: Pair) -> tuple[str, ...]:
    out: list[str] = []
    for symbol in symbols:
        # `pair` never overlaps what it made: the joined symbol is longer than pair[0].
        if out and (out[-1], symbol) == pair:
            out[-1] += symbol
        else:
            out.append(symbol)
    return tuple(out)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Tokens by id (256 bytes, merges, special tokens) and merges by rank."""

    tokens: tuple[str, ...]
    merges: tuple[Pair, ...]
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)
    _ranks: dict[Pair, int] = field(init=False, repr=False, compare=False)
    _cache: dict[str, tuple[int, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ids", {token: i for i, token in enumerate(self.tokens)})
        object.__setattr__(self, "_ranks", {pair: i for i, pair in enumerate(self.merges)})
        object.__setattr__(self, "_cache", {})

    @property
    def begin(self) -> int:
        """Id of the token before each conversation."""
        return self._ids[BEGIN]

    @property
    def end(self) -> int:
        """Id of the token after each turn."""
        return self._ids[END]

    def turn(self, role: str, text: str) -> list[int]:
        """One turn of a conversation: its role, its text, the end."""
        return [self._ids[ROLES[role]], *self.encode(text), self.end]

    def asks(self) -> list[int]:
        """What makes the model take its turn."""
        return [self._ids[ROLES["assistant"]]]

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text; special tokens are not recognised in it."""
        return [i for word in _WORD.findall(text) for i in self._encode_word(word)]

    def _encode_word(self, word: str) -> tuple[int, ...]:
        if word not in self._cache:
            symbols = _symbols(word)
            while ranked := [p for p in pairwise(symbols) if p in self._ranks]:
                symbols = _merged(symbols, min(ranked, key=self._ranks.__getitem__))
            self._cache[word] = tuple(self._ids[symbol] for symbol in symbols)
        return self._cache[word]

    def decode(self, ids: Iterable[int]) -> str:
        """Text of token ids; special tokens give nothing."""
        byte_of = {char: byte for byte, char in byte_alphabet().items()}
        plain = "".join(token for i in ids if (token := self.tokens[i]) not in SPECIAL)
        return bytes(byte_of[char] for char in plain).decode("utf-8", errors="replace")


def _symbols(word: str) -> tuple[str, ...]:
    alphabet = byte_alphabet()
    return tuple(alphabet[byte] for byte in word.encode("utf-8"))


def learn(texts: Iterable[str], size: int) -> Vocabulary:
    """Learn `size` tokens from texts; ties go to the pair that sorts first."""
    counts = Counter(word for text in texts for word in _WORD.findall(text))
    words = {word: _symbols(word) for word, count in counts.items() if count >= RARE}
    alphabet = byte_alphabet()
    tokens = [alphabet[byte] for byte in sorted(alphabet, key=lambda byte: alphabet[byte])]
    merges: list[Pair] = []
    while len(tokens) + len(SPECIAL) < size:
        pairs: Counter[Pair] = Counter()
        for word, symbols in words.items():
            for pair in pairwise(symbols):
                pairs[pair] += counts[word]
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        tokens.append(best[0] + best[1])
        words = {word: _merged(symbols, best) for word, symbols in words.items()}
    return Vocabulary((*tokens, *SPECIAL), tuple(merges))
