"""What templates may not do is refused by name, and none takes more than its budget."""

from __future__ import annotations

import time

import pytest

from mdst.errors import MalformedError, UnsupportedError
from mdst.text.chat import compile_apart, compile_templates, isolate, load_templates
from mdst.text.chat.parse import parse_template
from mdst.text.chat.render import render_tree
from mdst.text.chat.trial import try_template
from mdst.text.chat.values import Budget, BudgetError

KEY = "tokenizer.chat_template"


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("{% include 'x' %}", 1, "'include'"),
        ("\n{% import 'os' as os %}", 2, "'import'"),
        ("{% from 'x' import y %}", 1, "'from … import'"),
        ("{% extends 'x' %}", 1, "'extends'"),
        ("{% block x %}{% endblock %}", 1, "'block'"),
        ("{{ 2 ** 3 }}", 1, "the operator '**'"),
        ("{% for x in y recursive %}{% endfor %}", 1, "a recursive loop"),
        ("\n\n{{ f(1) }}", 3, "the function 'f'"),
        ("{{ cycler }}", 1, "'cycler'"),
        ("{{ x.__class__ }}", 1, "the attribute '__class__'"),
        ("{{ x['__class__'] }}", 1, "the attribute '__class__'"),
        ("{{ x.encode() }}", 1, "the method 'encode'"),
        ("{{ x | attr('y') }}", 1, "the filter 'attr'"),
        ("{{ x | map('attr', 'y') }}", 1, "the filter 'attr'"),
        ("{{ x | map(y) }}", 1, "a computed name in the filter 'map'"),
        ("{{ x | replace('a') }}", 1, "the filter 'replace' with so few arguments"),
        ("{{ x | trim('a', 'b') }}", 1, "the filter 'trim' with 2 arguments"),
        ("{{ x | join(sep='') }}", 1, "the filter 'join' with the argument 'sep'"),
        ("{{ x | default(*y) }}", 1, "'*' before an argument"),
        ("{{ x is filter }}", 1, "the test 'filter'"),
        ("{{ 99999999999999999999 }}", 1, "an integer beyond 2^53"),
        ("{{ strftime_now('%Q') }}", 1, "'%Q' in a format of strftime_now"),
    ],
)
def test_what_is_not_on_the_list(text: str, line: int, what: str) -> None:
    with pytest.raises(UnsupportedError) as error:
        parse_template(text, KEY)
    assert error.value.message == (
        f"'{KEY}', line {line}: {what} is not supported in chat templates"
    )
    assert "--no-chat-template" in (error.value.hint or "")


@pytest.mark.parametrize(
    "text",
    ["{% if x %}", "{{ x", "{{ (1 }}", "{% nosuch %}", "{{ 'x }}", "{% endfor %}", "{{ 1 1 }}"],
)
def test_what_is_no_template(text: str) -> None:
    with pytest.raises(MalformedError, match=f"'{KEY}', line 1: "):
        parse_template(text, KEY)


@pytest.mark.parametrize(
    "text",
    [
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{% if 1 %}" * 3000 + "{% endif %}" * 3000,
        "{{ " + "not " * 30_000 + "1 }}",
        "{{ 1" + " + 1" * 30_000 + " }}",
        "{{ x" + ".y" * 30_000 + " }}",
        "{{ " + "[" * 300 + "]" * 300 + " }}",
    ],
)
def test_deep_templates(text: str) -> None:
    with pytest.raises(UnsupportedError, match="nested more than 200 levels"):
        compile_apart({KEY: text})


def test_long_templates() -> None:
    assert parse_template("é" * (1 << 17), KEY) == ["é" * (1 << 17)]
    with pytest.raises(UnsupportedError, match="longer than 256 KiB"):
        parse_template("é" * (1 << 17) + "x", KEY)


