"""Engines that come and go leave nothing on the GPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mdst.bundle.reader import Bundle

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

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

COUNTED_MEMORY = """
globalThis.allocated = 0;
globalThis.Uint8Array = new Proxy(Uint8Array, {
  construct(target, options) {
    const made = Reflect.construct(target, options);
    if (typeof options[0] === 'number') allocated += made.byteLength;
    return made;
  },
});
for (const { prototype } of [Blob, Response]) {
  const { arrayBuffer } = prototype;
  prototype.arrayBuffer = async function () {
    const made = await arrayBuffer.call(this);
    allocated += made.byteLength;
    return made;
  };
}
"""
"""Counts the bytes of all that is made to hold files."""

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
    """While a model is loaded, from the network and then from what was kept: three files, and the
    pieces that streams and the hash function hold."""
    size = 4 << 20
    model = tiny_model(embedding=256, ff=16384)
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
    page.evaluate("void (globalThis.loading = start({ worker: false }))")
    found = []
    while page.evaluate("Promise.race([loading, 0])") == 0:
        found.append(live_bytes())
    assert page.evaluate("loading")["load"]["cached_bytes"] == 0
    assert 2 * size < max(found) - before < 3.75 * size, found

    # A worker makes three buffers for all files that were kept, and never another.
    def counted(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, body="import './counting.js';\n" + response.text())

    kind = "text/javascript"
    page.route(
        "**/counting.js", lambda route: route.fulfill(content_type=kind, body=COUNTED_MEMORY)
    )
    page.route("**/runtime/worker.js", counted)
    stats = page.evaluate("start({}, 'other')")
    assert stats["load"]["cached_bytes"] == stats["load"]["bytes"] > 5 * size
    [worker] = page.workers
    assert 3 * size <= worker.evaluate("allocated") < 3.25 * size
