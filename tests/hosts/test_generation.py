"""Text: the same on every host, and whatever the number of steps at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mdst.bundle.reader import Bundle
from mdst.codegen.tiers import FLOAT_TIERS
from mdst.hosts.generate import generate
from mdst.hosts.host import END, FULL, Host, Request
from mdst.hosts.wgpu_host import WgpuHost
from mdst.sampling import SamplingParams

Compiled = Callable[..., Bundle]
TinyModel = Callable[..., Path]
HostOf = Callable[[Bundle, str], Host]

GREEDY = Request(SamplingParams(temperature=0))
DRAWN = Request(
    SamplingParams(
        temperature=1.0,
        seed=7,
        repetition_penalty=1.3,
        presence_penalty=0.4,
        frequency_penalty=0.2,
    )
)
FILTERED = Request(SamplingParams(temperature=0.9, seed=2**40 + 3, top_k=40, top_p=0.9, min_p=0.02))
REQUESTS = {"greedy": GREEDY, "drawn": DRAWN, "filtered": FILTERED}
OTHERS = [*FLOAT_TIERS, "wasm-base", "wasm-base-threads-2"]
HOSTS = ["numpy", *OTHERS]
PROMPT = [int(id) for id in np.random.default_rng(3).integers(0, 300, 11)]


@pytest.fixture
def bundle(compiled: Compiled, tiny_model: TinyModel) -> Bundle:
    """Two ranges of ids for the sampler, and a window of 32."""
    return compiled(tiny_model(vocabulary=1050), kv="f32", context=32)


def text(
    host: Host, request: Request, count: int, steps: int = 8, prompt: list[int] = PROMPT
) -> list[int]:
    host.start(request)
    return list(chain.from_iterable(generate(host, prompt, count, steps)))


@pytest.mark.parametrize("tier", OTHERS)
@pytest.mark.parametrize("name", REQUESTS)
def test_hosts_agree(bundle: Bundle, host_of: HostOf, tier: str, name: str) -> None:
    expected = text(host_of(bundle, "numpy"), REQUESTS[name], 20)
    assert len(expected) == 20
    assert text(host_of(bundle, tier), REQUESTS[name], 20) == expected


def test_seed_and_choice_count(bundle: Bundle, host_of: HostOf) -> None:
    host = host_of(bundle, "numpy")
    texts = [
        text(host, replace(DRAWN, sampling=replace(DRAWN.sampling, **change)), 12)
        for change in ({}, {"seed": 8}, {"choice": 1})
    ]
    assert len({tuple(found) for found in texts}) == 3
    assert text(host, DRAWN, 12) == texts[0]


@pytest.mark.parametrize("name", HOSTS)
@pytest.mark.parametrize("request_name", ["greedy", "drawn"])
def test_steps_at_a_time_do_not_show(
    bundle: Bundle, host_of: HostOf, name: str, request_name: str
) -> None:
    host, request = host_of(bundle, name), REQUESTS[request_name]
    expected = text(host, request, 20, steps=1)
    assert text(host, request, 20, steps=3) == expected
    assert text(host, request, 20, steps=8) == expected
    assert text(host, request, 20, steps=64) == expected


@pytest.mark.parametrize("name", HOSTS)
@pytest.mark.parametrize("back", [1, 5, 8, 9])
def test_stopping_in_the_middle_and_going_on(
    bundle: Bundle, host_of: HostOf, name: str, back: int
) -> None:
    """Nine tokens are made, `back` of them taken back: as if there had been fewer."""
    host = host_of(bundle, name)
    expected = text(host, DRAWN, 30)
    host.start(DRAWN)
    host.prefill(PROMPT)
    made = [*host.sample(), *host.decode(8)]
    assert made == expected[:9]
    host.take_back(back)
    assert host.tokens == [*PROMPT, *expected[: 9 - back]]
    found = expected[: 9 - back]
    while len(found) < 30:
        found = found + host.decode(min(8, 30 - len(found)))
    assert found == expected


@pytest.mark.parametrize("name", HOSTS)
def test_taking_back_beyond_the_window(bundle: Bundle, host_of: HostOf, name: str) -> None:
    host = host_of(bundle, name)
    expected = text(host, DRAWN, 70)
    host.start(DRAWN)
    host.prefill(PROMPT)
    found = host.sample()
    while len(found) < 60:
        found += host.decode(12)
    host.take_back(11)
    assert found == expected[: len(found)]
    del found[-11:]
    while len(found) < 70:
        found += host.decode(min(5, 70 - len(found)))
    assert found == expected


@pytest.mark.parametrize("tier", OTHERS)
@pytest.mark.parametrize("sinks", [0, 4, 40, 64])
@pytest.mark.parametrize("name", ["greedy", "drawn"])
def test_the_window_slides(
    bundle: Bundle, host_of: HostOf, tier: str, sinks: int, name: str
) -> None:
    request = replace(REQUESTS[name], sinks=sinks)
    expected = text(host_of(bundle, "numpy"), request, 100)
    assert len(expected) == 100
    assert text(host_of(bundle, tier), request, 100, steps=7) == expected


@pytest.mark.parametrize("tier", OTHERS)
@pytest.mark.parametrize("sinks", [0, 4])
def test_logits_beyond_the_window(bundle: Bundle, host_of: HostOf, tier: str, sinks: int) -> None:
    witness, host = host_of(bundle, "numpy"), host_of(bundle, tier)
    for each in (witness, host):
        each.start(replace(GREEDY, sinks=sinks))
        each.prefill(PROMPT)
    for id in np.random.default_rng(9).integers(0, 300, 120).tolist():
        expected, found = witness.decode_logits(id), host.decode_logits(id)
        bound = 1e-6 if host.name == "wasm" else 1e-10
        assert np.sum((found - expected) ** 2) <= bound * np.sum(expected**2)


def test_sinks_count(bundle: Bundle, host_of: HostOf) -> None:
    host = host_of(bundle, "numpy")
    texts = {tuple(text(host, replace(GREEDY, sinks=sinks), 100)) for sinks in (0, 4, 16)}
    assert len(texts) == 3
    assert len({found[:21] for found in texts}) == 1  # nothing had left the window until then


@pytest.mark.parametrize("name", HOSTS)
@pytest.mark.parametrize("steps", [1, 8])
@pytest.mark.parametrize("length", [1, 11, 32])
def test_stop_when_full(
    bundle: Bundle, host_of: HostOf, name: str, steps: int, length: int
) -> None:
    host = host_of(bundle, name)
    prompt = (PROMPT * 3)[:length]
    found = text(host, replace(DRAWN, slide=False), 100, steps, prompt)
    # The token after the last position that fits is still drawn.
    assert len(found) == 32 - length + 1
    assert host.done == FULL
    assert host.position == 32
    assert host.decode(3) == []
    assert text(host, DRAWN, len(found), 8, prompt) == found


@pytest.mark.parametrize("name", HOSTS)
@pytest.mark.parametrize("steps", [1, 3, 8])
def test_an_end_token_ends_the_text(bundle: Bundle, host_of: HostOf, name: str, steps: int) -> None:
    host = host_of(bundle, name)
    expected = text(host, DRAWN, 12)
    position = next(i for i in range(5, 12) if expected[i] not in expected[:i])
    request = replace(DRAWN, end_ids=(1, expected[position], 299))
    assert text(host, request, 30, steps) == expected[:position]
    assert host.done == END
    assert host.decode(4) == []
    assert host.tokens == [*PROMPT, *expected[: position + 1]]
    assert text(host, replace(DRAWN, end_ids=(expected[0],)), 30, steps) == []


@pytest.mark.parametrize("tier", FLOAT_TIERS)
def test_counts_are_uploaded_only_where_the_sampler_has_not_made_them(
    bundle: Bundle, host_of: HostOf, tier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = host_of(bundle, tier)
    assert isinstance(host, WgpuHost)
    number = next(i for i, b in enumerate(bundle.manifest.buffers) if b.kind == "counts")
    counts, write = host._buffers[number], host.device.write
    uploads: list[int] = []

    def counting(buffer: Any, offset: int, data: Any) -> None:
        uploads.extend([offset] if buffer is counts else [])
        write(buffer, offset, data)

    monkeypatch.setattr(host.device, "write", counting)
    text(host, DRAWN, 40, steps=6)
    assert len(uploads) == 1
    host.take_back(3)
    assert len([*host.decode(2), *host.decode(2)]) == 4
    assert len(uploads) == 2
    found = host.device.read(counts, 0, host.counts.nbytes).view(np.uint32)
    assert np.array_equal(found, host.counts)


@pytest.mark.parametrize("name", HOSTS)
def test_a_new_text_forgets_the_old_one(bundle: Bundle, host_of: HostOf, name: str) -> None:
    host = host_of(bundle, name)
    first = text(host, DRAWN, 10)
    text(host, replace(GREEDY, sinks=0), 90, prompt=[9] * 30)
    assert text(host, DRAWN, 10) == first


@pytest.mark.parametrize("name", HOSTS)
@pytest.mark.parametrize("count", [0, 1, 5])
def test_as_many_tokens_as_wanted(bundle: Bundle, host_of: HostOf, name: str, count: int) -> None:
    host = host_of(bundle, name)
    host.start(GREEDY)
    parts = list(generate(host, PROMPT, count, 3))
    assert sum(map(len, parts)) == count
    assert all(0 < len(part) <= 3 for part in parts)


@pytest.mark.parametrize("tier", OTHERS)
def test_penalties_see_prompt_and_output(bundle: Bundle, host_of: HostOf, tier: str) -> None:
    # So strong that no token comes twice, nor one of the prompt.
    request = Request(
        SamplingParams(temperature=0, repetition_penalty=1000.0, presence_penalty=500)
    )
    found = text(host_of(bundle, tier), request, 60)
    assert len(set(found)) == 60
    assert not set(found) & set(PROMPT)
    assert found == text(host_of(bundle, "numpy"), request, 60)
