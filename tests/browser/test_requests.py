"""What an engine says of itself, and to requests that make no sense."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mdst.bundle.reader import Bundle

if TYPE_CHECKING:
    from playwright.sync_api import Page

NO_PROMPTS: list[object] = [[], [300], [-1], [1.5], None, {}]
NONSENSE: list[dict[str, Any]] = [
    *({"prompt": prompt} for prompt in NO_PROMPTS),
    *({"temperature": -1}, {"top_p": 2}, {"seed": 0.5}, {"max_tokens": -1}, {"steps": 0}),
    *({"stop": ""}, {"on_full": "burst"}, {"logit_bias": {"300": 1}}, {"n": 0}, {"logprobs": 21}),
    {"no_such_field": 1},
]


@pytest.fixture(scope="module")
def bundle(compiled: Callable[..., Bundle], tiny_model: Callable[..., Path]) -> Bundle:
    return compiled(tiny_model(), kv="f32", context=32, chunk=8)


@pytest.fixture(scope="module")
def page(
    bundle: Bundle,
    hollow: Callable[..., Path],
    serve: Callable[..., str],
    page_at: Callable[..., AbstractContextManager[Page]],
) -> Iterator[Page]:
    with page_at(serve(hollow(bundle))) as page:
        page.evaluate("start()")
        yield page


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("wrong", NONSENSE, ids=str)
def test_requests_that_make_no_sense(page: Page, wrong: dict[str, Any], stream: bool) -> None:
    script = "request => failure(() => create(request))"
    failure = page.evaluate(script, {"prompt": [5, 6], "stream": stream, **wrong})
    assert failure["ours"]
    assert failure["code"] == "invalid_request"
    [name] = wrong
    assert failure["param"] == name
    assert name in failure["message"]


def test_a_model_without_a_chat_template(page: Page) -> None:
    script = "request => failure(() => create(request))"
    request = {"messages": [{"role": "user", "content": "x"}]}
    assert page.evaluate(script, request)["code"] == "no_chat_template"
    assert page.evaluate("engines.main.stats()")["chat"] is False


@pytest.mark.parametrize(
    "options",
    [
        *({"sinks": 65}, {"sinks": -1}, {"sinks": 0.5}, {"on_full": 1}),
        *({"device": "x"}, {"threads": 0}, {"threads": "2"}, {"tier": "fast"}),
    ],
    ids=str,
)
def test_options_that_make_no_sense(page: Page, options: dict[str, Any]) -> None:
    """They are refused before anything is downloaded, by `canRun` too if they are about devices."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.split("/")[-1]))
    failure = page.evaluate("options => failure(() => start(options, 'other'))", options)
    assert failure["code"] == "invalid_request"
    assert failure["param"] == next(iter(options))
    assert failure["param"] in failure["message"]
    if not options.keys() & {"sinks", "on_full"}:
        foretold = page.evaluate("options => failure(() => ability(options))", options)
        assert foretold == failure
    assert not any(name.endswith((".bin", ".wgsl")) for name in asked)


def test_stats(page: Page, bundle: Bundle) -> None:
    stats = page.evaluate("engines.main.stats()")
    assert stats["worker"] is True
    assert stats["tier"] == "subgroups"
    assert stats["context"] == 32
    assert stats["model"]["name"] == "tiny llama"
    assert stats["memory"]["total"] == sum(buffer.size for buffer in bundle.manifest.buffers)
    decode = next(p for p in bundle.tier("subgroups").programs if p.phase == "decode")
    assert stats["dispatches_per_token"] == len(decode.steps)
    assert stats["load"]["bytes"] == sum(shard.size for shard, _ in bundle.shards())
