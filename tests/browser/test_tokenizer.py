"""The tokenizer in Chromium: llama.cpp's vectors, the Python twin's on others, time to load."""

from __future__ import annotations

import http.server
import json
import lzma
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mdst.gguf import read_gguf
from mdst.resources import folder
from mdst.text import Tokenizer, Vocabulary, compact

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = [
    *("bert-bge", "deepseek-coder", "falcon", "gemma-4", "gpt-2", "llama-bpe", "llama-spm", "mpt"),
    *("phi-3", "qwen2", "starcoder"),
]
ENCODE = """async ([file, texts]) => {
  const { openTokenizer } = await import('./runtime/text/tokenizer.js');
  const buffer = await (await fetch(file)).arrayBuffer();
  let load = Infinity;
  let tokenizer;
  for (let i = 0; i < 4 || (i < 40 && load >= 100); i += 1) {
    const start = performance.now();
    tokenizer = await openTokenizer(buffer);
    tokenizer.encode('The quick brown fox.');
    load = Math.min(load, performance.now() - start);
  }
  const ids = texts.map((text) => tokenizer.encode(text));
  return { load, ids, texts: ids.map((list) => tokenizer.decodeText(list, { whole: true })) };
}"""


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runtime as it is written, and an empty page."""
    out = tmp_path_factory.mktemp("site")
    (out / "runtime").symlink_to(folder("runtime_js") / "runtime")
    (out / "index.html").write_text("<!doctype html><meta charset=utf-8>")
    return out


@pytest.fixture(scope="module")
def page(chromium: Browser, site: Path) -> Iterator[Page]:
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(_Handler, directory=str(site))
    )
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    context = chromium.new_context()
    opened = context.new_page()
    opened.goto(f"http://127.0.0.1:{server.server_port}/index.html")
    yield opened
    context.close()
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def vocabulary_of(shared: Path, site: Path) -> Callable[[str], Vocabulary]:
    """name → vocabulary of the goldens, its file in the site as NAME.bin."""

    def load(name: str) -> Vocabulary:
        path = site / f"{name}.gguf"
        packed = shared / "goldens/vocabs" / f"{name}.gguf.xz"
        path.write_bytes(lzma.decompress(packed.read_bytes()))
        with read_gguf(path) as file:
            vocabulary = Vocabulary.from_metadata(file.metadata)
        (site / f"{name}.bin").write_bytes(compact(vocabulary))
        return vocabulary

    return load


@pytest.mark.parametrize("name", NAMES)
def test_same_ids_as_llama_cpp_and_the_twin(
    name: str,
    page: Page,
    vocabulary_of: Callable[[str], Vocabulary],
    shared: Path,
    rng: np.random.Generator,
) -> None:
    tokenizer = Tokenizer(vocabulary_of(name))
    vectors = json.loads((shared / "goldens/vocabs" / f"{name}.json").read_text())
    texts = [vector["text"] for vector in vectors]
    mixed = [*"".join(texts), *(token.decode(errors="ignore") for token in tokens(tokenizer, rng))]
    texts += ["".join(rng.choice(mixed, 30)) for _ in range(60)]
    wanted = [tokenizer.encode(text, add_special=False, parse_special=False) for text in texts]
    answer: Any = page.evaluate(ENCODE, [f"{name}.bin", texts])
    assert answer["ids"][: len(vectors)] == [vector["ids"] for vector in vectors]
    assert answer["ids"] == wanted
    assert answer["texts"] == [tokenizer.decode_text(ids, whole=True) for ids in wanted]
    assert answer["load"] < 100


def tokens(tokenizer: Tokenizer, rng: np.random.Generator) -> list[bytes]:
    """A hundred of the vocabulary."""
    every = tokenizer.vocabulary.tokens
    return [every[id] for id in rng.integers(0, len(every), 100)]
