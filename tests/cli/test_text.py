"""mdst-text from a user's side: ids and texts line by line, and everything one can get wrong."""

from __future__ import annotations

import io
import json
import lzma
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gguf import GGUFWriter
from mdst.bundle.reader import Bundle
from mdst.cli.text import command
from mdst.text import Tokenizer

Compiled = Callable[..., Bundle]
TinyModel = Callable[..., Path]
Ask = Callable[..., Any]


@pytest.fixture
def ask(invoke: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Ask:
    """`ask(stdin, *words)`: mdst-text."""

    def call(stdin: bytes | str, *words: object) -> Any:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
        return invoke(command, "mdst-text", *words)

    return call


TEXTS = [
    "",
    "Once upon a time",
    " two  spaces\n",
    'quo"ted',
    "Ünïcödé 😀 한국어",
    "lone \ud83d",
    "</s>",
]


def lines(values: list[Any]) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


@pytest.mark.parametrize("words", [(), ("--add-special",), ("--add-special", "--parse-special")])
def test_a_gguf_and_its_bundle_give_the_tokenizers_ids(
    ask: Ask, compiled: Compiled, tiny_model: TinyModel, words: tuple[str, ...]
) -> None:
    model = tiny_model()
    bundle = compiled(model)
    tokenizer = Tokenizer(bundle.vocabulary())
    wanted = [
        tokenizer.encode(
            text, add_special="--add-special" in words, parse_special="--parse-special" in words
        )
        for text in TEXTS
    ]
    for source in (model, bundle.path):
        done = ask(lines(TEXTS), "tokenize", source, *words)
        assert (done.code, done.err) == (0, "")
        assert [json.loads(line) for line in done.out.splitlines()] == wanted


def test_detokenize_gives_the_texts_of_ids(
    ask: Ask, compiled: Compiled, tiny_model: TinyModel, rng: np.random.Generator
) -> None:
    bundle = compiled(tiny_model())
    tokenizer = Tokenizer(bundle.vocabulary())
    n = len(tokenizer.vocabulary.tokens)
    id_lists = [rng.integers(0, n, count).tolist() for count in (0, 1, 5, 40)]
    id_lists.append(tokenizer.encode("Once upon", add_special=True, parse_special=False))
    for words in ((), ("--special",)):
        done = ask(lines(id_lists), "detokenize", bundle.path, *words)
        assert (done.code, done.err) == (0, "")
        assert [json.loads(line) for line in done.out.splitlines()] == [
            tokenizer.decode_text(ids, special=bool(words), whole=True) for ids in id_lists
        ]


@pytest.mark.parametrize("name", ["bert-bge", "gpt-2", "llama-spm", "phi-3"])
def test_vectors_of_llama_cpp(ask: Ask, shared: Path, tmp_path: Path, name: str) -> None:
    folder = shared / "goldens/vocabs"
    source = tmp_path / "x.gguf"
    source.write_bytes(lzma.decompress((folder / f"{name}.gguf.xz").read_bytes()))
    vectors = json.loads((folder / f"{name}.json").read_text())
    done = ask(lines([vector["text"] for vector in vectors]), "tokenize", source)
    assert (done.code, done.err) == (0, "")
    ids = [vector["ids"] for vector in vectors]
    assert [json.loads(line) for line in done.out.splitlines()] == ids


def test_an_unknown_pre_tokenizer_is_named(ask: Ask, tmp_path: Path) -> None:
    writer = GGUFWriter(tmp_path / "x.gguf", "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("nov\x1bel")
    writer.add_token_list(["a", "b", "ab"])
    writer.add_token_merges(["a b"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    done = ask(lines(["abba"]), "tokenize", tmp_path / "x.gguf")
    assert (done.code, done.out) == (0, "[2,1,0]\n")
    assert done.err.startswith("mdst-text: warning: pre-tokenizer 'nov\\u001bel' is unknown")
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("way", "line"),
    [
        *(("tokenize", line) for line in ("", "{", '"a', "[1]", "null", '"\\x"', "[" * 100_000)),
        *(
            ("detokenize", line)
            for line in ("", '"a"', "[1.0]", "[true]", '["1"]', "1", "9" * 5000)
        ),
    ],
)
def test_a_bad_line_is_named_by_its_number(
    ask: Ask, tiny_model: TinyModel, way: str, line: str
) -> None:
    good = '"a"' if way == "tokenize" else "[1]"
    done = ask(f"{good}\n{good}\n{line}\n{good}\n", way, tiny_model())
    assert done.code == 4
    assert done.err.startswith("mdst-text: error[TEXT010]: line 3 of standard input is not ")
    assert len(done.err.splitlines()) == 1
    assert len(done.out.splitlines()) == 2


def test_bytes_that_are_no_text(ask: Ask, tiny_model: TinyModel) -> None:
    done = ask(b'"\xff"\n', "tokenize", tiny_model())
    assert (done.code, done.out) == (4, "")
    assert "line 1 of standard input is not JSON" in done.err


@pytest.mark.parametrize("id", [-1, 10**9, 10**30])
def test_an_id_of_no_token(ask: Ask, tiny_model: TinyModel, id: int) -> None:
    done = ask(f"[1]\n[1,{id}]\n", "detokenize", tiny_model())
    assert done.code == 2
    assert done.err.startswith(
        f"mdst-text: error[TEXT009]: line 2 of standard input: token id {id}"
    )


def test_sources_that_are_none(ask: Ask, tmp_path: Path) -> None:
    junk = tmp_path / "junk.gguf"
    junk.write_bytes(b"<html>")
    for source, code in ((tmp_path / "nothing", 3), (tmp_path, 2), (junk, 4)):
        done = ask("", "tokenize", source)
        assert (done.code, done.out) == (code, "")
        assert done.err.startswith("mdst-text: error[")


def test_usage(ask: Ask) -> None:
    for words in (
        (),
        ("chant",),
        ("tokenize",),
        ("tokenize", "a", "b"),
        ("tokenize", "--bos", "a"),
    ):
        done = ask("", *words)
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("mdst-text: error[USAGE]: ")
        assert len(done.err.splitlines()) == 2
