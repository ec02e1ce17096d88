"""The JavaScript tokenizer gives what this package gives: same fields, ids, bytes and streams."""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mdst.errors import MalformedError
from mdst.text import StreamDecoder, Tokenizer, Vocabulary, compact, expand
from mdst.text.pretokenize import Pretokenizer
from mdst.text.rules import RULES

ROOT = Path(__file__).resolve().parents[2]
GOLDENS = [
    "bert-bge",
    "deepseek-coder",
    "falcon",
    "gemma-4",
    "gpt-2",
    "llama-bpe",
    "llama-spm",
    "mpt",
    "phi-3",
    "qwen2",
    "starcoder",
]
FLAGS = list(itertools.product((False, True), repeat=2))
PLAIN = FLAGS.index((False, False))

# Characters that every Unicode version in use has classified alike for long: browsers and `regex`
# each bring their own tables. U+0295 moved from Ll to Lo in Unicode 16.
LONG_KNOWN = [
    chr(code)
    for code in range(0x110000)
    if unicodedata.ucd_3_2_0.category(chr(code)) not in ("Cn", "Cs", "Co") and code != 0x295
]
SPACES = [" ", "  ", "\n", "\r\n", "\t", "\v", "\f", "\x85", "\xa0", "\u2003", "\u3000", "\ufeff"]
WORDS = [
    *("the", " The", "THE", "don't", "WE'LL", "'s", "'S", "hello", " world", "camelCase", "ﬁn"),
    *("123", "4567", "٣٤", "Ⅷ", "½", "!?", "...", "://", "</s>", "<|", "▁", "Ġ", "<0x0A>", "$\n"),
    *(
        "你好",
        "。",
        "かな",
        "カナ",
        "한국어",
        "אבג",
        "हिन्दी",
        "e\u0301",
        "👩\u200d👩\u200d👧",
        "😀",
        "🇩🇪",
    ),
    *("\ud83d", "\ude00", "\ud83d\ude00", "\x00", "\ufffd"),
]

Golden = Callable[[str], Vocabulary]
Ask = Callable[[dict[str, object]], Any]


