"""SOURCE of `mdst-text`, a compiled model or a GGUF file → its vocabulary."""

from __future__ import annotations

import sys
from pathlib import Path

from ..bundle.reader import Bundle
from ..errors import naming, printable
from ..gguf import read_gguf
from ..text import Vocabulary


def open_vocabulary(source: Path) -> Vocabulary:
    """Reads a directory as a bundle, anything else as GGUF; metadata of the vocabulary is enough.

    What the user should know about the file goes to stderr, one line each.
    """
    if source.is_dir():
        return Bundle.open(source).vocabulary()
    with naming(printable(source.name)), read_gguf(source) as file:
        vocabulary = Vocabulary.from_metadata(file.metadata)
    for warning in vocabulary.warnings:
        print(f"mdst-text: warning: {warning}", file=sys.stderr)
    return vocabulary
