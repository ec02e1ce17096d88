"""The preview server, spoken to over a real socket."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mdst.bundle.page import page_files
from mdst.cli.serve import command, make_server, policy
from mdst.errors import CannotReadError, MalformedError, UsageError
from mdst.report import Reporter

PACKAGE_ROOT = Path(__file__).resolve().parents[2] / "compiler"
SHARD = "weights/" + "0123456789abcdef" * 4 + ".bin"
FILES = {
    "index.html": "text/html; charset=utf-8",
    "mdst.js": "text/javascript; charset=utf-8",
    "manifest.json": "application/json",
    "kernels-base.wgsl": "text/plain; charset=utf-8",
    "decode.wasm": "application/wasm",
    "runtime/worker.js": "text/javascript; charset=utf-8",
    "sub/index.html": "text/html; charset=utf-8",
    SHARD: "application/octet-stream",
    "weights/other.bin": "application/octet-stream",
}


class Answer:
    """Status, headers (names in lower case) and body of one response."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()


class Client:
    """Starts servers of one folder and asks them."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.stack: list[Callable[[], object]] = []

    def serve(self, *, csp: bool = False, base: str = "/") -> Callable[..., Answer]:
        server, url = make_server(self.out, port=0, csp=csp, base=base)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        self.stack += [server.shutdown, thread.join, server.server_close]
        port = int(url.split(":")[2].split("/")[0])

        def ask(path: str, method: str = "GET", **headers: str) -> Answer:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.putrequest(method, path)
            for header in headers.items():
                connection.putheader(*header)
            connection.endheaders()
            answer = Answer(connection.getresponse())
            connection.close()
            return answer

        return ask


@pytest.fixture
def contents(rng: np.random.Generator) -> dict[str, bytes]:
    files = {name: rng.bytes(int(rng.integers(1, 100_000))) for name in FILES}
    return files | {"manifest.json": b"{}"}


@pytest.fixture
def client(tmp_path: Path, contents: dict[str, bytes]) -> Iterator[Client]:
    out = tmp_path / "out"
    for name, data in contents.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(data)
    (tmp_path / "secret.txt").write_text("secret")
    (out / "link.txt").symlink_to(tmp_path / "secret.txt")
    (out / "circle").symlink_to("circle")
    (out / ".hidden").write_text("secret")
    started = Client(out)
    yield started
    for end in started.stack:
        end()


def test_files_come_whole_with_their_type(client: Client, contents: dict[str, bytes]) -> None:
    ask = client.serve()
    for name, kind in FILES.items():
        answer = ask(f"/{name}")
        assert answer.status == 200
        assert answer.body == contents[name]
        assert answer.headers["content-type"] == kind
        head = ask(f"/{name}", "HEAD")
        assert (head.body, head.headers["content-length"]) == (b"", str(len(contents[name])))


def test_folders_answer_with_their_page(client: Client, contents: dict[str, bytes]) -> None:
    ask = client.serve()
    assert ask("/").body == ask("/?a=../b").body == contents["index.html"]
    assert ask("/sub/").body == contents["sub/index.html"]
    moved = ask("/sub?x")
    assert (moved.status, moved.headers["location"]) == (301, "/sub/")
    assert ask("/weights/").status == ask("/weights").status == 404


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/", "GET", 200),
        (f"/{SHARD}", "HEAD", 200),
        ("/sub", "GET", 301),
        ("/nothing", "GET", 404),
        ("/", "POST", 501),
        ("/" + "x" * 70_000, "GET", 414),
    ],
)
@pytest.mark.parametrize("csp", [False, True])
def test_every_response_carries_the_headers(
    client: Client, path: str, method: str, status: int, csp: bool
) -> None:
    answer = client.serve(csp=csp)(path, method)
    assert answer.status == status
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["cross-origin-embedder-policy"] == "require-corp"
    assert answer.headers.get("content-security-policy") == (policy(None) if csp else None)


def test_only_shards_are_cached_for_good(client: Client) -> None:
    ask = client.serve()
    immutable = {name for name in FILES if "immutable" in ask(f"/{name}").headers["cache-control"]}
    assert immutable == {SHARD}
    for path in ("/", "/index.html", "/sub", "/nothing", f"/{SHARD[:-5]}0.bin"):
        assert ask(path).headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e/secret.txt",
        "/sub/../../secret.txt",
        "/sub/..%2f..%2fsecret.txt",
        "/..\\secret.txt",
        "//secret.txt",
        "/%2f/secret.txt",
        "/link.txt",
        "/circle",
        "/.hidden",
        "/./index.html",
        "/index.html/",
        "/index.html%00",
        "/index.html%0d%0ax",
        "/%ff%fe",
        "//[",
        "*",
        "/" + "x" * 300,
    ],
)
def test_there_is_no_way_out(client: Client, path: str) -> None:
    answer = client.serve()(path)
    assert answer.status == 404
    assert b"secret" not in answer.body.lower()


def test_an_absolute_secret_is_not_reached(client: Client) -> None:
    assert client.serve()(f"/{client.out.parent}/secret.txt").status == 404


@pytest.mark.parametrize("base", ["/a/b/", "a/b", "/a/b"])
def test_below_a_path(client: Client, contents: dict[str, bytes], base: str) -> None:
    ask = client.serve(base=base)
    assert ask("/a/b/").body == contents["index.html"]
    assert ask("/a/b/runtime/worker.js").body == contents["runtime/worker.js"]
    assert ask("/a/b").headers["location"] == "/a/b/"
    for path in ("/", "/index.html", "/a/", "/a/bindex.html", "/a/b/a/b/"):
        assert ask(path).status == 404
    assert "immutable" in ask(f"/a/b/{SHARD}").headers["cache-control"]


def test_many_ask_at_once(client: Client, contents: dict[str, bytes]) -> None:
    ask = client.serve()
    results: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: results.append(ask(f"/{SHARD}").body)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [contents[SHARD]] * 8


@pytest.mark.parametrize(
    ("wanted", "status", "found"),
    [
        ("bytes=0-", 200, range(1000)),
        ("bytes=400-", 206, range(400, 1000)),
        ("bytes=400-499", 206, range(400, 500)),
        ("bytes=999-5000", 206, range(999, 1000)),
        ("bytes=-1", 206, range(999, 1000)),
        ("bytes=-5000", 200, range(1000)),
        ("bytes=1000-", 416, range(0)),
        ("bytes=-0", 416, range(0)),
        ("bytes=500-400", 200, range(1000)),
        ("bytes=0-1,5-6", 200, range(1000)),
        ("bytes=-", 200, range(1000)),
        ("words=1-2", 200, range(1000)),
    ],
)
def test_a_part_of_a_file(client: Client, wanted: str, status: int, found: range) -> None:
    data = os.urandom(1000)
    (client.out / SHARD).write_bytes(data)
    answer = client.serve()(f"/{SHARD}", Range=wanted)
    assert (answer.status, answer.body) == (status, data[found.start : found.stop])
    assert answer.headers["accept-ranges"] == "bytes"
    told = {200: None, 206: f"bytes {found.start}-{found.stop - 1}/1000", 416: "bytes */1000"}
    assert answer.headers.get("content-range") == told[status]


@pytest.mark.parametrize(
    ("url", "connect"),
    [
        (None, "connect-src 'self';"),
        ("./weights/", "connect-src 'self';"),
        ("weights/", "connect-src 'self';"),
        ("/static/weights/", "connect-src 'self';"),
        ("https://cdn.example", "connect-src 'self' https://cdn.example;"),
        ("https://cdn.example:8443/a/b/", "connect-src 'self' https://cdn.example:8443;"),
        ("http://[::1]:80/", "connect-src 'self' http://[::1]:80;"),
    ],
)
def test_the_policy_names_the_origin_of_the_weights(url: str | None, connect: str) -> None:
    assert connect in policy(url)
    assert policy(url).startswith("default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; ")


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://a/", "//cdn.example/", "javascript:x", "https://a b/", "https://a;b/"),
        *("https:///x", "", "/\\a/", " /w", "w?", "https://u@a/", "https://[::1/", "http://a:-1/"),
    ],
)
def test_a_bad_origin_is_refused(url: str) -> None:
    """By the server as by the compiler."""
    with pytest.raises(MalformedError, match="neither a path nor an http or https URL"):
        policy(url)
    with pytest.raises(UsageError, match=r"--weights-url .* neither a path nor an http or https"):
        page_files(url, Reporter())


def test_the_page_may_connect_where_the_weights_are() -> None:
    def connects(url: str | None) -> str:
        page = page_files(url, Reporter())["index.html"].decode()
        [found] = re.findall(r"connect-src [^;]*", page)
        return str(found)

    assert connects(None) == connects("../w") == "connect-src 'self'"
    assert connects("https://cdn.example/w") == "connect-src 'self' https://cdn.example"


def test_the_origin_comes_from_the_manifest(client: Client) -> None:
    manifest = client.out / "manifest.json"
    manifest.write_text(json.dumps({"weights_url": "https://cdn.example/w/"}))
    sent = client.serve(csp=True)("/mdst.js").headers["content-security-policy"]
    assert sent == policy("https://cdn.example/w/")
    manifest.write_text(json.dumps({"weights_url": None}))
    assert client.serve(csp=True)("/").headers["content-security-policy"] == policy(None)
    for bad in ("{", "[]", "[" * 100_000):
        manifest.write_text(bad)
        with pytest.raises(MalformedError, match=r"manifest\.json"):
            make_server(client.out, port=0, csp=True)


def test_addresses_that_cannot_be_had(client: Client, tmp_path: Path) -> None:
    with pytest.raises(CannotReadError, match="is not a folder"):
        make_server(tmp_path / "nowhere", port=0)
    with pytest.raises(UsageError, match=r"cannot listen on no\.such\.invalid:0") as caught:
        make_server(client.out, host="no.such.invalid", port=0)
    assert caught.value.hint is None  # another port does not help
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match="Address already in use"):
            make_server(client.out, port=port)


def test_an_ipv6_address_and_an_odd_path(client: Client) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("needs IPv6")
    server, url = make_server(client.out, host="::1", port=0, base="/a b/")
    server.server_close()
    assert re.fullmatch(r"http://\[::1\]:\d+/a%20b/", url)


@pytest.mark.parametrize("port", ["-1", "65536", "x"])
def test_ports_that_are_none(client: Client, invoke: Callable[..., Any], port: str) -> None:
    done = invoke(command, "mdst-serve", client.out, "--port", port)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("mdst-serve: error[USAGE]: Invalid value for '--port'")


def test_the_command_prints_its_url_and_ends_on_interrupt(
    client: Client, contents: dict[str, bytes]
) -> None:
    code = "from mdst.cli.serve import main; main()"
    args = [str(client.out), "--port", "0", "--csp", "--base", "/demo/"]
    child = subprocess.Popen(
        [sys.executable, "-c", code, *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PACKAGE_ROOT)},
    )
    assert child.stdout is not None
    host, path = child.stdout.readline().strip().removeprefix("http://").split("/", 1)
    connection = http.client.HTTPConnection(host, timeout=10)
    connection.request("GET", f"/{path}mdst.js")
    assert connection.getresponse().read() == contents["mdst.js"]
    connection.close()
    child.send_signal(signal.SIGINT)
    assert child.communicate(timeout=20) == ("", "")
    assert child.returncode == 130
