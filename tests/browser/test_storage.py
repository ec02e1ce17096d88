"""What the browser keeps of a model: found again, checked, healed, shared by tabs, cleared away."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mdst.bundle.reader import Bundle

if TYPE_CHECKING:
    from playwright.sync_api import Page, Request, Route

Asked = Counter[str]

KEPT = """async (folder) => {
  const names = [];
  const root = await navigator.storage.getDirectory();
  try {
    const mdst = await root.getDirectoryHandle('mdst');
    for await (const name of (await mdst.getDirectoryHandle(folder)).keys()) names.push(name);
  } catch {}
  return names;
}"""
"""Names of the files that the origin has in a folder of ours."""

DAMAGE = """async ([name, how]) => {
  const root = await navigator.storage.getDirectory();
  const files = await (await root.getDirectoryHandle('mdst')).getDirectoryHandle('files');
  const handle = await files.getFileHandle(name);
  const bytes = new Uint8Array(await (await handle.getFile()).arrayBuffer());
  if (how === 'bit') bytes[bytes.length >> 1] ^= 4;
  const length = { bit: bytes.length, cut: bytes.length >> 1, empty: 0 }[how];
  const writable = await handle.createWritable();
  await writable.write(bytes.subarray(0, length));
  await writable.close();
}"""

START = "options => start(options)"
FAILURE = "options => failure(() => start(options))"


@pytest.fixture(scope="module")
def bundle(compiled: Callable[..., Bundle], tiny_model: Callable[..., Path]) -> Bundle:
    return compiled(tiny_model(), kv="f32", context=32, chunk=8, shard_size=1 << 16)


@pytest.fixture(scope="module")
def other(compiled: Callable[..., Bundle], tiny_model: Callable[..., Path]) -> Bundle:
    """Another model with the same vocabulary."""
    return compiled(tiny_model(seed=2), kv="f32", context=32, chunk=8, shard_size=1 << 16)


@pytest.fixture(scope="module")
def names(bundle: Bundle) -> list[str]:
    return [f"{shard.sha256}.bin" for shard, _ in bundle.shards()]


@pytest.fixture
def page(
    bundle: Bundle,
    hollow: Callable[..., Path],
    serve: Callable[..., str],
    open_page: Callable[..., Page],
) -> Page:
    return open_page(serve(hollow(bundle)))


def requests_of(page: Page) -> Asked:
    """Counts what the tabs of the page's context ask for, from now on; the runtime apart."""
    asked: Asked = Counter()

    def count(request: Request) -> None:
        name = request.url.split("/")[-1]
        if not name.endswith((".js", ".html")):
            asked[name] += 1

    page.context.on("request", count)
    return asked


def another_tab(page: Page) -> Page:
    tab = page.context.new_page()
    tab.goto(page.url)
    tab.wait_for_function("globalThis.ready")
    return tab


def again(page: Page, options: dict[str, Any] | None = None) -> dict[str, Any]:
    """Loads in place of the engine that is there."""
    page.evaluate("engines.main?.unload()")
    stats: dict[str, Any] = page.evaluate(START, options or {})
    return stats


@pytest.mark.parametrize("worker", [True, False], ids=["worker", "page"])
def test_the_second_load_asks_for_the_manifest_alone(
    bundle: Bundle, page: Page, names: list[str], worker: bool
) -> None:
    size = sum(shard.size for shard, _ in bundle.shards())
    assert page.evaluate("ability()")["download"] == {
        "bytes": size,
        "files": len(names),
        "cached": 0,
    }
    asked = requests_of(page)
    stats = again(page, {"worker": worker})
    assert asked.keys() >= {*names, "vocabulary.bin", "answers.json", "manifest.json"}
    assert stats["cache"] == {"kept": True, "notice": None, "offline": False, "healed": 0}
    assert (stats["load"]["bytes"], stats["load"]["cached_bytes"]) == (size, 0)
    ability = page.evaluate("ability()")
    assert ability["download"]["cached"] == size
    assert ability["model"]["name"] == bundle.manifest.model.name

    asked.clear()
    page.evaluate("engines.main.unload()")
    told = page.evaluate(
        """async (worker) => {
          const told = [];
          await start({ worker, onProgress: (progress) => told.push(progress) });
          return told;
        }""",
        worker,
    )
    assert asked == {"manifest.json": 1}
    stats = page.evaluate("engines.main.stats()")
    assert (stats["load"]["bytes"], stats["load"]["cached_bytes"]) == (size, size)
    weights = [each for each in told if each["phase"] == "weights"]
    assert (weights[-1]["loaded"], weights[-1]["cached"]) == (size, size)


