from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from mdst.errors import MalformedError, MdstError, UnsupportedError
from mdst.text import Vocabulary
from mdst.text.rules import DEFAULT, RULES
from mdst.text.tokens import byte_of


@dataclass(frozen=True)
class Entry:
    value: object


Metadata = dict[str, Entry]
GGML = "tokenizer.ggml."


def test_reads_byte_level_bpe(bpe: Vocabulary) -> None:
    assert (bpe.model, bpe.pre, bpe.patterns) == ("gpt2", "gpt-2", RULES["gpt-2"].patterns)
    assert bpe.merges[:3] == ((32, 116, 256), (104, 101, 257), (256, 257, 258))
    assert (bpe.bos, bpe.eos, bpe.eot, bpe.unk, bpe.end_ids) == (264, 264, 264, None, (264,))
    assert (bpe.add_bos, bpe.add_eos, bpe.add_space_prefix) == (False, False, False)
    assert (bpe.scores, bpe.chat_template, bpe.warnings) == (None, "{{ 'ü' }}", ())


def test_reads_sentencepiece(spm: Vocabulary) -> None:
    assert (spm.model, spm.patterns, spm.merges) == ("llama", (), ())
    assert (spm.bos, spm.eos, spm.unk, spm.pad, spm.end_ids) == (1, 2, 0, None, (2, 268))
    assert (spm.add_bos, spm.add_eos, spm.add_space_prefix) == (True, False, True)
    assert spm.scores is not None
    assert spm.scores[263:265] == (-1, -0.5)


def test_keys_override_defaults(spm_metadata: Metadata) -> None:
    for key, value in {
        "add_bos_token": False,
        "add_eos_token": True,
        "add_space_prefix": False,
        "bos_token_id": 5,
        "padding_token_id": np.uint32(7),
    }.items():
        spm_metadata[GGML + key] = Entry(value)
    vocabulary = Vocabulary.from_metadata(spm_metadata)
    assert (vocabulary.add_bos, vocabulary.add_eos) == (False, True)
    assert (vocabulary.add_space_prefix, vocabulary.bos, vocabulary.pad) == (False, 5, 7)


def test_llama3_rule(bpe_metadata: Metadata) -> None:
    bpe_metadata[GGML + "pre"] = Entry(b"llama-bpe")
    vocabulary = Vocabulary.from_metadata(bpe_metadata)
    assert vocabulary.add_bos
    assert vocabulary.whole_words
    bpe_metadata[GGML + "add_bos_token"] = Entry(False)
    assert not Vocabulary.from_metadata(bpe_metadata).add_bos


def test_unknown_pre_is_default_with_a_warning(bpe_metadata: Metadata) -> None:
    bpe_metadata[GGML + "pre"] = Entry(b"nov\x1bel")
    vocabulary = Vocabulary.from_metadata(bpe_metadata)
    assert vocabulary.patterns == DEFAULT.patterns
    assert len(vocabulary.warnings) == 1
    assert r"'nov\u001bel'" in vocabulary.warnings[0]


def test_missing_pre_is_default_with_a_warning(bpe_metadata: Metadata) -> None:
    del bpe_metadata[GGML + "pre"]
    vocabulary = Vocabulary.from_metadata(bpe_metadata)
    assert (vocabulary.pre, vocabulary.patterns) == ("default", DEFAULT.patterns)
    assert len(vocabulary.warnings) == 1
    assert "'tokenizer.ggml.pre' is missing" in vocabulary.warnings[0]


def test_every_pre_of_llama_cpp_is_known() -> None:
    """Those of src/llama-vocab.cpp in November 2026, but for the one of a model of its own,
    'whitespace', which cuts nothing that generates."""
    names = """
        default minicpm5 llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2
        jina-v5-nano deepseek-llm deepseek-coder deepseek-v3 spark2_5 youtu falcon mpt starcoder
        gpt-2 phi-2 jina-es jina-de gigachat jina-v2-es jina-v2-de a.x-4.0 mellum modern-bert jais-2
        gemma4 granite-embed-multi-311m sarvam-moe jina-v1-en jina-v2-code roberta-bpe refact
        command-r qwen2 deepseek-r1-qwen kormo f2llmv2 qwen35 stablelm2 olmo dbrx smaug-bpe
        poro-chat glm4 chatglm-bpe viking jais tekken smollm codeshell bloom gpt3-finnish exaone
        exaone4 exaone-moe chameleon minerva-7b megrez gpt-4o llama4 kanana2 talkie
        granite-embed-multi-97m tiny_aya cohere2moe superbpe trillion granite-docling bailingmoe
        bailingmoe2 llada-moe seed-coder hunyuan hunyuan-dense hy_v4 joyai-llm kimi-k2 ufakzeka
        grok-2 afmoe laguna minimax-m2 solar-open mellum2
    """
    assert set(names.split()) == set(RULES)


