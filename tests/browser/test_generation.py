"""Texts in Chromium: the wgpu host's, whatever the length, the way they are read, or the engine."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mdst.bundle.reader import Bundle
from mdst.hosts.generate import generate
from mdst.hosts.host import Host, Request
from mdst.sampling import SamplingParams
from mdst.text import Tokenizer

if TYPE_CHECKING:
    from playwright.sync_api import Page

Answer = dict[str, Any]
HostOf = Callable[[Bundle, str], Host]

TIERS = ["subgroups", "base"]
WINDOW, CHUNK = 32, 8
PROMPT = [int(id) for id in np.random.default_rng(3).integers(3, 300, 11)]
LONG = [int(id) for id in np.random.default_rng(4).integers(3, 300, WINDOW + 1)]
GREEDY = Request(SamplingParams(temperature=0))
DRAWN = Request(
    SamplingParams(seed=7, repetition_penalty=1.3, presence_penalty=0.4, frequency_penalty=0.2)
)
FILTERED = Request(SamplingParams(temperature=0.9, seed=2**40 + 3, top_k=40, top_p=0.9, min_p=0.02))
REQUESTS = {"greedy": GREEDY, "drawn": DRAWN, "filtered": FILTERED}


def asked(request: Request, prompt: object = PROMPT, **more: object) -> Answer:
    """What the page asks for to get what a host gives for `request`."""
    penalties = ("repetition_penalty", "presence_penalty", "frequency_penalty")
    names = ("temperature", "top_k", "top_p", "min_p", "seed", *penalties)
    sampling = {name: getattr(request.sampling, name) for name in names}
    on_full = "slide" if request.slide else "stop"
    whole = {"prompt": prompt, "ignore_eos": True, "on_full": on_full, "max_tokens": 20}
    return {**sampling, **whole, **more}


@pytest.fixture(scope="module")
def bundle(compiled: Callable[..., Bundle], tiny_model: Callable[..., Path]) -> Bundle:
    """Two ranges of ids for the sampler, and a short window."""
    return compiled(tiny_model(vocabulary=1050), kv="f32", context=WINDOW, chunk=CHUNK)


@pytest.fixture(scope="module")
def page(
    bundle: Bundle,
    serve: Callable[..., str],
    page_at: Callable[..., AbstractContextManager[Page]],
) -> Iterator[Page]:
    """Two engines, each with the kernels that it is named after."""
    with page_at(serve(bundle.path)) as page:
        for tier in TIERS:
            assert page.evaluate("tier => start({ tier }, tier)", tier)["tier"] == tier
        yield page


@pytest.fixture
def tier() -> str:
    """The engine that is asked; tests of what kernels do are parametrized over both."""
    return "subgroups"


@pytest.fixture
def create(page: Page, tier: str) -> Callable[[Answer], Answer]:
    def run(request: Answer) -> Answer:
        found: Answer = page.evaluate("([request, tier]) => create(request, tier)", [request, tier])
        return found

    return run


@pytest.fixture
def refused(page: Page, tier: str) -> Callable[[Answer], Answer]:
    """How a request fails."""

    def run(request: Answer) -> Answer:
        script = "([request, tier]) => failure(() => create(request, tier))"
        found: Answer = page.evaluate(script, [request, tier])
        assert found["ours"]
        return found

    return run


@pytest.fixture
def stream(page: Page, tier: str) -> Callable[..., list[Answer]]:
    def run(request: Answer, **leaving: object) -> list[Answer]:
        script = "([request, leaving]) => stream(request, leaving)"
        found: list[Answer] = page.evaluate(script, [request, {**leaving, "name": tier}])
        return found

    return run


@pytest.fixture
def expected(bundle: Bundle, host_of: HostOf, tier: str) -> Callable[..., list[int]]:
    def tokens(request: Request, count: int = 20, prompt: list[int] = PROMPT) -> list[int]:
        host = host_of(bundle, tier)
        host.start(request)
        return list(chain.from_iterable(generate(host, prompt, count, 8)))

    return tokens


Create = Callable[[Answer], Answer]
Stream = Callable[..., list[Answer]]
Expected = Callable[..., list[int]]


def tokens_of(*answers: Answer) -> list[int]:
    return list(chain.from_iterable(answer["choices"][0]["tokens"] for answer in answers))


def text_of(*answers: Answer) -> str:
    return "".join(answer["choices"][0]["text"] for answer in answers)


def ending(answer: Answer) -> str:
    return str(answer["choices"][0]["finish_reason"])


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("name", REQUESTS)
def test_hosts_agree(create: Create, expected: Expected, name: str) -> None:
    wanted = expected(REQUESTS[name])
    assert len(wanted) == 20
    assert tokens_of(create(asked(REQUESTS[name]))) == wanted


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("length", [1, CHUNK, CHUNK + 1, 21, WINDOW])
def test_prompts_of_any_length(
    page: Page, bundle: Bundle, host_of: HostOf, tier: str, create: Create, length: int
) -> None:
    host = host_of(bundle, "numpy")
    host.start(GREEDY)
    host.prefill(LONG[:length])
    wanted = host.logits().copy()
    script = "([ids, tier]) => logits(ids, { prefill: true }, tier)"
    packed = page.evaluate(script, [LONG[:length], tier])
    found = np.frombuffer(base64.b64decode(packed), "<f4")
    assert np.sum((found - wanted) ** 2) <= 1e-10 * np.sum(wanted**2)
    answer = create(asked(GREEDY, LONG[:length], max_tokens=1))
    assert tokens_of(answer) == host.sample()
    assert answer["usage"]["prompt_tokens"] == length


def test_a_prompt_that_does_not_fit(
    create: Create, refused: Callable[[Answer], Answer], expected: Expected
) -> None:
    failure = refused(asked(GREEDY, LONG))
    assert failure["code"] == "context_length_exceeded"
    assert f"{WINDOW + 1} tokens" in failure["message"]
    assert f"holds {WINDOW}" in failure["message"]
    assert refused(asked(GREEDY, LONG, stream=True))["code"] == "context_length_exceeded"
    assert tokens_of(create(asked(GREEDY))) == expected(GREEDY)


@pytest.mark.parametrize("tier", TIERS)
def test_the_window_slides_and_sinks_stay(create: Create, expected: Expected) -> None:
    count = 2 * WINDOW + 6
    wanted = expected(DRAWN, count)
    assert wanted != expected(replace(DRAWN, sinks=0), count)
    answer = create(asked(DRAWN, max_tokens=count))
    assert tokens_of(answer) == wanted
    assert ending(answer) == "length"
    assert answer["usage"]["total_tokens"] == len(PROMPT) + count > 2 * WINDOW


@pytest.mark.parametrize("tier", TIERS)
def test_stop_when_full(create: Create, expected: Expected) -> None:
    wanted = expected(replace(GREEDY, slide=False), 100)
    answer = create(asked(GREEDY, max_tokens=100, on_full="stop"))
    assert tokens_of(answer) == wanted
    # The token after the last position that fits is still drawn.
    assert len(wanted) == WINDOW - len(PROMPT) + 1
    assert ending(answer) == "length"
    whole = create(asked(GREEDY, LONG[:WINDOW], max_tokens=5, on_full="stop"))
    assert len(tokens_of(whole)) == 1


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("steps", [1, 3, 8])
def test_steps_at_a_time_do_not_show(create: Create, expected: Expected, steps: int) -> None:
    assert tokens_of(create(asked(DRAWN, steps=steps))) == expected(DRAWN)


def test_the_seed_decides(create: Create, expected: Expected) -> None:
    other = replace(DRAWN, sampling=replace(DRAWN.sampling, seed=8))
    assert expected(other) != expected(DRAWN)
    assert tokens_of(create(asked(other))) == expected(other)
    drawn = create(asked(DRAWN, seed=None))
    assert tokens_of(create(asked(DRAWN, seed=drawn["seed"]))) == tokens_of(drawn)
    assert create(asked(DRAWN, seed=None))["seed"] != drawn["seed"]


def test_a_stream_is_the_text_in_pieces(create: Create, stream: Stream) -> None:
    whole, pieces = create(asked(DRAWN)), stream(asked(DRAWN, steps=3))
    assert len(pieces) > 6
    assert tokens_of(*pieces) == tokens_of(whole)
    assert text_of(*pieces) == text_of(whole) != ""
    assert [ending(piece) for piece in pieces[:-1]] == ["None"] * (len(pieces) - 1)
    assert ending(pieces[-1]) == ending(whole) == "length"
    assert len({piece["id"] for piece in pieces}) == 1
    assert pieces[-1]["usage"]["completion_tokens"] == 20


def test_text_and_usage(bundle: Bundle, create: Create, expected: Expected) -> None:
    tokenizer = Tokenizer(bundle.vocabulary())
    prompt = "w1 w2 <s> ä"
    ids = tokenizer.encode(prompt, add_special=True, parse_special=False)
    assert ids[0] == tokenizer.vocabulary.bos
    answer = create(asked(GREEDY, prompt, max_tokens=7))
    assert tokens_of(answer) == expected(GREEDY, 7, ids)
    assert text_of(answer) == tokenizer.decode_text(tokens_of(answer))
    usage = answer["usage"]
    assert usage["prompt_tokens"] == len(ids)
    assert usage["completion_tokens"] == 7
    assert usage["total_tokens"] == len(ids) + 7
    assert answer["object"] == "text_completion"
    assert answer["model"] == "tiny llama"
    assert answer["timings"]["decode_seconds"] > 0


def test_no_tokens_at_all(create: Create) -> None:
    answer = create(asked(GREEDY, max_tokens=0))
    assert tokens_of(answer) == []
    assert ending(answer) == "length"


def test_stop_strings(create: Create, stream: Stream) -> None:
    whole = text_of(create(asked(DRAWN)))
    at = len(whole) // 2
    stop = whole[at : at + 4]
    request = asked(DRAWN, stop=["never seen", stop])
    answer = create(request)
    assert text_of(answer) == whole[: whole.index(stop)]
    assert ending(answer) == "stop"
    assert answer["usage"]["completion_tokens"] < 20
    assert text_of(*stream(request)) == text_of(answer)


def test_an_end_token_ends_the_text(bundle: Bundle, create: Create) -> None:
    end = bundle.vocabulary().end_ids[0]
    bias = {"logit_bias": {str(end): 1000}}
    answer = create(asked(DRAWN, **bias, ignore_eos=False))
    assert tokens_of(answer) == []
    assert ending(answer) == "stop"
    answer = create(asked(DRAWN, **bias, max_tokens=3))
    assert tokens_of(answer) == [end] * 3
    forbidden = create(asked(GREEDY, logit_bias={str(id): -1000 for id in range(3, 1050)}))
    assert set(tokens_of(forbidden)) <= {0, 1, 2}


@pytest.mark.parametrize("how", ["break", "abort"])
def test_leaving_in_the_middle_and_going_on(
    stream: Stream, create: Create, expected: Expected, how: str
) -> None:
    wanted = expected(GREEDY, 21)
    pieces = stream(asked(GREEDY, max_tokens=5000, steps=2), most=4, how=how)
    got = tokens_of(*pieces)
    assert 4 <= len(got) < 5000
    assert got[:21] == wanted[: len(got)]
    if how == "abort":
        assert ending(pieces[-1]) == "abort"
        assert pieces[-1]["usage"]["completion_tokens"] == len(got)
    # Going on from what was written, with the cache as it was left; and anew.
    rest = create(asked(GREEDY, [*PROMPT, *wanted[:3]], max_tokens=18))
    assert rest["usage"]["prompt_tokens_details"]["cached_tokens"] > 0
    assert tokens_of(rest) == wanted[3:]
    assert tokens_of(create(asked(DRAWN))) == expected(DRAWN)


def test_an_abort_before_the_beginning(page: Page, tier: str) -> None:
    script = "([r, tier]) => create({ ...r, signal: AbortSignal.abort() }, tier)"
    # A signal cannot be sent to a worker: the engine must keep it on this side.
    assert ending(page.evaluate(script, [asked(GREEDY), tier])) == "abort"


def test_two_engines_in_one_page(page: Page, bundle: Bundle, host_of: HostOf) -> None:
    script = """([one, two]) => Promise.all([
      create(one, 'subgroups'), create(two, 'base'), create(two, 'subgroups'), create(one, 'base'),
    ])"""
    requests = [asked(DRAWN), asked(FILTERED, LONG[:21])]
    found = [tokens_of(answer) for answer in page.evaluate(script, requests)]
    host = host_of(bundle, "base")
    wanted = []
    for request, prompt in ((DRAWN, PROMPT), (FILTERED, LONG[:21])):
        host.start(request)
        wanted.append(list(chain.from_iterable(generate(host, prompt, 20, 8))))
    assert found == [wanted[0], wanted[1], wanted[1], wanted[0]]
    assert wanted[0] != wanted[1]