BOMBS = {
    "steps": "{% for i in range(100000) %}{% for j in range(100000) %}x{% endfor %}{% endfor %}",
    "text": "{{ 'x' * 1000000000 }}",
    "list": "{{ ([1] * 1000000000) | length }}",
    "macro": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "doubling": "{% set n = namespace(x='x') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}"
    "{% endfor %}",
    "shared lists": "{% set n = namespace(x=[1]) %}{% for i in range(50) %}"
    "{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x | tojson }}",
    "deep lists": "{% set n = namespace(x=1) %}{% for i in range(9999) %}{% set n.x = [n.x] %}"
    "{% endfor %}{{ n.x == n.x }}{{ n.x | string }}",
    "replace": "{% set x = 'a' * 4000 %}{{ x | replace('a', x) | replace('a', x) }}",
    "join": "{{ ('a' * 100000) | join('a' * 1000) }}",
    "indent": "{{ ('a\\n' * 100000) | indent(1000) }}",
    "searching": "{% set x = 'a' * 4000000 %}{% for i in range(99999) %}"
    "{% if 'b' in x %}{% endif %}{% endfor %}",
    "comparing": "{% set x = 'a' * 4000000 %}{% for i in range(99999) %}"
    "{% if x == x ~ '' %}{% endif %}{% endfor %}",
}


@pytest.mark.parametrize("name", [name for name in BOMBS if name != "deep lists"])
def test_bombs_are_refused(name: str) -> None:
    tree = parse_template(BOMBS[name], KEY)
    start = time.process_time()
    with pytest.raises(UnsupportedError, match=f"'{KEY}': on a short conversation, it "):
        try_template(tree, KEY)
    assert time.process_time() - start < 5
    with pytest.raises(BudgetError):
        render_tree(tree, {"messages": []}, budget=Budget(steps=2_000_000))


def test_a_value_too_deep_to_print() -> None:
    try_template(parse_template(BOMBS["deep lists"], KEY), KEY)  # an error of its own, and soon


def test_depth_has_room_for_real_templates() -> None:
    """A macro that calls itself for each level of a schema."""
    text = (
        "{% macro f(x) %}{% if x %}{% for y in x %}{% if y %}{{ '[' ~ (f(y)|trim) ~ ']' }}"
        "{% else %}.{% endif %}{% endfor %}{% endif %}{% endmacro %}{{ f(x) }}"
    )
    nested: list[object] = [None]
    for _ in range(60):
        nested = [nested]
    found = render_tree(parse_template(text, KEY), {"x": nested})
    assert found == "[" * 60 + "." + "]" * 60


def test_the_child_has_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolate, "SECONDS", 0.01)
    with pytest.raises(UnsupportedError, match=f"'{KEY}'.* takes more than"):
        compile_apart({KEY: "x"})
    monkeypatch.undo()
    loop = (
        "import resource, sys; sys.stdin.read(); resource.setrlimit(resource.RLIMIT_CPU, (1, 1))\n"
    )
    monkeypatch.setattr(isolate, "_START", f"{loop}while True: pass")
    with pytest.raises(UnsupportedError, match="its share of time and memory"):
        compile_apart({KEY: "x"})


def test_all_templates_of_a_file() -> None:
    texts = {KEY: "{{ messages }}", f"{KEY}.tool_use": "<script>", f"{KEY}.rag": "\0\u2028"}
    data = compile_templates(texts)
    assert data == compile_templates(texts)
    trees = load_templates(data)
    assert list(trees) == ["default", "tool_use", "rag"]
    assert trees["rag"] == ["\0\u2028"]
    with pytest.raises(UnsupportedError, match=f"'{KEY}.rag', line 1: the filter 'nosuch'"):
        compile_templates(texts | {f"{KEY}.rag": "{{ 1 | nosuch }}"})


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"format": 2, "templates": {}}', b"\xff"])
def test_damaged_data(data: bytes) -> None:
    with pytest.raises(MalformedError, match=r"chat_template\.json"):
        load_templates(data)