def test_gemma4(bpe_metadata: Metadata) -> None:
    """A model of that name, or the pre-tokenizer; BOS goes in front whatever the file says."""
    bpe_metadata[GGML + "add_bos_token"] = Entry(False)
    by_pre = Vocabulary.from_metadata(bpe_metadata | {GGML + "pre": Entry(b"gemma4")})
    by_model = Vocabulary.from_metadata(
        bpe_metadata | {GGML + "model": Entry(b"gemma4"), GGML + "pre": Entry(b"qwen2")}
    )
    assert by_pre == by_model
    assert (by_pre.model, by_pre.pre, by_pre.warnings) == ("gpt2", "gemma4", ())
    assert (by_pre.byte_level, by_pre.whole_line_feeds, by_pre.add_bos) == (False, True, True)
    assert not by_pre.add_space_prefix
    del bpe_metadata[GGML + "bos_token_id"]
    with pytest.raises(MalformedError, match="bos_token_id"):
        Vocabulary.from_metadata(bpe_metadata | {GGML + "pre": Entry(b"gemma4")})


def test_types_that_are_undefined_show_nothing(bpe_metadata: Metadata) -> None:
    types = np.ones(267, np.int32)
    types[265] = 0
    bpe_metadata[GGML + "token_type"] = Entry(types)
    assert Vocabulary.from_metadata(bpe_metadata).types[265] == 5


def test_padding_of_no_token_counts_as_not_given(spm_metadata: Metadata) -> None:
    spm_metadata[GGML + "padding_token_id"] = Entry(np.uint32(2**32 - 1))
    spm_metadata[GGML + "unknown_token_id"] = Entry(269)
    vocabulary = Vocabulary.from_metadata(spm_metadata)
    assert (vocabulary.pad, vocabulary.unk) == (None, 0)


@pytest.mark.parametrize(
    ("key", "value", "mask"),
    [
        (GGML + "pre", b"jina-v2-code", b"<mask>"),
        ("general.architecture", b"nomic-bert-moe", b"<mask>"),
        ("general.name", b"My Modern-BERT", b"[MASK]"),
        ("general.name", b"other", None),
    ],
)
def test_masks_swallow_the_space_before_them(
    bpe_metadata: Metadata, key: str, value: bytes, mask: bytes | None
) -> None:
    tokens = bpe_metadata[GGML + "tokens"].value
    assert isinstance(tokens, list)
    tokens[262:264] = [b"<mask>", b"[MASK]"]
    bpe_metadata[key] = Entry(value)
    found = Vocabulary.from_metadata(bpe_metadata).lstrip_ids
    assert [tokens[id] for id in found] == ([mask] if mask else [])


def test_falcon_needs_no_keys_and_others_get_no_wrong_end(bpe_metadata: Metadata) -> None:
    del bpe_metadata[GGML + "bos_token_id"], bpe_metadata[GGML + "eos_token_id"]
    assert Vocabulary.from_metadata(bpe_metadata).eos is None
    tokens = bpe_metadata[GGML + "tokens"].value
    assert isinstance(tokens, list)
    tokens[11] = b"<|endoftext|>"
    vocabulary = Vocabulary.from_metadata(bpe_metadata)
    assert (vocabulary.bos, vocabulary.eos) == (11, 11)


def test_merges_of_no_tokens_are_left_out(bpe_metadata: Metadata) -> None:
    bpe_metadata[GGML + "merges"] = Entry([b"x y", b"a b", b"xy a", b"q nope"])
    vocabulary = Vocabulary.from_metadata(bpe_metadata)
    assert vocabulary.merges == ((97, 98, 259),)
    assert vocabulary.warnings[0].startswith("3 of 4 merges")