def test_without_a_cache(page: Page, names: list[str]) -> None:
    stats = again(page, {"cache": False})
    assert stats["cache"] == {"kept": False, "notice": None, "offline": False, "healed": 0}
    assert page.evaluate(KEPT, "files") == []
    again(page)
    stats = again(page, {"cache": False})
    assert stats["load"]["cached_bytes"] == 0
    failure = page.evaluate(FAILURE, {"cache": "yes"})
    assert failure["code"] == "invalid_request"


def test_an_interrupted_download_goes_on(page: Page, names: list[str]) -> None:
    late = names[-2:]
    page.route("**/weights/*.bin", lambda route: hold_back(route, late))
    failure = page.evaluate(FAILURE, {})
    assert failure["code"] == "download_failed"
    page.unroute("**/weights/*.bin")
    there = set(page.evaluate(KEPT, "files"))
    asked = requests_of(page)
    assert again(page)["cache"]["kept"]
    missing = {name for name in names if name.removesuffix(".bin") not in there}
    assert set(late) <= missing < set(names)
    assert asked == dict.fromkeys([*missing, "manifest.json"], 1)


def hold_back(route: Route, names: list[str]) -> None:
    if route.request.url.endswith(tuple(names)):
        route.fulfill(status=404)
    else:
        route.continue_()


def test_damaged_files_are_healed(page: Page, names: list[str]) -> None:
    again(page)
    damaged = names[:3]
    for name, how in zip(damaged, ["bit", "cut", "empty"], strict=True):
        page.evaluate(DAMAGE, [name.removesuffix(".bin"), how])
    asked = requests_of(page)
    assert again(page)["cache"]["healed"] == 3
    assert asked == dict.fromkeys([*damaged, "manifest.json"], 1)
    asked.clear()
    assert again(page)["cache"]["healed"] == 0
    assert asked == {"manifest.json": 1}


def test_a_damaged_file_that_cannot_be_healed(page: Page, names: list[str]) -> None:
    again(page)
    page.evaluate(DAMAGE, [names[1].removesuffix(".bin"), "bit"])
    page.route("**/weights/*.bin", lambda route: route.fulfill(status=500))
    page.evaluate("engines.main.unload()")
    failure = page.evaluate(FAILURE, {})
    assert failure["code"] == "download_failed"
    assert names[1] in failure["message"]


