"""The CPU as a device: when it is taken, on how many threads, and how it fails."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mdst.bundle.reader import Bundle
from mdst.hosts.generate import generate
from mdst.hosts.host import Host, Request
from mdst.sampling import SamplingParams

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
LOSE_ALL = """
  GPU.prototype.requestAdapter = () => Promise.resolve(null);
  for (const device of devices) device.destroy();
"""
NO_MEMORY = """
  const createBuffer = GPUDevice.prototype.createBuffer;
  GPUDevice.prototype.createBuffer = function (wanted) {
    if (wanted.label === 'arena') throw new RangeError('too large');
    return createBuffer.call(this, wanted);
  };
"""
REASONS = """() => Promise.all(devices.map(async ({ lost }) => {
  const late = new Promise((resolve) => setTimeout(() => resolve({ reason: 'none' }), 5000));
  return (await Promise.race([lost, late])).reason;
}))"""
ON_THE_CPU = "options => start({ device: 'wasm', ...options })"
REQUEST = {"prompt": [5, 6, 7, 8], "ignore_eos": True, "max_tokens": 12, "seed": 3}
MEMBER = "runtime/wasm/member.js"
DIES = """
addEventListener('message', () => {
  postMessage('ready');
  close();
});
"""
NEVER_STARTS = "throw new Error('no thread');\n"


@pytest.fixture(scope="module")
def bundle(compiled: Callable[..., Bundle], tiny_model: Callable[..., Path]) -> Bundle:
    return compiled(tiny_model(), kv="f32", context=32, chunk=8)


@pytest.fixture(scope="module")
def wanted(bundle: Bundle, host_of: Callable[[Bundle, str], Host]) -> list[int]:
    """What REQUEST gives on the plainest module."""
    host = host_of(bundle, "wasm-base")
    host.start(Request(SamplingParams(seed=3)))
    return list(chain.from_iterable(generate(host, [5, 6, 7, 8], 12, 8)))


@pytest.fixture
def with_member(bundle: Bundle, tmp_path: Path, serve: Callable[..., str]) -> Callable[[str], str]:
    """`with_member(script)`: the URL of a copy of the bundle whose threads run this instead."""

    def make(script: str) -> str:
        out = tmp_path / "out"
        shutil.copytree(bundle.path, out)
        assert (out / MEMBER).exists()
        (out / MEMBER).write_text(script)
        return serve(out)

    return make


def tokens(page: Page, **more: Any) -> list[int]:
    answer = page.evaluate("request => create(request)", {**REQUEST, **more})
    found: list[int] = answer["choices"][0]["tokens"]
    return found


def test_a_page_that_is_not_isolated(
    bundle: Bundle, serve: Callable[..., str], open_page: Callable[..., Page], wanted: list[int]
) -> None:
    page = open_page(serve(bundle.path), isolated=False)
    assert page.evaluate("crossOriginIsolated") is False
    ability = page.evaluate("ability({ device: 'wasm' })")
    assert (ability["ok"], ability["device"], ability["threads"]) == (True, "wasm", 1)
    assert "Cross-Origin-Opener-Policy" in ability["notice"]
    stats = page.evaluate(ON_THE_CPU, {"threads": 4})
    assert stats["notice"] == ability["notice"]
    assert (stats["tier"], stats["threads"]) == (ability["tier"], 1) == ("relaxed", 1)
    assert stats["memory"] == ability["memory"]
    assert len(tokens(page)) == 12
    failure = page.evaluate(
        "failure(() => start({ device: 'wasm', tier: 'base-threads', threads: 2 }))"
    )
    assert failure["code"] == "unsupported_device"
    assert "Cross-Origin-Opener-Policy" in failure["message"]


def test_in_the_page_itself(
    bundle: Bundle, serve: Callable[..., str], open_page: Callable[..., Page], wanted: list[int]
) -> None:
    """A page's own thread may not wait for others. Where it gets no memory, it says so."""
    page = open_page(serve(bundle.path))
    stats = page.evaluate(ON_THE_CPU, {"worker": False, "threads": 2})
    assert (stats["worker"], stats["threads"], stats["tier"]) == (False, 1, "relaxed")
    assert "one thread" in stats["notice"]
    page.evaluate(ON_THE_CPU, {"worker": False, "tier": "base"})
    assert tokens(page) == wanted
    assert tokens(page, steps=5) == wanted
    chunks = page.evaluate("r => stream(r, { most: 3, how: 'abort' })", {**REQUEST, "steps": 1})
    assert chunks[-1]["choices"][0]["finish_reason"] == "abort"
    assert tokens(page) == wanted
    profile = page.evaluate("engines.main.profile()")
    assert profile["microseconds"] > 0
    page.evaluate("engines.main.unload()")
    pages = bundle.manifest.wasm[0].pages
    page.evaluate("() => { WebAssembly.Memory = function () { throw new RangeError('no'); }; }")
    failure = page.evaluate("failure(() => start({ device: 'wasm', worker: false, tier: 'base' }))")
    assert (failure["ours"], failure["code"]) == (True, "out_of_memory")
    assert f"{pages << 16} bytes" in failure["message"]


