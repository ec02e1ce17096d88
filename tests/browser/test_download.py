"""Weight files that come late, broken or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mdst.bundle.reader import Bundle

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

SHARDS = "**/weights/*.bin"


@pytest.fixture(scope="module")
def bundle(compiled: Callable[..., Bundle], tiny_model: Callable[..., Path]) -> Bundle:
    return compiled(tiny_model(), kv="f32", context=32, chunk=8, shard_size=1 << 16)


@pytest.fixture(scope="module")
def names(bundle: Bundle) -> list[str]:
    """Weight files in the order of first use."""
    found = [f"{shard.sha256}.bin" for shard, _ in bundle.shards()]
    assert len(found) > 3
    return found


@pytest.fixture
def page(
    bundle: Bundle,
    hollow: Callable[..., Path],
    serve: Callable[..., str],
    open_page: Callable[..., Page],
) -> Page:
    return open_page(serve(hollow(bundle)))


class Meddler:
    """Counts requests for weight files, and lets `meddle` answer those for the file `name`."""

    def __init__(self, page: Page, name: str, meddle: Callable[[Route, int], None]) -> None:
        self.asked: Counter[str] = Counter()
        self.name, self.meddle = name, meddle
        page.route(SHARDS, self.answer)

    def answer(self, route: Route) -> None:
        name = route.request.url.split("/")[-1]
        self.asked[name] += 1
        if name == self.name:
            self.meddle(route, self.asked[name])
        else:
            route.continue_()


def flip(route: Route) -> None:
    """One bit is wrong."""
    response = route.fetch()
    body = bytearray(response.body())
    body[len(body) // 2] ^= 1
    route.fulfill(response=response, body=bytes(body))


def test_a_file_that_stays_broken(page: Page, names: list[str]) -> None:
    meddler = Meddler(page, names[1], lambda route, _: flip(route))
    failure = page.evaluate("failure(() => start())")
    assert failure["ours"]
    assert failure["code"] == "integrity"
    assert f"weights/{names[1]}" in failure["message"]
    assert "content does not match its SHA-256" in failure["message"]
    assert meddler.asked[names[1]] == 2


def test_a_file_that_is_broken_once(page: Page, names: list[str]) -> None:
    meddler = Meddler(
        page, names[1], lambda route, times: flip(route) if times == 1 else route.continue_()
    )
    assert page.evaluate("start()")["refused"] == []
    assert meddler.asked == {name: 2 if name == names[1] else 1 for name in names}


@pytest.mark.parametrize("change", [lambda body: body[:-1], lambda body: body + b"\0"])
def test_a_file_of_another_size(
    page: Page, names: list[str], change: Callable[[bytes], bytes]
) -> None:
    def resize(route: Route, _: int) -> None:
        route.fulfill(body=change(route.fetch().body()))

    meddler = Meddler(page, names[-1], resize)
    failure = page.evaluate("failure(() => start())")
    assert failure["code"] == "integrity"
    assert "were expected" in failure["message"]
    assert meddler.asked[names[-1]] == 2


def test_a_page_in_place_of_a_file(page: Page, names: list[str]) -> None:
    Meddler(page, names[0], lambda route, _: route.fulfill(body="<!DOCTYPE html><title>Oh</title>"))
    failure = page.evaluate("failure(() => start())")
    assert failure["code"] == "integrity"
    assert "HTML page" in failure["message"]


def test_a_file_that_is_missing(page: Page, names: list[str]) -> None:
    Meddler(page, names[2], lambda route, _: route.fulfill(status=404, body="gone"))
    failure = page.evaluate("failure(() => start())")
    assert failure["code"] == "download_failed"
    assert f"weights/{names[2]}" in failure["message"]
    assert "404" in failure["message"]


def test_a_connection_that_fails_for_a_moment(page: Page, names: list[str]) -> None:
    def stumble(route: Route, times: int) -> None:
        if times == 1:
            route.abort("connectionreset")
        elif times == 2:
            route.fulfill(status=503)
        else:
            route.continue_()

    meddler = Meddler(page, names[0], stumble)
    stats = page.evaluate("start()")
    assert meddler.asked[names[0]] == 3
    assert stats["load"]["total_seconds"] > 1  # it waits between tries


@pytest.mark.parametrize(
    ("file", "answer", "code", "words"),
    [
        ("manifest.json", {"json": {"format": 999}}, "format", "format 999"),
        ("manifest.json", {"body": "<!doctype html>"}, "format", "HTML page"),
        ("vocabulary.bin", {"status": 500}, "download_failed", "vocabulary.bin"),
        ("kernels-subgroups.wgsl", {"body": ""}, "integrity", "kernels-subgroups.wgsl is not what"),
    ],
    ids=["another format", "HTML", "no vocabulary", "other kernels"],
)
def test_other_files(page: Page, file: str, answer: dict[str, Any], code: str, words: str) -> None:
    page.route(f"**/{file}", lambda route: route.fulfill(**answer))
    failure = page.evaluate("failure(() => start())")
    assert failure["ours"]
    assert failure["code"] == code
    assert words in failure["message"]


def test_kernels_that_are_missing(
    bundle: Bundle, page: Page, hollow: Callable[..., Path], exchange: Callable[..., None]
) -> None:
    exchange(page, hollow(bundle), {"kernels-subgroups.wgsl": b""})
    failure = page.evaluate("failure(() => start())")
    assert failure["code"] == "format"
    assert "has no kernel" in failure["message"]


def test_three_files_in_memory_at_most(page: Page, names: list[str]) -> None:
    """No fourth is asked for until the first has gone to the GPU."""
    held: list[Route] = []
    page.route(SHARDS, lambda route: held.append(route))
    page.evaluate("void (globalThis.loading = start())")
    for _ in range(600):
        if len(held) >= 3:
            break
        page.wait_for_timeout(50)
    page.wait_for_timeout(500)
    assert len(held) == 3
    last, other = held[2], held[1]
    last.continue_()
    other.continue_()
    page.wait_for_timeout(300)
    assert len(held) == 3
    released = {1, 2}
    while len(released) < len(names):
        for i, route in enumerate(list(held)):
            if i not in released:
                released.add(i)
                route.continue_()
        page.wait_for_timeout(50)
    assert page.evaluate("loading")["load"]["bytes"] > 0
    found = [route.request.url.split("/")[-1] for route in held]
    assert found == names


def test_progress(page: Page, names: list[str]) -> None:
    script = """async () => {
      const told = [];
      await start({ onProgress: (progress) => told.push(progress) });
      return told;
    }"""
    told = page.evaluate(script)
    phases = list(dict.fromkeys(progress["phase"] for progress in told))
    assert phases == ["check", "kernels", "weights", "ready"]
    kernels = [p for p in told if p["phase"] == "kernels"]
    assert kernels[-1]["loaded"] == kernels[-1]["total"] > 0
    weights = [p for p in told if p["phase"] == "weights"]
    assert weights[-1]["loaded"] == weights[-1]["total"]
    assert weights[-1]["files"] == len(names)
    loaded = [p["loaded"] for p in weights]
    assert loaded == sorted(loaded)
