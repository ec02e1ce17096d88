"""mdst-text chat, and mdst-run --chat: one conversation → what the model reads."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gguf.gguf_reader import GGUFReader
from gguf.gguf_writer import GGUFWriter
from tests.conftest import write_tiny

from mdst.bundle.reader import Bundle
from mdst.cli.run import command as run_command
from mdst.cli.text import command
from mdst.text import Tokenizer, chat

Invoke = Callable[..., Any]
Ask = Callable[..., Any]
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<w1>{{ m.role }}\n{{ m.content | trim }}</s>{% endfor %}"
    "{% if tools %}{{ tools | tojson }}{% endif %}"
    "{% if add_generation_prompt %}<w1>assistant\n{% endif %}"
)
HELLO = {"messages": [{"role": "user", "content": " Grüß 日本 😀 "}]}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with two templates."""
    folder = tmp_path_factory.mktemp("chat")
    write_tiny(folder / "plain.gguf", "llama")
    return with_templates(
        folder / "plain.gguf", folder / "model.gguf", {"": TEMPLATE, "tool_use": f"T{TEMPLATE}"}
    )


def with_templates(source: Path, target: Path, templates: dict[str, str]) -> Path:
    """A copy of a GGUF file with more metadata."""
    reader = GGUFReader(source)
    writer = GGUFWriter(target, "llama")
    for key, field in reader.fields.items():
        if not key.startswith("GGUF.") and key != "general.architecture":
            sub = field.types[-1] if len(field.types) > 1 else None
            writer.add_key_value(key, field.contents(), field.types[0], sub_type=sub)
    for name, text in templates.items():
        writer.add_string(f"tokenizer.chat_template{name and '.'}{name}", text)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


@pytest.fixture
def ask(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """`ask(source, conversation)`: mdst-text chat."""

    def run(source: Path, conversation: object) -> Any:
        text = conversation if isinstance(conversation, str) else json.dumps(conversation)
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        return invoke(command, "mdst-text", "chat", source)

    return run


def test_sources_agree(
    ask: Ask, model: Path, compiled: Callable[..., Bundle], tmp_path: Path
) -> None:
    """A GGUF file, its bundle, and the template alone with the special tokens given."""
    jinja = tmp_path / "x.jinja"
    jinja.write_text(TEMPLATE)
    expected = "<s><w1>user\nGrüß 日本 😀</s><w1>assistant\n"
    conversation = HELLO | {"add_generation_prompt": True}
    for source, given in (
        (model, conversation),
        (compiled(model).path, conversation),
        (jinja, conversation | {"bos_token": "<s>"}),
    ):
        done = ask(source, given)
        assert (done.code, done.out, done.err) == (0, expected, "")


def test_tools_have_a_template_of_their_own(ask: Ask, model: Path) -> None:
    tools = [{"type": "function", "function": {"name": "naïve"}}]
    assert ask(model, HELLO | {"tools": tools}).out.startswith("T<s>")
    assert '"naïve"' in ask(model, HELLO | {"tools": tools}).out
    assert ask(model, HELLO | {"tools": []}).out.startswith("<s>")


def test_the_day_can_be_given(ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "x.jinja"
    path.write_text("{{ strftime_now('%A, %d %B %Y') }}")
    assert ask(path, {"messages": [], "now": "2024-02-29"}).out == "Thursday, 29 February 2024"


@pytest.mark.parametrize(
    ("template", "conversation", "code", "said"),
    [
        ("x", "{", 4, "is not JSON"),
        ("x", "[]", 2, "not a JSON object"),
        ("x", {}, 2, "needs messages"),
        ("x", {"messages": [], "now": "tomorrow"}, 2, "not YYYY-MM-DD"),
        ("{{ raise_exception('No, thanks.') }}", HELLO, 2, "No, thanks."),
        ("{{ messages[0].nothing.more }}", HELLO, 2, "has no attribute 'nothing'"),
        ("{% for %}", HELLO, 4, "'x.jinja', line 1"),
        ("a\n{{ m | urlize }}", HELLO, 5, "line 2: the filter 'urlize' is not supported"),
        ("{% for i in range(100000) %}{% for j in range(100000) %}x{% endfor %}{% endfor %}",
         HELLO, 5, "too many steps"),
    ],
)  # fmt: skip
def test_what_cannot_be_rendered(
    ask: Ask, tmp_path: Path, template: str, conversation: object, code: int, said: str
) -> None:
    path = tmp_path / "x.jinja"
    path.write_text(template)
    done = ask(path, conversation)
    assert (done.code, done.out) == (code, "")
    assert said in done.err
    assert done.err.startswith("mdst-text: error[")


def test_a_model_without_a_template(
    ask: Ask, invoke: Invoke, tiny_model: Any, compiled: Any
) -> None:
    done = ask(tiny_model(), HELLO)
    assert (done.code, "no chat template" in done.err) == (2, True)
    out = compiled(tiny_model(), context=32, kv="f32").path
    done = invoke(run_command, "mdst-run", out, "--prompt", "a", "--chat", "--host", "numpy")
    assert (done.code, "no chat template" in done.err) == (2, True)


def test_running_a_chat(invoke: Invoke, model: Path, compiled: Callable[..., Bundle]) -> None:
    """The ids of the rendered conversation, with <s> once, are what the model gets."""
    bundle = compiled(model)
    tokenizer = Tokenizer(bundle.vocabulary())
    text = "<s><w1>system\nBe kind.</s><w1>user\nHi</s><w1>assistant\n"
    ids = chat.chat_ids(tokenizer, text)
    assert ids[0] == 1
    assert ids.count(1) == 1
    assert ids.count(2) == 2
    words = ("--max-tokens", 4, "--temperature", 0, "--json", "--host", "numpy")
    found = [
        json.loads(invoke(run_command, "mdst-run", bundle.path, *more, *words).out)
        for more in (
            ("--prompt", "Hi", "--chat", "--system", "Be kind."),
            ("--tokens", ",".join(map(str, ids))),
        )
    ]
    assert found[0]["tokens"] == found[1]["tokens"]
    assert found[0]["timings"]["prompt_tokens"] == len(ids)


def test_usage(invoke: Invoke, model: Path, compiled: Callable[..., Bundle]) -> None:
    for words in (("--prompt", "a", "--system", "b"), ("--tokens", "1", "--chat")):
        done = invoke(run_command, "mdst-run", compiled(model).path, *words)
        assert (done.code, done.out) == (2, "")
