"""Engines that come and go leave nothing on the GPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mdst.bundle.reader import Bundle

if TYPE_CHECKING:
    from playwright.sync_api import Page

COUNTING = """
globalThis.buffers = new Set();
globalThis.devices = new Set();
globalThis.made = { buffers: 0, devices: 0, bytes: 0 };
const { requestDevice } = GPUAdapter.prototype;
GPUAdapter.prototype.requestDevice = async function (...options) {
  const device = await requestDevice.apply(this, options);
  devices.add(device);
  made.devices += 1;
  return device;
};
const { createBuffer, destroy: destroyDevice } = GPUDevice.prototype;
GPUDevice.prototype.createBuffer = function (wanted) {
  const buffer = createBuffer.call(this, wanted);
  buffers.add(buffer);
  made.buffers += 1;
  made.bytes += wanted.size;
  return buffer;
};
GPUDevice.prototype.destroy = function () {
  devices.delete(this);
  destroyDevice.call(this);
};
const { destroy: destroyBuffer } = GPUBuffer.prototype;
GPUBuffer.prototype.destroy = function () {
  buffers.delete(this);
  destroyBuffer.call(this);
};
"""
"""Counts what is made, and keeps what is not destroyed."""

ROUND = """async () => {
  const before = { ...made };
  await start({ worker: false });
  const loaded = { buffers: buffers.size, devices: devices.size };
  await engines.main.unload();
  const left = { buffers: buffers.size, devices: devices.size };
  return { loaded, left, bytes: made.bytes - before.bytes };
}"""

ABORTED = """async () => {
  const abort = new AbortController();
  const onProgress = ({ phase }) => phase === 'weights' && abort.abort();
  const { code } = await failure(() => start({ worker: false, signal: abort.signal, onProgress }));
  return { code, buffers: buffers.size, devices: devices.size, made: made.devices };
}"""


def small(compiled: Callable[..., Bundle], tiny_model: Callable[..., Path]) -> Bundle:
    return compiled(tiny_model(), kv="f32", context=32, chunk=8, shard_size=1 << 16)


def test_twenty_engines_one_after_another(
    compiled: Callable[..., Bundle],
    tiny_model: Callable[..., Path],
    hollow: Callable[..., Path],
    serve: Callable[..., str],
    open_page: Callable[..., Page],
) -> None:
    bundle = small(compiled, tiny_model)
    page = open_page(serve(hollow(bundle)), COUNTING)
    rounds = [page.evaluate(ROUND) for _ in range(20)]
    assert rounds == [rounds[0]] * 20
    assert rounds[0]["loaded"]["buffers"] >= len(bundle.manifest.buffers)
    assert rounds[0]["loaded"]["devices"] == 1
    assert rounds[0]["bytes"] > sum(buffer.size for buffer in bundle.manifest.buffers)
    assert rounds[0]["left"] == {"buffers": 0, "devices": 0}
    failure = page.evaluate("failure(() => create({ prompt: [5] }))")
    assert failure["code"] == "unloaded"


def test_a_load_that_is_aborted(
    compiled: Callable[..., Bundle],
    tiny_model: Callable[..., Path],
    hollow: Callable[..., Path],
    serve: Callable[..., str],
    open_page: Callable[..., Page],
) -> None:
    page = open_page(serve(hollow(small(compiled, tiny_model))), COUNTING)
    ended = page.evaluate(ABORTED)
    assert ended["code"] == "aborted"
    assert ended["made"] == 1
    assert ended["devices"] == 0
    early = page.evaluate("failure(() => start({ signal: AbortSignal.abort() }))")
    assert early["code"] == "aborted"


def test_workers_end_with_their_engines(
    compiled: Callable[..., Bundle],
    tiny_model: Callable[..., Path],
    hollow: Callable[..., Path],
    serve: Callable[..., str],
    open_page: Callable[..., Page],
) -> None:
    page = open_page(serve(hollow(small(compiled, tiny_model))))
    page.evaluate("start()")
    page.evaluate("start({}, 'other')")
    assert len(page.workers) == 2
    page.evaluate("engines.main.unload()")
    page.wait_for_timeout(200)
    assert len(page.workers) == 1
    assert page.evaluate("engines.other.stats()")["worker"] is True
    assert page.evaluate("failure(() => engines.main.stats())")["code"] == "unloaded"
    page.evaluate("failure(() => start({ tier: 'none' }))")
    page.wait_for_timeout(200)
    assert len(page.workers) == 1
