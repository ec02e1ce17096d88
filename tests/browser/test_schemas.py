"""Models in Chromium write JSON that fits its schema, whatever the schema, in the tokens that
they are given; judged by the package jsonschema."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import numpy as np
import pytest

from mdst.bundle.reader import Bundle

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).parents[2]
STORYTELLER = ROOT / "examples/storyteller/storyteller.gguf"
SCRIPT = ROOT / "tests/runtime_js/grammar/list.js"
TEMPLATE = "{% for m in messages %}{{ m.content }}\n{% endfor %}"
MESSAGES = [{"role": "user", "content": "w1 w2"}]
SCHEMAS = int(os.environ.get("MDST_TEST_SCHEMAS", "20"))
"""How many; a hundred take a minute and a half."""
many = pytest.mark.skipif(SCHEMAS < 100, reason="loading takes long: MDST_TEST_SCHEMAS=100")
SPARE = 8
"""Tokens beyond those that the shortest text may need."""


@pytest.mark.parametrize("model", ["tiny", pytest.param("storyteller", marks=many)])
def test_answers_fit_random_schemas(
    model: str,
    compiled: Callable[..., Bundle],
    tiny_model: Callable[..., Path],
    serve: Callable[..., str],
    page_at: Callable[..., AbstractContextManager[Page]],
    rng: np.random.Generator,
) -> None:
    """Most in chats with a tiny model, which takes less time; some go on with a story."""
    chat = model == "tiny"
    schemas = _schemas(SCHEMAS if chat else 2, int(rng.integers(2**31)))
    tiny = tiny_model(template=TEMPLATE)
    bundle = compiled(tiny, context=256) if chat else compiled(STORYTELLER)
    with page_at(serve(bundle.path, csp=True)) as page:  # the policy that bundles are made for
        page.evaluate("start()")
        for seed, (schema, least) in enumerate(schemas):
            form = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
            request = {"seed": seed, "max_tokens": least + SPARE, "response_format": form}
            prompt = {"messages": MESSAGES} if chat else {"prompt": "Once upon a time"}
            answer = page.evaluate("create", {**prompt, **request})
            choice = answer["choices"][0]
            text = choice["message"]["content"] if chat else choice["text"]
            assert choice["finish_reason"] == "stop"
            assert answer["usage"]["completion_tokens"] <= least + SPARE
            jsonschema.validate(json.loads(text), schema)


def _schemas(count: int, seed: int) -> list[tuple[dict[str, Any], int]]:
    """Each with the tokens that are always enough for it."""
    beside = Path(sys.executable).with_name("deno")
    deno = shutil.which("deno") or (str(beside) if beside.exists() else None)
    if deno is None:
        pytest.skip("needs deno (the PyPI package of that name)")
    flags = ["run", "--no-config", "--no-remote", f"--allow-read={ROOT}"]
    command = [deno, *flags, str(SCRIPT), str(count), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [(found["schema"], found["least"]) for found in json.loads(done.stdout)]