def test_a_full_disk(bundle: Bundle, page: Page) -> None:
    """The browser's own quota: the model runs, and a part of it is not kept."""
    size = sum(shard.size for shard, _ in bundle.shards())
    session = page.context.new_cdp_session(page)
    origin = page.evaluate("location.origin")
    session.send("Storage.overrideQuotaForOrigin", {"origin": origin, "quotaSize": size // 2})
    # One load only: Chromium counts what was written late, so that a next one may find room.
    stats = again(page)
    assert stats["cache"]["kept"] is False
    assert "no room" in stats["cache"]["notice"]
    assert stats["load"]["bytes"] == size
    session.send("Storage.overrideQuotaForOrigin", {"origin": origin})
    assert again(page)["cache"]["kept"] is True
    assert again(page)["load"]["cached_bytes"] == size


@pytest.mark.parametrize(
    "before",
    [
        "StorageManager.prototype.getDirectory = () =>"
        " Promise.reject(new DOMException('Security error', 'SecurityError'));",
        "delete Navigator.prototype.storage;",
        "delete FileSystemFileHandle.prototype.createWritable;",
    ],
    ids=["private window", "no storage", "read only"],
)
def test_a_browser_that_keeps_nothing(
    bundle: Bundle,
    hollow: Callable[..., Path],
    serve: Callable[..., str],
    open_page: Callable[..., Page],
    before: str,
) -> None:
    page = open_page(serve(hollow(bundle)), before)
    assert page.evaluate("ability()")["ok"]
    stats = again(page, {"worker": False})
    assert stats["cache"]["kept"] is False
    assert stats["cache"]["notice"]
    page.evaluate("runtime().then((all) => all.clearCache())")


def test_two_tabs_download_once(page: Page, names: list[str]) -> None:
    asked = requests_of(page)
    tab = another_tab(page)
    for each in (page, tab):
        each.evaluate("void (globalThis.loading = start())")
    found = [each.evaluate("loading")["cache"] for each in (page, tab)]
    assert [each["kept"] for each in found] == [True, True]
    assert [each["healed"] for each in found] == [0, 0]
    assert {name: asked[name] for name in names} == dict.fromkeys(names, 1)


def test_a_tab_that_is_closed_while_it_downloads(page: Page, names: list[str]) -> None:
    """The other tab, which waits for it, goes on itself."""
    held: list[Route] = []
    tab = another_tab(page)
    tab.route("**/weights/*.bin", lambda route: held.append(route))
    tab.evaluate("void (globalThis.loading = start().catch(() => {}))")
    for _ in range(600):
        if len(held) == 3:
            break
        tab.wait_for_timeout(50)
    assert len(held) == 3
    page.evaluate("void (globalThis.loading = start())")
    page.wait_for_timeout(300)
    tab.close()
    assert page.evaluate("loading")["cache"]["kept"]
    assert set(page.evaluate(KEPT, "files")) >= {name.removesuffix(".bin") for name in names}


def wait_for_files(page: Page, wanted: set[str]) -> None:
    """Clearing away goes on after a load is done."""
    for _ in range(50):
        found = set(page.evaluate(KEPT, "files"))
        if found == wanted:
            return
        page.wait_for_timeout(100)
    assert found == wanted


def hashes(out: Path) -> set[str]:
    """Of all that a load of the hollow bundle `out` fetches; a device needs one tier's kernels."""
    manifest = Bundle.open(out, check=False).manifest
    loaded = {"vocabulary.bin", "answers.json", "kernels-subgroups.wgsl"}
    small = {file.sha256 for file in manifest.files if file.name in loaded}
    return small | {shard.sha256 for weights in manifest.weights for shard in weights.shards}


def test_a_redeploy(
    bundle: Bundle,
    other: Bundle,
    hollow: Callable[..., Path],
    serve: Callable[..., str],
    open_page: Callable[..., Page],
    tmp_path: Path,
) -> None:
    """The new build is loaded, what it shares with the old one is not fetched again, and the rest
    of the old one goes; another model of the origin stays."""
    site = tmp_path / "site"
    for name, each in (("a", bundle), ("b", bundle)):
        shutil.copytree(hollow(each), site / name)
    page = open_page(serve(site) + "a/")
    again(page)
    shutil.rmtree(site / "a")
    shutil.copytree(hollow(other), site / "a")
    first, second = hashes(hollow(bundle)), hashes(hollow(other))
    assert first & second  # the vocabulary and the kernels
    asked = requests_of(page)
    again(page)
    assert {name.removesuffix(".bin") for name in asked if len(name) == 68} == {
        hash for hash in second - first if (other.path / f"weights/{hash}.bin").exists()
    }
    assert asked["vocabulary.bin"] == 0
    wait_for_files(page, second)

    neighbour = page.evaluate("base").replace("/a/", "/b/")
    load = again(page, {"base": neighbour})["load"]
    assert load["cached_bytes"] < load["bytes"]
    wait_for_files(page, first | second)
    assert again(page)["load"]["cached_bytes"] == again(page)["load"]["bytes"]
    page.evaluate("engines.main.unload().then(() => runtime()).then((all) => all.clearCache())")
    assert page.evaluate(KEPT, "files") == page.evaluate(KEPT, "models") == []
    assert again(page)["load"]["cached_bytes"] == 0


@pytest.mark.parametrize("file", ["weights/*.bin", "answers.json"])
def test_a_redeploy_while_the_model_is_loaded(
    bundle: Bundle,
    other: Bundle,
    hollow: Callable[..., Path],
    serve: Callable[..., str],
    open_page: Callable[..., Page],
    tmp_path: Path,
    file: str,
) -> None:
    """Files of two builds are never mixed."""
    site = tmp_path / "site"
    shutil.copytree(hollow(bundle), site)
    page = open_page(serve(site))

    def deploy(route: Route) -> None:
        if (site / "weights").exists():
            shutil.rmtree(site / "weights")
            if file == "answers.json":
                (site / file).write_text('{"other":[]}')
            shutil.copy(hollow(other) / "manifest.json", site)
        route.continue_()

    page.route(f"**/{file}", deploy)
    failure = page.evaluate(FAILURE, {})
    assert failure["code"] == ("integrity" if file == "answers.json" else "download_failed")
    assert "site was updated" in failure["message"]
    assert "reload the page" in failure["message"]


def test_offline(page: Page) -> None:
    """A model that was loaded once is loaded again without a network: in a page that has the
    runtime's own modules, which are not kept here."""
    page.evaluate(START, {"worker": False})
    page.context.set_offline(True)
    stats = again(page, {"worker": False})
    assert stats["cache"]["offline"] is True
    assert stats["load"]["cached_bytes"] == stats["load"]["bytes"] > 0
    assert page.evaluate("ability()")["ok"]
    failure = page.evaluate(FAILURE, {"worker": False, "cache": False})
    assert failure["code"] == "download_failed"
    assert "manifest.json" in failure["message"]


@pytest.mark.parametrize(("status", "loads"), [(503, True), (404, False)])
def test_a_server_that_fails(page: Page, status: int, loads: bool) -> None:
    """With 404 there is no such model any more."""
    page.evaluate(START, {})
    page.evaluate("engines.main.unload()")
    page.route("**/manifest.json", lambda route: route.fulfill(status=status))
    if loads:
        assert again(page)["cache"]["offline"] is True
    else:
        failure = page.evaluate(FAILURE, {})
        assert (failure["code"], str(status) in failure["message"]) == ("download_failed", True)
