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


def test_javascript_holds_three_files_at_most(
    compiled: Callable[..., Bundle],
    tiny_model: Callable[..., Path],
    hollow: Callable[..., Path],
    serve: Callable[..., str],
    open_page: Callable[..., Page],
) -> None:
    """While a model is loaded, from the network and then from what was kept."""
    size = 1 << 20
    model = tiny_model(embedding=256, ff=4096)
    bundle = compiled(model, kv="f32", context=32, chunk=8, shard_size=size)
    assert sum(shard.size for shard, _ in bundle.shards()) > 5 * size
    page = open_page(serve(hollow(bundle)))
    page.evaluate("runtime()")
    session = page.context.new_cdp_session(page)

    def live_bytes() -> int:
        """Of array buffers, after what is unused went."""
        session.send("HeapProfiler.collectGarbage")
        return int(session.send("Runtime.getHeapUsage")["backingStorageSize"])

    before = live_bytes()
    for cached in (False, True):
        script = """void (globalThis.most = start({ worker: false }).then(({ load }) => load))"""
        page.evaluate(script)
        found = []
        while page.evaluate("Promise.race([most, 0])") == 0:
            found.append(live_bytes())
        assert (page.evaluate("most")["cached_bytes"] > 0) is cached
        assert len(found) > 1
        assert 2 * size < max(found) - before < 3 * size + size // 4, (cached, found)
        page.evaluate("engines.main.unload()")
        page.evaluate("delete engines.main; delete globalThis.most")