def test_threads_that_do_not_start(
    with_member: Callable[[str], str], open_page: Callable[..., Page], wanted: list[int]
) -> None:
    page = open_page(with_member(NEVER_STARTS))
    stats = page.evaluate(ON_THE_CPU, {"tier": "base-threads", "threads": 3})
    assert stats["threads"] == 1
    assert "could not be started" in stats["notice"]
    assert tokens(page) == wanted


def test_a_thread_that_is_killed(
    with_member: Callable[[str], str], open_page: Callable[..., Page], wanted: list[int]
) -> None:
    """Nobody is told when a worker ends. The others wait some seconds; then one thread goes on."""
    page = open_page(with_member(DIES))
    stats = page.evaluate(ON_THE_CPU, {"tier": "base-threads", "threads": 2})
    assert stats["threads"] == 2
    started = page.evaluate("performance.now()")
    assert tokens(page) == wanted
    assert page.evaluate("performance.now()") - started >= 10_000
    stats = page.evaluate("engines.main.stats()")
    assert (stats["device"], stats["threads"], stats["replaced"]) == ("wasm", 1, 1)


def test_a_gpu_that_is_lost_for_good(
    bundle: Bundle, serve: Callable[..., str], open_page: Callable[..., Page], wanted: list[int]
) -> None:
    page = open_page(serve(bundle.path), DEVICES)
    stats = page.evaluate("start({ device: 'auto', worker: false, tier: 'base' })")
    assert stats["device"] == "webgpu"
    assert tokens(page) == wanted
    page.evaluate(LOSE_ALL)
    assert tokens(page) == wanted
    stats = page.evaluate("engines.main.stats()")
    assert (stats["device"], stats["tier"], stats["replaced"]) == ("wasm", "base", 1)
    assert stats["adapter"] is None
    assert "found no GPU" in stats["refused"][0]["reason"]
    assert tokens(page) == wanted


def test_a_gpu_without_enough_memory_is_let_go(
    bundle: Bundle, serve: Callable[..., str], open_page: Callable[..., Page], wanted: list[int]
) -> None:
    page = open_page(serve(bundle.path), DEVICES + NO_MEMORY, hardware=True)
    stats = page.evaluate("start({ device: 'auto', worker: false })")
    assert stats["device"] == "wasm"
    assert "not enough memory" in stats["refused"][-1]["reason"]
    assert set(page.evaluate(REASONS)) == {"destroyed"}
    assert tokens(page) == wanted


def test_a_gpu_that_computes_wrongly(
    bundle: Bundle,
    hollow: Callable[..., Path],
    serve: Callable[..., str],
    open_page: Callable[..., Page],
) -> None:
    page = open_page(serve(hollow(bundle, answers=True)), hardware=True)
    assert page.evaluate("ability({ device: 'auto' })")["device"] == "webgpu"
    stats = page.evaluate("start({ device: 'auto' })")
    assert stats["device"] == "wasm"
    [refused] = stats["refused"]
    assert refused["tier"] == "webgpu"
    assert "wrong answer" in refused["reason"]
    assert len(tokens(page)) == 12
