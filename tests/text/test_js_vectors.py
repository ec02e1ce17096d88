"""The vectors that the JavaScript tests read are what this package gives.

`MDST_WRITE_VECTORS=1 pytest tests/text/test_js_vectors.py` writes them anew.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from mdst.text import StreamDecoder, Tokenizer, Vocabulary, compact

FOLDER = Path(__file__).parent / "vectors"

TEXTS = [
    "",
    "a",
    "abc",
    "aaabc the  the\n\n\nhello",
    " the cat's   tail\t\n",
    "hello hello",
    "<tool>x<tool><|eot_id|>the",
    "<|im_end|>  a</s> b<s>",
    "<unk>▁a▁b",
    "Ünïcödé 한국어 😀 \u200b\ufeff\x00",
    "lone \ud83d and \ude00, paired \ud83d\ude00",
    "1234567 ٣٤ Ⅷ½ …!? \x85\xa0\u3000",
]


NAMES = ["bpe", "spm", "characters", "wordpiece", "unigram", "rwkv", "plamo2"]


@pytest.mark.parametrize("name", NAMES)
def test_vectors_are_current(name: str, tiny: dict[str, Vocabulary]) -> None:
    text = vectors(tiny[name])
    file = FOLDER / f"{name}.json"
    if os.environ.get("MDST_WRITE_VECTORS"):
        file.write_text(text)
    assert file.read_text() == text


def vectors(vocabulary: Vocabulary) -> str:
    """JSON, one vector a line."""
    tokenizer = Tokenizer(vocabulary)
    encoded = [
        {
            "text": text,
            "add_special": add,
            "parse_special": parse,
            "ids": tokenizer.encode(text, add_special=add, parse_special=parse),
        }
        for text in TEXTS
        for add, parse in ((False, False), (True, True))
    ]
    n_tokens = len(vocabulary.tokens)
    id_lists = [tokenizer.encode(text, add_special=True, parse_special=True) for text in TEXTS]
    id_lists += [list(range(n_tokens)), list(range(n_tokens - 1, -1, -7))]
    decoded = [
        {
            "ids": ids,
            "special": special,
            "whole": whole,
            "bytes": tokenizer.decode(ids, special=special, whole=whole).hex(),
        }
        for ids in id_lists
        for special, whole in ((False, False), (True, True))
    ]
    streamed = [{"ids": ids, "parts": stream(tokenizer, ids)} for ids in id_lists[: len(TEXTS)]]
    file = json.dumps(base64.b64encode(compact(vocabulary)).decode())
    return (
        f'{{\n"file": {file},\n"encoded": {lines(encoded)},\n'
        f'"decoded": {lines(decoded)},\n"streamed": {lines(streamed)}\n}}\n'
    )


def stream(tokenizer: Tokenizer, ids: list[int]) -> list[str]:
    decoder = StreamDecoder(tokenizer)
    return [*map(decoder.push, ids), decoder.flush()]


def lines(entries: Sequence[object]) -> str:
    return "[\n" + ",\n".join(map(json.dumps, entries)) + "\n]"