def test_odd_tokens(spm_metadata: Metadata) -> None:
    tokens = spm_metadata[GGML + "tokens"].value
    assert isinstance(tokens, list)
    tokens[260], tokens[262] = b"b", b""
    vocabulary = Vocabulary.from_metadata(spm_metadata)
    assert vocabulary.tokens[262] == b"[EMPTY_262]"
    assert vocabulary.warnings == ("token 'b' appears twice; its last id is used for text",)


def test_integer_scores_and_no_types(spm_metadata: Metadata) -> None:
    spm_metadata[GGML + "scores"] = Entry(np.arange(269, dtype=np.int32))
    del spm_metadata[GGML + "token_type"]
    vocabulary = Vocabulary.from_metadata(spm_metadata)
    assert vocabulary.scores == tuple(map(float, range(269)))
    assert vocabulary.types == (1, 1, 3) + (1,) * 265 + (3,)


def test_phi3_by_name(spm_metadata: Metadata) -> None:
    spm_metadata["general.name"] = Entry(b"My Phi-3 tune")
    assert Vocabulary.from_metadata(spm_metadata).rstrip_ids == (2, 268)


def _nan(n: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.full(n, np.nan, np.float32)


@pytest.mark.parametrize(
    ("key", "value", "id"),
    [
        (GGML + "model", None, "TEXT002"),
        (GGML + "model", 3, "TEXT002"),
        (GGML + "model", b"\xff", "TEXT002"),
        (GGML + "model", b"none", "TEXT001"),
        (GGML + "model", b"gpt2", "TEXT006"),  # no merges
        (GGML + "tokens", None, "TEXT003"),
        (GGML + "tokens", [], "TEXT003"),
        (GGML + "tokens", [b"x" * 65536], "TEXT003"),
        (GGML + "tokens", np.arange(269), "TEXT002"),
        (GGML + "tokens", [b"<s>"] * 268, "TEXT002"),
        (GGML + "scores", np.zeros(3, np.float32), "TEXT002"),
        (GGML + "scores", np.zeros(269, np.uint8), "TEXT002"),
        (GGML + "scores", _nan(269), "TEXT005"),
        (GGML + "token_type", np.ones(269, np.uint8), "TEXT002"),
        (GGML + "token_type", np.full(269, 99, np.int32), "TEXT004"),
        (GGML + "token_type", np.full(269, 6, np.int32), "TEXT004"),
        (GGML + "bos_token_id", 269, "TEXT007"),
        (GGML + "eos_token_id", -2, "TEXT007"),
        (GGML + "eos_token_id", True, "TEXT002"),
        (GGML + "add_bos_token", 1, "TEXT002"),
        ("tokenizer.chat_template", [b"a"], "TEXT002"),
    ],
)
def test_refuses(spm_metadata: Metadata, key: str, value: object, id: str) -> None:
    spm_metadata[key] = Entry(value)
    if value is None:
        del spm_metadata[key]
    with pytest.raises(MdstError) as caught:
        Vocabulary.from_metadata(spm_metadata)
    assert caught.value.id == id
    assert isinstance(caught.value, UnsupportedError if id == "TEXT001" else MalformedError)


@pytest.mark.parametrize("merge", [b"nospace", b"a  b c", b"", b" b", b"a "])
def test_refuses_merge(bpe_metadata: Metadata, merge: bytes) -> None:
    bpe_metadata[GGML + "merges"] = Entry([b"a b", merge])
    with pytest.raises(MalformedError, match="merge 1") as caught:
        Vocabulary.from_metadata(bpe_metadata)
    assert caught.value.id == "TEXT006"


def test_refuses_bos_that_is_wanted_and_missing(bpe_metadata: Metadata) -> None:
    del bpe_metadata[GGML + "bos_token_id"]
    bpe_metadata[GGML + "add_bos_token"] = Entry(True)
    with pytest.raises(MalformedError, match="bos_token_id") as caught:
        Vocabulary.from_metadata(bpe_metadata)
    assert caught.value.id == "TEXT007"


def test_byte_of() -> None:
    assert (byte_of(b"<0x0A>"), byte_of(b"<0xff>")) == (10, 255)
    assert [byte_of(t) for t in (b"<0x_1>", b"<0x1>", b"a", b"(0x0A>")] == [None] * 4
