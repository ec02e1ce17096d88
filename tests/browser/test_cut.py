"""Bodies that end too early: the connection is closed in the middle of a weight file."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mdst.bundle.reader import Bundle

if TYPE_CHECKING:
    from playwright.sync_api import Page


class CuttingServer(ThreadingHTTPServer):
    """Sends the first half of a file, then hangs up, `cuts` times for each file."""

    def __init__(self, folder: Path, cuts: int) -> None:
        super().__init__(("127.0.0.1", 0), CuttingHandler)
        self.folder, self.cuts = folder, cuts
        self.asked: dict[str, list[str | None]] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class CuttingHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: CuttingServer

    def do_GET(self) -> None:
        name = self.path.split("/")[-1]
        ranges = self.server.asked.setdefault(name, [])
        ranges.append(self.headers.get("Range"))
        data = (self.server.folder / name).read_bytes()
        start = int(ranges[-1].removeprefix("bytes=").split("-")[0]) if ranges[-1] else 0
        body = data[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{name}"')
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        cut = len(ranges) <= self.server.cuts
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.wfile.flush()
        if cut:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def bundle(compiled: Callable[..., Bundle], tiny_model: Callable[..., Path]) -> Bundle:
    return compiled(tiny_model(), kv="f32", context=32, chunk=8, shard_size=1 << 17)


@pytest.fixture
def cutting(bundle: Bundle) -> Iterator[Callable[[int], CuttingServer]]:
    servers: list[CuttingServer] = []

    def start(cuts: int) -> CuttingServer:
        servers.append(CuttingServer(bundle.path / "weights", cuts))
        threading.Thread(target=servers[-1].serve_forever, args=(0.05,), daemon=True).start()
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def page(
    bundle: Bundle,
    hollow: Callable[..., Path],
    serve: Callable[..., str],
    open_page: Callable[..., Page],
) -> Page:
    return open_page(serve(hollow(bundle)))


def through(page: Page, server: CuttingServer) -> None:
    page.route(
        "**/weights/*.bin",
        lambda route: route.continue_(url=f"{server.url}/{route.request.url.split('/')[-1]}"),
    )


def test_a_body_that_is_cut_goes_on(
    page: Page, bundle: Bundle, cutting: Callable[[int], CuttingServer]
) -> None:
    server = cutting(1)
    through(page, server)
    assert page.evaluate("start()")["refused"] == []
    assert server.asked.keys() == {f"{shard.sha256}.bin" for shard, _ in bundle.shards()}
    # What came before is kept where the browser tells it of a cut body; else the file comes anew.
    assert all(len(ranges) == 2 for ranges in server.asked.values()), server.asked


def test_a_body_that_is_always_cut_is_told(
    page: Page, cutting: Callable[[int], CuttingServer]
) -> None:
    through(page, cutting(1000))
    failure = page.evaluate("failure(() => start())")
    assert failure["ours"]
    assert failure["code"] == "download_failed"
    assert "weights/" in failure["message"]
