"""What each parameter of a request does, in Chromium: measured against hosts and logits."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest

from mdst.bundle.reader import Bundle
from mdst.hosts.generate import generate
from mdst.hosts.host import Host, Request
from mdst.sampling import SamplingParams
from mdst.text import Tokenizer

if TYPE_CHECKING:
    from playwright.sync_api import Page

Answer = dict[str, Any]
Create = Callable[..., Answer]
Rows = npt.NDArray[np.float64]

VOCABULARY = 1050
WINDOW, CHUNK = 32, 8
PROMPT = [int(id) for id in np.random.default_rng(3).integers(3, VOCABULARY, 11)]
PENALTIES: dict[str, Any] = {
    "repetition_penalty": 2.5,
    "presence_penalty": 6.0,
    "frequency_penalty": 4.0,
}


@pytest.fixture(scope="module")
def bundle(compiled: Callable[..., Bundle], tiny_model: Callable[..., Path]) -> Bundle:
    return compiled(tiny_model(vocabulary=VOCABULARY), kv="f32", context=WINDOW, chunk=CHUNK)


@pytest.fixture(scope="module")
def page(
    bundle: Bundle,
    serve: Callable[..., str],
    page_at: Callable[..., AbstractContextManager[Page]],
) -> Iterator[Page]:
    with page_at(serve(bundle.path)) as page:
        page.evaluate("start()")
        yield page


@pytest.fixture
def create(page: Page) -> Create:
    """`create(temperature=…)`: 12 tokens after PROMPT, drawn with seed 5."""

    def run(**request: object) -> Answer:
        usual = {"prompt": PROMPT, "ignore_eos": True, "max_tokens": 12, "seed": 5}
        found: Answer = page.evaluate("create", {**usual, **request})
        return found

    return run


@pytest.fixture
def chunks(page: Page) -> Callable[..., list[Answer]]:
    """As `create`, streamed."""

    def run(**request: object) -> list[Answer]:
        usual = {"prompt": PROMPT, "ignore_eos": True, "max_tokens": 12, "seed": 5}
        found: list[Answer] = page.evaluate("request => stream(request)", {**usual, **request})
        return found

    return run


@pytest.fixture
def log_softmax(page: Page) -> Callable[[list[int]], Rows]:
    """float64 [n, vocabulary] after each of n ids, by `engine.logits`."""

    def run(ids: list[int]) -> Rows:
        packed = base64.b64decode(page.evaluate("ids => logits(ids)", ids))
        rows = np.frombuffer(packed, "<f4").reshape(len(ids), VOCABULARY).astype(np.float64)
        rows -= rows.max(axis=1, keepdims=True)
        result: Rows = rows - np.log(np.exp(rows).sum(axis=1, keepdims=True))
        return result

    return run


@pytest.fixture(scope="module")
def expected(bundle: Bundle, host_of: Callable[[Bundle, str], Host]) -> Callable[..., list[int]]:
    """What the numpy host draws after PROMPT."""

    def run(sampling: SamplingParams, count: int = 12) -> list[int]:
        host = host_of(bundle, "numpy")
        host.start(Request(sampling))
        return list(chain.from_iterable(generate(host, PROMPT, count, 8)))

    return run


def tokens_of(answer: Answer, index: int = 0) -> list[int]:
    found: list[int] = answer["choices"][index]["tokens"]
    return found


def test_filters_that_leave_one_token_are_greedy(
    create: Create, expected: Callable[..., list[int]]
) -> None:
    greedy = tokens_of(create(temperature=0))
    assert greedy == expected(SamplingParams(temperature=0))
    assert tokens_of(create(top_k=1)) == greedy
    assert tokens_of(create(top_p=1e-6)) == greedy
    assert tokens_of(create(min_p=1)) == greedy
    assert tokens_of(create()) != greedy


def test_temperature_moves_between_greedy_and_anything(create: Create) -> None:
    greedy = tokens_of(create(temperature=0))
    assert tokens_of(create(temperature=0.001)) == greedy
    hot = tokens_of(create(temperature=1000, max_tokens=30))
    assert len(set(hot)) > 25


def test_top_k_draws_from_the_likeliest(
    create: Create, log_softmax: Callable[[list[int]], Rows]
) -> None:
    drawn = tokens_of(create(temperature=1000, top_k=5))
    rows = log_softmax([*PROMPT, *drawn])[len(PROMPT) - 1 : -1]
    best = np.argsort(-rows, axis=1)[:, :5]
    assert all(id in row for id, row in zip(drawn, best, strict=True))
    assert any(id != row[0] for id, row in zip(drawn, best, strict=True))


@pytest.mark.parametrize("name", PENALTIES)
def test_penalties_are_the_reference_s(
    create: Create, expected: Callable[..., list[int]], name: str
) -> None:
    plain = SamplingParams(temperature=0)
    changed = replace(plain, **{name: PENALTIES[name]})
    wanted = expected(changed, 30)
    assert wanted != expected(plain, 30)
    assert tokens_of(create(temperature=0, max_tokens=30, **{name: PENALTIES[name]})) == wanted


def test_bias_forbids_and_forces(create: Create) -> None:
    greedy = tokens_of(create(temperature=0))
    without = tokens_of(create(temperature=0, logit_bias={str(greedy[0]): -1e6}))
    assert greedy[0] not in without
    forced = tokens_of(create(logit_bias={"77": 1e6}))
    assert forced == [77] * 12
    assert tokens_of(create(temperature=0)) == greedy


def test_a_bias_of_minus_infinity(page: Page, create: Create) -> None:
    first = tokens_of(create(temperature=0))[0]
    script = "r => create({ ...r, logit_bias: { [r.ban]: -Infinity }, ban: undefined })"
    request = {"prompt": PROMPT, "temperature": 0, "max_tokens": 12, "ban": first}
    failure = page.evaluate(f"r => failure(() => ({script})(r))", request)
    assert failure["param"] == "ban"  # a name that is not known is never passed over
    script = "([r, ban]) => create({ ...r, logit_bias: { [ban]: -Infinity } })"
    del request["ban"]
    assert first not in tokens_of(page.evaluate(script, [request, first]))


def test_a_seed_repeats(create: Create) -> None:
    assert tokens_of(create(seed=11)) == tokens_of(create(seed=11))
    assert tokens_of(create(seed=11)) != tokens_of(create(seed=12))
    assert create(seed=11)["seed"] == 11


@pytest.mark.parametrize("count", [8, 90])  # 90: the caches come round, and are filled anew
def test_choices_are_the_hosts(
    create: Create, expected: Callable[..., list[int]], count: int
) -> None:
    answer = create(n=2, max_tokens=count, temperature=0.8)
    assert [choice["index"] for choice in answer["choices"]] == [0, 1]
    for index in range(2):
        sampling = SamplingParams(seed=5, choice=index, temperature=0.8)
        assert tokens_of(answer, index) == expected(sampling, count)
    assert len({tuple(tokens_of(answer, index)) for index in range(2)}) == 2
    assert answer["usage"]["prompt_tokens"] == len(PROMPT)
    assert answer["usage"]["completion_tokens"] == 2 * count


def test_choices_come_in_their_order_in_a_stream(
    create: Create, chunks: Callable[..., list[Answer]]
) -> None:
    whole = create(n=2, steps=3)
    parts = [chunk["choices"][0] for chunk in chunks(n=2, steps=3)]
    assert [part["index"] for part in parts] == sorted(part["index"] for part in parts)
    for index in range(2):
        mine = [part for part in parts if part["index"] == index]
        assert list(chain.from_iterable(part["tokens"] for part in mine)) == tokens_of(whole, index)
        assert [part["finish_reason"] for part in mine][-2:] == [None, "length"]


def test_no_tokens_of_several_choices(create: Create) -> None:
    answer = create(n=2, max_tokens=0)
    assert [choice["text"] for choice in answer["choices"]] == ["", ""]
    assert answer["usage"]["completion_tokens"] == 0


@pytest.mark.parametrize("steps", [1, 5, None])
def test_logprobs_are_those_of_the_logits(
    bundle: Bundle, create: Create, log_softmax: Callable[[list[int]], Rows], steps: int | None
) -> None:
    tokenizer = Tokenizer(bundle.vocabulary())
    bias = {str(id): 3.0 for id in range(100, 200)}
    request = {"repetition_penalty": 1.3, "temperature": 0.7, "logit_bias": bias}
    answer = create(logprobs=4, steps=steps, **request)
    drawn = tokens_of(answer)
    assert drawn == tokens_of(create(**request))
    rows = log_softmax([*PROMPT, *drawn])[len(PROMPT) - 1 : -1]
    found = answer["choices"][0]["logprobs"]
    wanted = rows[np.arange(12), drawn]
    np.testing.assert_allclose(found["token_logprobs"], wanted, atol=1e-4)
    for row, top in zip(rows, found["top_logprobs"], strict=True):
        best = np.argsort(-row, kind="stable")[:4]
        texts = [tokenizer.decode_text([int(id)], special=True) for id in best]
        assert set(top) == set(texts)
        np.testing.assert_allclose(max(top.values()), row[best[0]], atol=1e-4)
        assert sum(np.exp(list(top.values()))) <= 1
    assert found["tokens"] == [tokenizer.decode_text([id], special=True) for id in drawn]
    assert found["text_offset"][0] == 0
    assert found["text_offset"][-1] <= len(answer["choices"][0]["text"])


def test_logprobs_in_a_stream(create: Create, chunks: Callable[..., list[Answer]]) -> None:
    whole = create(logprobs=2)["choices"][0]["logprobs"]
    parts = [chunk["choices"][0]["logprobs"] for chunk in chunks(logprobs=2, steps=3)]
    for name in ("tokens", "token_logprobs", "top_logprobs", "text_offset"):
        assert list(chain.from_iterable(part[name] for part in parts)) == whole[name]
    assert create()["choices"][0]["logprobs"] is None


def test_logprobs_of_the_drawn_token_alone(create: Create) -> None:
    found = create(logprobs=0)["choices"][0]["logprobs"]
    assert found["top_logprobs"] == [{}] * 12
    assert all(value < 0 for value in found["token_logprobs"])


@pytest.mark.parametrize("prompt", ["w1 w2", PROMPT])
def test_echo(
    bundle: Bundle, create: Create, chunks: Callable[..., list[Answer]], prompt: Any
) -> None:
    tokenizer = Tokenizer(bundle.vocabulary())
    text = (
        prompt
        if isinstance(prompt, str)
        else tokenizer.decode_text(prompt, special=True, whole=True)
    )
    plain = create(prompt=prompt)["choices"][0]
    answer = create(prompt=prompt, echo=True, n=2)
    assert answer["choices"][0]["text"] == text + plain["text"]
    assert answer["choices"][1]["text"].startswith(text)
    assert answer["choices"][0]["tokens"] == plain["tokens"]
    pieces = [chunk["choices"][0]["text"] for chunk in chunks(prompt=prompt, echo=True)]
    assert "".join(pieces) == text + plain["text"]


def test_usage_at_the_end_of_a_stream(chunks: Callable[..., list[Answer]]) -> None:
    *before, last = chunks(stream_options={"include_usage": True})
    assert last["choices"] == []
    assert last["usage"]["total_tokens"] == len(PROMPT) + 12
    assert before[-1]["choices"][0]["finish_reason"] == "length"
    assert all(chunk["choices"] for chunk in chunks(stream_options={"include_usage": False}))


def test_a_prompt_that_begins_like_the_text_before(create: Create) -> None:
    first = create(max_tokens=8)
    again = create(prompt=[*PROMPT, *tokens_of(first)[:4]], max_tokens=8)
    assert again["usage"]["prompt_tokens_details"]["cached_tokens"] == len(PROMPT) + 3
    other = create(prompt=[*PROMPT[:5], 9, 9], max_tokens=8)
    assert other["usage"]["prompt_tokens_details"]["cached_tokens"] == 5
    assert create(prompt=[7, 7])["usage"]["prompt_tokens_details"]["cached_tokens"] == 0


SLOW = """
  const map = GPUBuffer.prototype.mapAsync;
  GPUBuffer.prototype.mapAsync = async function (...args) {
    await map.apply(this, args);
    const now = performance.now();
    await new Promise((resolve) => setTimeout(resolve, Math.ceil(now / 100) * 100 - now));
  };
"""


def test_answers_that_come_each_tenth_of_a_second_do_not_set_the_speed(
    bundle: Bundle,
    hollow: Callable[..., Path],
    serve: Callable[..., str],
    page_at: Callable[..., AbstractContextManager[Page]],
) -> None:
    """As in a browser that looks for finished work ten times a second: with one token per answer,
    and two on their way, 20 tokens a second would be the most. The GPU is one that does nothing."""
    with page_at(serve(hollow(bundle)), SLOW) as page:
        page.evaluate("start({ worker: false })")
        answer = page.evaluate("create", {"prompt": PROMPT, "max_tokens": 400})
        last = page.evaluate("engines.main.stats()")["last"]
    assert last["tokens_per_submit"] >= 16
    assert answer["timings"]["decode_seconds"] < 400 / 20 / 3
