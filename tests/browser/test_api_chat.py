"""Chats in Chromium: what the template makes of messages, and answers in OpenAI's shapes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mdst.bundle.reader import Bundle
from mdst.text import Tokenizer

if TYPE_CHECKING:
    from playwright.sync_api import Page

Answer = dict[str, Any]
Ask = Callable[..., Answer]

WINDOW, CHUNK = 128, 16
TEMPLATE = (
    "{{ bos_token }}{% for tool in tools or [] %}[{{ tool.function.name }}]{% endfor %}"
    "{% for m in messages %}{% if m.role == 'narrator' %}"
    "{{ raise_exception('no narrators here') }}{% endif %}"
    "<{{ m.role }}>{{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant{{ ' ' + mood if mood else '' }}>{% endif %}"
)
MESSAGES = [{"role": "system", "content": "w1"}, {"role": "user", "content": "w2 </s> ä"}]
PROMPT = "<s><system>w1\n<user>w2 </s> ä\n<assistant>"
TOOLS = [{"type": "function", "function": {"name": "f"}}]
USUAL = {"messages": MESSAGES, "max_tokens": 12, "seed": 5, "ignore_eos": True}
RECORD = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 8},
        "kind": {"enum": ["cat", "dog", 7]},
        "ages": {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 3},
    },
    "required": ["name", "kind", "ages"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def bundle(compiled: Callable[..., Bundle], tiny_model: Callable[..., Path]) -> Bundle:
    return compiled(tiny_model(template=TEMPLATE), kv="f32", context=WINDOW, chunk=CHUNK)


@pytest.fixture(scope="module")
def page(
    bundle: Bundle,
    serve: Callable[..., str],
    page_at: Callable[..., AbstractContextManager[Page]],
) -> Iterator[Page]:
    """Under the policy that bundles are made for."""
    with page_at(serve(bundle.path, csp=True)) as page:
        assert page.evaluate("start()")["chat"] is True
        yield page


@pytest.fixture
def ask(page: Page) -> Ask:
    def run(**request: object) -> Answer:
        found: Answer = page.evaluate("create", {**USUAL, **request})
        return found

    return run


@pytest.fixture
def chunks(page: Page) -> Callable[..., list[Answer]]:
    """As `ask`, streamed; `leaving` as in harness.js."""

    def run(leaving: object = None, **request: object) -> list[Answer]:
        script = "([request, leaving]) => stream(request, leaving ?? {})"
        found: list[Answer] = page.evaluate(script, [{**USUAL, **request}, leaving])
        return found

    return run


@pytest.fixture
def refused(page: Page) -> Ask:
    def run(**request: object) -> Answer:
        script = "request => failure(() => create(request))"
        found: Answer = page.evaluate(script, {**USUAL, **request})
        assert found["ours"]
        return found

    return run


def content_of(answer: Answer, index: int = 0) -> str:
    message = answer["choices"][index]["message"]
    assert message["role"] == "assistant"
    return str(message["content"])


def render(page: Page, messages: object, **options: object) -> str:
    script = "([messages, options]) => engines.main.applyChatTemplate(messages, options)"
    return str(page.evaluate(script, [messages, options]))


def test_the_template_is_applied(page: Page) -> None:
    assert render(page, MESSAGES) == PROMPT
    assert render(page, MESSAGES, add_generation_prompt=False) == PROMPT.removesuffix("<assistant>")
    assert render(page, MESSAGES, tools=TOOLS) == PROMPT.replace("<s>", "<s>[f]")
    assert render(page, MESSAGES, tools=TOOLS, tool_choice="none") == PROMPT
    kwargs = {"mood": "glad"}
    assert render(page, MESSAGES, chat_template_kwargs=kwargs).endswith("<assistant glad>")


def test_a_chat_goes_on_from_the_rendered_prompt(page: Page, bundle: Bundle, ask: Ask) -> None:
    tokenizer = Tokenizer(bundle.vocabulary())
    ids = tokenizer.encode(PROMPT, add_special=False, parse_special=True)
    assert ids[0] == tokenizer.vocabulary.bos != ids[1]
    answer = ask()
    assert answer["usage"]["prompt_tokens"] == len(ids)
    same = {name: value for name, value in USUAL.items() if name != "messages"}
    plain = page.evaluate("create", {**same, "prompt": ids})
    assert answer["choices"][0]["tokens"] == plain["choices"][0]["tokens"]
    assert content_of(answer) == plain["choices"][0]["text"] != ""


def test_parts_of_text_are_joined(ask: Ask) -> None:
    parts = [{"type": "text", "text": "w2 </s>"}, {"type": "text", "text": " ä"}]
    messages = [MESSAGES[0], {"role": "user", "content": parts}]
    assert content_of(ask(messages=messages)) == content_of(ask())


def test_the_shape_of_an_answer(ask: Ask) -> None:
    answer = ask()
    assert answer["id"].startswith("chatcmpl-")
    assert answer["object"] == "chat.completion"
    assert answer["model"] == "tiny llama"
    assert answer["created"] > 1.7e9
    assert answer["seed"] == 5
    usage = answer["usage"]
    assert usage["completion_tokens"] == 12
    assert usage["total_tokens"] == usage["prompt_tokens"] + 12
    [choice] = answer["choices"]
    assert choice["finish_reason"] == "length"
    assert choice["logprobs"] is None


def test_a_stream_is_the_answer_in_pieces(ask: Ask, chunks: Callable[..., list[Answer]]) -> None:
    whole = ask(n=2)
    *parts, last = chunks(n=2, steps=3, stream_options={"include_usage": True})
    assert {part["object"] for part in parts} == {"chat.completion.chunk"}
    assert len({part["id"] for part in parts}) == 1
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == 24
    choices = [part["choices"][0] for part in parts]
    for index in range(2):
        mine = [choice for choice in choices if choice["index"] == index]
        deltas = [choice["delta"] for choice in mine]
        assert [delta.get("role") for delta in deltas] == ["assistant"] + [None] * (len(mine) - 1)
        text = "".join(delta.get("content", "") for delta in deltas)
        assert text == content_of(whole, index) != ""
        assert [choice["finish_reason"] for choice in mine] == [None] * (len(mine) - 1) + ["length"]
        assert deltas[-1] == {}
    assert content_of(whole, 0) != content_of(whole, 1)


def test_logprobs(bundle: Bundle, ask: Ask) -> None:
    tokenizer = Tokenizer(bundle.vocabulary())
    choice = ask(logprobs=True, top_logprobs=3)["choices"][0]
    content = choice["logprobs"]["content"]
    assert [each["id"] for each in content] == choice["tokens"]
    for each in content:
        piece = tokenizer.decode([each["id"]], special=True)
        assert bytes(each["bytes"]) == piece
        assert each["token"] == piece.decode(errors="replace")
        found = [top["logprob"] for top in each["top_logprobs"]]
        assert len(found) == 3
        assert found == sorted(found, reverse=True)
        assert each["logprob"] <= found[0] <= 0
    assert ask(logprobs=True)["choices"][0]["logprobs"]["content"][0]["top_logprobs"] == []


def test_an_answer_fills_the_context_unless_told(ask: Ask) -> None:
    answer = ask(max_tokens=None)
    assert answer["usage"]["total_tokens"] == WINDOW
    assert answer["choices"][0]["finish_reason"] == "length"
    assert ask(max_completion_tokens=3)["usage"]["completion_tokens"] == 3


def test_stop_strings_that_lie_across_tokens(ask: Ask, chunks: Callable[..., list[Answer]]) -> None:
    whole = content_of(ask(max_tokens=40))
    at = next(i for i in range(4, len(whole) - 3) if whole.index(whole[i : i + 3]) == i)
    stop = whole[at : at + 3]
    answer = ask(max_tokens=40, stop=stop)
    assert content_of(answer) == whole[:at]
    assert answer["choices"][0]["finish_reason"] == "stop"
    parts = chunks(max_tokens=40, stop=[stop, "never"], steps=1)
    text = "".join(part["choices"][0]["delta"].get("content", "") for part in parts)
    assert text == whole[:at]


def test_the_next_turn_computes_only_what_is_new(ask: Ask) -> None:
    first = ask(messages=[*MESSAGES, {"role": "user", "content": "w7"}])
    used = first["usage"]["prompt_tokens"]
    messages = [
        *MESSAGES,
        {"role": "user", "content": "w7"},
        {"role": "assistant", "content": content_of(first)},
        {"role": "user", "content": "w8"},
    ]
    second = ask(messages=messages)
    assert used <= second["usage"]["prompt_tokens_details"]["cached_tokens"]
    edited = ask(messages=[MESSAGES[0], {"role": "user", "content": "w9"}])
    assert 0 < edited["usage"]["prompt_tokens_details"]["cached_tokens"] < used


def test_an_abort_in_the_middle(chunks: Callable[..., list[Answer]]) -> None:
    parts = chunks({"most": 4, "how": "abort"}, max_tokens=5000, on_full="slide", steps=2)
    assert parts[-1]["choices"][0]["finish_reason"] == "abort"
    made = sum(len(part["choices"][0]["tokens"]) for part in parts)
    assert 4 <= made == parts[-1]["usage"]["completion_tokens"] < 5000


def test_errors_name_the_field(refused: Ask) -> None:
    image = [{"type": "image_url", "image_url": {"url": "data:,"}}]
    wrong: dict[str, dict[str, Any]] = {
        "messages[0].content[0].type": {"messages": [{"role": "user", "content": image}]},
        "messages[0].role": {"messages": [{"content": "x"}]},
        "messages": {"messages": []},
        "tool_choice": {"tools": TOOLS, "tool_choice": "required"},
        "top_logprobs": {"top_logprobs": 2},
        "prompt": {"prompt": "x"},
        "response_format.type": {"response_format": {"type": "xml"}},
    }
    for param, request in wrong.items():
        for stream in (False, True):
            failure = refused(**request, stream=stream)
            assert (failure["code"], failure["param"]) == ("invalid_request", param)
            assert param in failure["message"]


def test_a_template_that_refuses_the_messages(refused: Ask) -> None:
    failure = refused(messages=[{"role": "narrator", "content": "x"}])
    assert failure["code"] == "invalid_request"
    assert "no narrators here" in failure["message"]


def test_messages_that_do_not_fit(refused: Ask) -> None:
    failure = refused(messages=[{"role": "user", "content": "w1 " * WINDOW}])
    assert (failure["code"], failure["param"]) == ("context_length_exceeded", "messages")


def test_any_object(ask: Ask) -> None:
    answer = ask(response_format={"type": "json_object"}, max_tokens=40, n=2)
    for index in range(2):
        assert isinstance(json.loads(content_of(answer, index)), dict)
        assert answer["choices"][index]["finish_reason"] == "stop"


@pytest.mark.parametrize("seed", [1, 2])
def test_what_a_schema_describes(ask: Ask, chunks: Callable[..., list[Answer]], seed: int) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "pet", "schema": RECORD}}
    request = {"response_format": form, "max_tokens": 80, "seed": seed, "temperature": 1.5}
    answer = ask(**request)
    found = json.loads(content_of(answer))
    assert found.keys() == {"name", "kind", "ages"}
    assert len(found["name"]) <= 8
    assert found["kind"] in ("cat", "dog", 7)
    assert 1 <= len(found["ages"]) <= 3
    assert all(isinstance(age, int) for age in found["ages"])
    parts = chunks(**request)
    text = "".join(part["choices"][0]["delta"].get("content", "") for part in parts)
    assert text == content_of(answer)


def test_a_schema_and_all_else(ask: Ask, bundle: Bundle) -> None:
    """Bias, probabilities and the cache go on beside it; nothing of it is left for the next."""
    form = {"type": "json_schema", "json_schema": {"schema": {"enum": ["aa", "ab", "bb"]}}}
    before = content_of(ask())
    tokenizer = Tokenizer(bundle.vocabulary())
    [a] = tokenizer.encode("xa", add_special=False, parse_special=False)[-1:]
    answer = ask(response_format=form, logit_bias={str(a): -1e6}, logprobs=True)
    assert json.loads(content_of(answer)) == "bb"
    content = answer["choices"][0]["logprobs"]["content"]
    assert [each["id"] for each in content] == answer["choices"][0]["tokens"]
    again = ask()
    assert content_of(again) == before
    assert again["usage"]["prompt_tokens_details"]["cached_tokens"] > 0


def test_schemas_that_are_refused(refused: Ask) -> None:
    for schema in ({"type": "strange"}, {"$ref": "#/nowhere"}):
        form = {"type": "json_schema", "json_schema": {"schema": schema}}
        failure = refused(response_format=form)
        assert failure["code"] == "invalid_request"
        assert failure["param"].startswith("response_format")
