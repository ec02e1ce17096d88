"""A browser takes the GPU away: another device goes on where the lost one stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mdst.bundle.reader import Bundle

if TYPE_CHECKING:
    from playwright.sync_api import Page

DEVICES = """
  globalThis.devices = [];
  const requestDevice = GPUAdapter.prototype.requestDevice;
  GPUAdapter.prototype.requestDevice = async function (...options) {
    devices.push(await requestDevice.apply(this, options));
    return devices.at(-1);
  };
"""
LOSE_AFTER = """async ([request, most]) => {
  const parts = [];
  let count = 0;
  for await (const chunk of await engines.main.completions.create({ ...request, stream: true })) {
    parts.push(chunk.choices[0]);
    const before = count;
    count += chunk.choices[0].tokens.length;
    if (before < most && count >= most) devices.at(-1).destroy();
  }
  return parts;
}"""
REQUEST: dict[str, Any] = {
    "prompt": [5, 6, 7, 8],
    "ignore_eos": True,
    "max_tokens": 12,
    "seed": 3,
    "steps": 1,
    "repetition_penalty": 1.2,
    "presence_penalty": 0.5,
    "frequency_penalty": 0.5,
}
FORM = {
    "type": "json_schema",
    "json_schema": {"schema": {"type": "array", "items": {"enum": ["ab", "cd"]}, "minItems": 3}},
}


@pytest.fixture(scope="module")
def page(
    compiled: Callable[..., Bundle],
    tiny_model: Callable[..., Path],
    serve: Callable[..., str],
    page_at: Callable[..., AbstractContextManager[Page]],
) -> Iterator[Page]:
    """An engine in the page itself, where its devices are within reach."""
    bundle = compiled(tiny_model(), kv="f32", context=64, chunk=8)
    with page_at(serve(bundle.path), DEVICES) as page:
        page.evaluate("start({ worker: false, device: 'webgpu' })")
        yield page


def replaced(page: Page) -> int:
    return int(page.evaluate("engines.main.stats()")["replaced"])


def tokens_of(parts: list[dict[str, Any]], index: int = 0) -> list[int]:
    return list(chain.from_iterable(p["tokens"] for p in parts if p["index"] == index))


@pytest.mark.parametrize(
    ("more", "most"),
    [({"n": 2, "logprobs": 1}, 15), ({"response_format": FORM}, 5)],
    ids=["second choice", "schema"],
)
def test_in_the_middle_of_a_text(page: Page, more: dict[str, Any], most: int) -> None:
    request = {**REQUEST, **more}
    wanted = page.evaluate("create", request)["choices"]
    before = replaced(page)
    parts = page.evaluate(LOSE_AFTER, [request, most])
    assert replaced(page) == before + 1
    for choice in wanted:
        assert tokens_of(parts, choice["index"]) == choice["tokens"]


def test_between_two_texts(page: Page) -> None:
    wanted = page.evaluate("create", REQUEST)["choices"][0]["tokens"]
    before = replaced(page)
    page.evaluate("devices.at(-1).destroy()")
    answer = page.evaluate("create", REQUEST)
    assert answer["choices"][0]["tokens"] == wanted
    assert answer["usage"]["prompt_tokens_details"]["cached_tokens"] == 0
    assert replaced(page) == before + 1
    assert page.evaluate("engines.main.tokenize('w1')") != []


def test_where_there_is_no_other_one(page: Page) -> None:
    page.evaluate("devices.at(-1).destroy()")
    page.evaluate("GPU.prototype.requestAdapter = async () => null")
    failure = page.evaluate("request => failure(() => create(request))", REQUEST)
    assert failure["ours"]
    assert failure["code"] == "device_lost"