@pytest.fixture(scope="session")
def ask() -> Ask:
    """Questions → answers of tests/runtime_js/text/answer.js."""
    beside = Path(sys.executable).with_name("deno")
    deno = shutil.which("deno") or (str(beside) if beside.exists() else None)
    if deno is None:
        pytest.skip("needs deno (the PyPI package of that name)")
    script = ROOT / "tests/runtime_js/text/answer.js"
    command = [deno, "run", "--no-config", "--no-remote", "--allow-read", str(script)]

    def run(questions: dict[str, object]) -> Any:
        question = json.dumps(questions)
        done = subprocess.run(command, input=question, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def random_texts(rng: np.random.Generator, count: int, own: list[str]) -> list[str]:
    """`own`: texts of the vocabulary to mix in."""

    def part() -> str:
        match rng.integers(5):
            case 0:
                return str(rng.choice(SPACES)) * int(rng.integers(1, 5))
            case 1:
                return LONG_KNOWN[rng.integers(len(LONG_KNOWN))]
            case 2:
                return own[rng.integers(len(own))]
            case 3:
                return "".join(map(chr, rng.integers(0x20, 0x7F, rng.integers(1, 12))))
            case _:
                return WORDS[rng.integers(len(WORDS))]

    return ["".join(part() for _ in range(rng.integers(0, 24))) for _ in range(count)]


def own_texts(vocabulary: Vocabulary, rng: np.random.Generator) -> list[str]:
    """Special tokens and, as often, others."""
    special = [id for id, type in enumerate(vocabulary.types) if type in (2, 3, 4)]
    ids = [*special[:200], *rng.integers(0, len(vocabulary.tokens), len(special[:200]) + 1)]
    return [vocabulary.tokens[id].decode(errors="replace") for id in ids]


def random_ids(rng: np.random.Generator, encoded: list[list[int]], n: int) -> list[list[int]]:
    """Any ids, and ids of texts that begin and end anywhere."""
    lists = [rng.integers(0, n, rng.integers(0, 20)).tolist() for _ in encoded]
    return lists + [ids[rng.integers(4) : len(ids) - rng.integers(4)] for ids in encoded]


def fields(vocabulary: Vocabulary) -> dict[str, object]:
    """As JSON has them."""
    given = {name: getattr(vocabulary, name) for name in Vocabulary.__slots__ if name != "warnings"}
    given["tokens"] = [token.hex() for token in vocabulary.tokens]
    given["charsmap"] = vocabulary.charsmap.hex()
    result: dict[str, object] = json.loads(json.dumps(given))
    return result


def compare(
    vocabulary: Vocabulary, texts: list[str], rng: np.random.Generator, ask: Ask, file: Path
) -> Any:
    """Asks both; the answer in JavaScript."""
    tokenizer = Tokenizer(vocabulary)
    encoded = [
        [tokenizer.encode(text, add_special=add, parse_special=parse) for add, parse in FLAGS]
        for text in texts
    ]
    n_tokens = len(vocabulary.tokens)
    id_lists = random_ids(rng, [ids[PLAIN] for ids in encoded], n_tokens)
    file.write_bytes(compact(vocabulary))
    answer = ask(
        {
            "file": str(file),
            "texts": texts,
            "id_lists": id_lists,
            "encode_flags": FLAGS,
            "decode_flags": FLAGS,
        }
    )
    assert answer["fields"] == fields(vocabulary)
    assert answer["pieces"] == [
        tokenizer.decode([id], special=True).hex() for id in range(n_tokens)
    ]
    for text, here, there in zip(texts, encoded, answer["encoded"], strict=True):
        assert there == here, ascii(text)
    for i, ids in enumerate(id_lists):
        assert answer["decoded"][i] == [
            tokenizer.decode(ids, special=special, whole=whole).hex() for special, whole in FLAGS
        ]
        assert answer["texts"][i] == tokenizer.decode_text(ids)
        stream = StreamDecoder(tokenizer)
        parts = [*map(stream.push, ids), stream.flush()]
        assert "".join(answer["streamed"][i]) == "".join(parts)
        # Half a surrogate in UTF-8 is reported by Python only when the third byte is there.
        if "\ufffd" not in "".join(parts):
            assert answer["streamed"][i] == parts
    return answer


@pytest.mark.parametrize("name", GOLDENS)
def test_real_vocabularies(
    name: str, golden: Golden, shared: Path, rng: np.random.Generator, ask: Ask, tmp_path: Path
) -> None:
    vocabulary = golden(name)
    vectors = json.loads((shared / "goldens/vocabs" / f"{name}.json").read_text())
    assert len(vectors) >= 46
    texts = [vector["text"] for vector in vectors]
    texts += random_texts(rng, 400, own_texts(vocabulary, rng))
    answer = compare(vocabulary, texts, rng, ask, tmp_path / "vocabulary.bin")
    for vector, ids in zip(vectors, answer["encoded"], strict=False):
        assert ids[PLAIN] == vector["ids"], vector["text"]
    assert answer["load_ms"] < 100


def test_tiny_byte_level_bpe(
    bpe: Vocabulary, rng: np.random.Generator, ask: Ask, tmp_path: Path
) -> None:
    """Merges at random over a few letters, so that many overlap and tie."""
    texts = [token.decode() for token in bpe.tokens]
    merges = list(bpe.merges)
    for left, right in rng.integers(97, [[101], [len(texts)]], (2, 60)).T.tolist():
        joined = texts[left] + texts[right]
        if len(joined) < 6 and joined not in texts and right not in (264, 265, 266):
            merges.insert(int(rng.integers(len(merges) + 1)), (left, right, len(texts)))
            texts.append(joined)
    made = replace(
        bpe,
        tokens=tuple(text.encode() for text in texts),
        types=bpe.types + (1,) * (len(texts) - len(bpe.types)),
        merges=tuple(merges),
        add_bos=True,
        add_eos=True,
        rstrip_ids=(264,),
    )
    for whole_words in (False, True):
        vocabulary = replace(made, whole_words=whole_words)
        texts = random_texts(rng, 300, own_texts(vocabulary, rng)) + letters(rng, 200)
        compare(vocabulary, texts, rng, ask, tmp_path / "vocabulary.bin")


def test_byte_level_bpe_with_bytes_missing(
    bpe: Vocabulary, rng: np.random.Generator, ask: Ask, tmp_path: Path
) -> None:
    odd = (*bpe.tokens[:97], b"\xff", b"\xc4\xa0\xc1", *bpe.tokens[99:], b"abc", "ab ü".encode())
    vocabulary = replace(bpe, tokens=odd, types=(*bpe.types, 1, 1))
    texts = random_texts(rng, 100, own_texts(vocabulary, rng)) + letters(rng, 100)
    compare(vocabulary, texts, rng, ask, tmp_path / "vocabulary.bin")


def test_odd_special_tokens(
    bpe: Vocabulary, rng: np.random.Generator, ask: Ask, tmp_path: Path
) -> None:
    """Of equal texts the last id counts, with its type; lone surrogates read as U+FFFD first."""
    odd = [
        (b"<|eot_id|>", 1),
        (b"<tool>", 3),
        (b"\xff<tool", 3),
        (b"he", 4),
        (b"<|x|>", 3),
        (b"<|x|>", 3),
    ]
    odd += [("\ufffd".encode(), 4), ("\ufeff".encode(), 4), ("\u3000".encode(), 2)]
    tokens, types = zip(*odd, strict=True)
    vocabulary = replace(
        bpe, tokens=bpe.tokens + tokens, types=bpe.types + types, rstrip_ids=(268, 270, 272)
    )
    own = ["<|eot_id|>", "<tool>", "<tool>x", "<|x|>", "he", " ", "\ufffd", "\ufeff", "\u3000"]
    texts = [
        "<|eot_id|>",
        "<tool>",
        "<|x|> a",
        "a\ud83db",
        "\ufffd<tool",
        *random_texts(rng, 200, own),
    ]
    compare(vocabulary, texts, rng, ask, tmp_path / "vocabulary.bin")


@pytest.mark.parametrize("scored", [True, False])
def test_tiny_sentencepiece(
    scored: bool, spm: Vocabulary, rng: np.random.Generator, ask: Ask, tmp_path: Path
) -> None:
    """Pieces and scores at random over a few letters; equal scores are common."""
    pieces = sorted({text for text in letters(rng, 150) if 1 < len(text) < 6})
    tokens = (*spm.tokens, *(piece.replace(" ", "▁").encode() for piece in pieces), "😀é".encode())
    n_new = len(tokens) - len(spm.tokens)
    scores = (*(spm.scores or ()), *rng.integers(-8, 0, n_new).tolist())
    vocabulary = replace(
        spm,
        tokens=tokens,
        types=spm.types + (1,) * n_new,
        scores=tuple(map(float, scores)) if scored else None,
        add_eos=True,
        add_space_prefix=bool(rng.integers(2)),
        rstrip_ids=(268,),
    )
    texts = random_texts(rng, 300, own_texts(vocabulary, rng)) + letters(rng, 200)
    compare(vocabulary, texts, rng, ask, tmp_path / "vocabulary.bin")


def test_sentencepiece_without_byte_tokens(
    spm: Vocabulary, rng: np.random.Generator, ask: Ask, tmp_path: Path
) -> None:
    tokens = tuple(token.replace(b"<0x", b"(0x") for token in spm.tokens)
    types = tuple(1 if type == 6 else type for type in spm.types)
    for unknown in (0, None):
        vocabulary = replace(spm, tokens=tokens, types=types, unk=unknown)
        texts = random_texts(rng, 100, own_texts(vocabulary, rng))
        compare(vocabulary, texts, rng, ask, tmp_path / "vocabulary.bin")


@pytest.mark.parametrize("name", ["characters", "wordpiece", "unigram", "rwkv", "plamo2"])
def test_tiny_vocabularies(
    name: str, tiny: dict[str, Vocabulary], rng: np.random.Generator, ask: Ask, tmp_path: Path
) -> None:
    vocabulary = tiny[name]
    own = [token.decode(errors="replace") for token in vocabulary.tokens if token[:1] != b"<"]
    own += ["①", "ﬁ", "e\u0301", "\n", " ", "<tool>", "É", "한", "Σ"]
    texts = random_texts(rng, 300, own) + letters(rng, 200)
    compare(vocabulary, texts, rng, ask, tmp_path / "vocabulary.bin")
    changed = replace(
        vocabulary,
        unk=None,
        add_space_prefix=not vocabulary.add_space_prefix,
        merge_spaces=not vocabulary.merge_spaces,
        lowercase=not vocabulary.lowercase,
        strip_accents=not vocabulary.strip_accents,
        whole_words=not vocabulary.whole_words,
        lstrip_ids=(len(vocabulary.tokens) - 1,),
    )
    compare(changed, texts, rng, ask, tmp_path / "vocabulary.bin")


def test_broken_character_maps_map_alike(
    tiny: dict[str, Vocabulary], rng: np.random.Generator, ask: Ask, tmp_path: Path
) -> None:
    own = ["①", "①①", "ﬁ", "e\u0301", "x\u0302\u0301", "㌔", "ｷﾛ", "…", "½", "the"]
    for _ in range(12):
        broken = np.frombuffer(tiny["unigram"].charsmap, np.uint8).copy()
        broken[rng.integers(0, len(broken), 40)] = rng.integers(0, 256, 40)
        if rng.integers(4):
            broken[:4] = np.frombuffer(tiny["unigram"].charsmap[:4], np.uint8)
        charsmap = broken.tobytes()[: len(broken) - int(rng.integers(2) * rng.integers(1200))]
        vocabulary = replace(tiny["unigram"], charsmap=charsmap)
        compare(vocabulary, random_texts(rng, 60, own), rng, ask, tmp_path / "vocabulary.bin")


def test_every_rule_cuts_alike(rng: np.random.Generator, ask: Ask) -> None:
    rules = sorted({rule.patterns for rule in RULES.values()})
    texts = [
        text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        for text in random_texts(rng, 400, WORDS)
    ]
    answers = ask({"splits": [{"patterns": patterns, "texts": texts} for patterns in rules]})
    for patterns, answer in zip(rules, answers, strict=True):
        cut = Pretokenizer(patterns).split
        for text, words in zip(texts, answer, strict=True):
            assert words == cut(text), (patterns, ascii(text))


def test_broken_files_are_refused_alike(
    bpe: Vocabulary, spm: Vocabulary, rng: np.random.Generator, ask: Ask
) -> None:
    files = []
    for file in (compact(replace(bpe, rstrip_ids=(264,), charsmap=b"abcdef")), compact(spm)):
        for _ in range(300):
            broken = np.frombuffer(file, np.uint8).copy()
            # Half of the places are in the header, which is where the file decides most.
            places = rng.integers(0, rng.choice([84, len(broken)]), rng.integers(1, 4))
            broken[places] = rng.choice([0, 1, 255, *rng.integers(0, 256, 4)], len(places))
            files.append(broken.tobytes()[: len(file) - int(rng.integers(2) * rng.integers(9))])
    answers = ask({"files": [base64.b64encode(file).decode() for file in files]})
    outcomes = [outcome(file) for file in files]
    assert {"read", "format"} == set(outcomes)
    assert answers == outcomes


def outcome(file: bytes) -> str:
    try:
        vocabulary = expand(file)
    except MalformedError:
        return "format"
    return "format" if b"" in vocabulary.tokens else "read"


def letters(rng: np.random.Generator, count: int) -> list[str]:
    return ["".join(rng.choice(list("aaabcd ⠀é"), rng.integers(1, 30))) for _ in range(count)]
