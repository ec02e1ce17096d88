"""Which host runs a bundle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mdst.bundle.reader import Bundle
from mdst.codegen.tiers import FLOAT_TIERS
from mdst.errors import UnsupportedError, UsageError
from mdst.hosts.choose import open_host
from mdst.hosts.wgpu_device import best_tier

Compiled = Callable[..., Bundle]
TinyModel = Callable[..., Path]


@pytest.fixture
def bundle(compiled: Compiled, tiny_model: TinyModel) -> Bundle:
    return compiled(tiny_model(), context=32)


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mdst.hosts.wgpu_device.adapters", list)


def test_numpy_needs_no_gpu(bundle: Bundle, no_gpu: None) -> None:
    said: list[str] = []
    host = open_host(bundle, "numpy", None, said.append)
    assert (host.name, host.tier, said) == ("numpy", None, [])


def test_auto_without_a_gpu_is_wasm_and_says_so(bundle: Bundle, no_gpu: None) -> None:
    said: list[str] = []
    host = open_host(bundle, "auto", None, said.append)
    assert (host.name, host.tier) == ("wasm", "base")
    (message,) = said
    assert "no GPU adapter" in message


def test_auto_without_memory_for_wasm_is_numpy_and_says_so(
    bundle: Bundle, no_gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise UnsupportedError("HOST004", "no memory of 3 bytes is to be had")

    monkeypatch.setattr("mdst.hosts.wasm_host.Instance", refuse)
    said: list[str] = []
    assert open_host(bundle, "auto", None, said.append).name == "numpy"
    (message,) = said
    assert "no GPU adapter" in message
    assert "no memory of 3 bytes" in message


@pytest.mark.parametrize("tier", ["base", "relaxed", "base-threads", "relaxed-threads"])
def test_a_module_that_is_asked_for(bundle: Bundle, tier: str) -> None:
    host = open_host(bundle, "wasm", tier, pytest.fail)
    assert (host.name, host.tier) == ("wasm", tier)


def test_an_unknown_module_is_a_usage_error(bundle: Bundle) -> None:
    with pytest.raises(UsageError, match="no tier 'subgroups'"):
        open_host(bundle, "wasm", "subgroups", print)


def test_wgpu_without_a_gpu_is_unsupported(bundle: Bundle, no_gpu: None) -> None:
    with pytest.raises(UnsupportedError) as error:
        open_host(bundle, "wgpu", None, print)
    assert error.value.id == "HOST002"
    assert error.value.hint is not None


@pytest.mark.parametrize("name", ["auto", "wgpu"])
@pytest.mark.parametrize("tier", [None, *FLOAT_TIERS])
def test_the_best_tier_or_the_one_asked_for(bundle: Bundle, name: str, tier: str | None) -> None:
    best = best_tier(FLOAT_TIERS)
    if best is None or (tier == "subgroups" and best != tier):
        pytest.skip("no GPU adapter for this tier")
    host = open_host(bundle, name, tier, pytest.fail)
    assert (host.name, host.tier) == ("wgpu", tier or best)


def test_an_unknown_tier_is_a_usage_error(bundle: Bundle) -> None:
    if best_tier(FLOAT_TIERS) is None:
        pytest.skip("no GPU adapter")
    with pytest.raises(UsageError, match="no tier 'nope'"):
        open_host(bundle, "wgpu", "nope", print)
