"""Vocabulary of a model: GGUF metadata → the compact data that every host reads → token ids.

`vocabulary` reads the metadata (`metadata`: typed access, `end_tokens`: what ends a generation),
`compact` is the file of a bundle and holds all that a host needs, `tokenizer` encodes and decodes:
`special` finds special tokens, `pretokenize` and `bpe` do byte-level BPE, `sentencepiece` the
other kind. The `regex` package is used only here.
"""

from __future__ import annotations

from .compact import compact, expand
from .tokenizer import StreamDecoder, Tokenizer
from .vocabulary import Vocabulary

__all__ = ["StreamDecoder", "Tokenizer", "Vocabulary", "compact", "expand"]
