"""mdst-serve: shows a bundle on this machine with the response headers that it wants in public.

Cross-origin isolation (COOP, COEP) lets WASM use threads; `--csp` proves that the page works under
the strictest policy. Any static host does the rest: nothing here runs at the server's side.
"""

from __future__ import annotations

import errno
import json
import os
import re
import socket
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedReader
from pathlib import Path
from urllib.parse import quote, unquote

import click

from .. import __version__
from ..bundle.headers import IMMUTABLE, ISOLATION, POLICY, strict_policy
from ..bundle.page import weights_origin
from ..errors import CannotReadError, MalformedError, UsageError, printable
from .errors import run_command

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".ts": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".wgsl": "text/plain; charset=utf-8",
}
_SHARD = re.compile(r"(.*/)?weights/[0-9a-f]{64}\.bin")
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_PIECE = 1 << 20
_REVALIDATE = "no-cache"


@dataclass(frozen=True, slots=True)
class Site:
    """What is served: the folder `root` (resolved) under the URL path `base` ("/" or "/a/b/")."""

    root: Path
    base: str
    headers: dict[str, str]

    def find(self, url_path: str) -> Path | None:
        """The file of the decoded `url_path`, or of the index.html in it; None if there is none.

        Hidden names and whatever lies outside `root`, by dots or by links, do not exist.
        """
        if not url_path.startswith(self.base):
            return None
        parts = url_path.removeprefix(self.base).split("/")
        if parts[-1] == "":
            parts[-1] = "index.html"
        if any(part.startswith(".") or part == "" or not part.isprintable() for part in parts):
            return None
        try:
            path = self.root.joinpath(*parts).resolve()
            return path if path.is_relative_to(self.root) and path.is_file() else None
        except (OSError, RuntimeError):  # a name too long, a circle of links
            return None


def policy(weights_url: str | None) -> str:
    """The policy of a bundle whose shards lie at `weights_url`. Raises MalformedError (SERVE003) if
    that is no place for them."""
    try:
        return strict_policy(weights_origin(weights_url))
    except ValueError as error:
        raise MalformedError("SERVE003", f"manifest.json: weights_url {error}") from error


def make_server(
    out: Path, *, host: str = "127.0.0.1", port: int = 8000, csp: bool = False, base: str = "/"
) -> tuple[ThreadingHTTPServer, str]:
    """A server of the folder `out`, bound but not yet serving, and its URL; port 0 is a free one.

    Raises CannotReadError (SERVE001) if `out` is no folder, UsageError (SERVE002) if the address
    cannot be used, MalformedError (SERVE003) if the manifest tells no policy.
    """
    if not out.is_dir():
        raise CannotReadError("SERVE001", f"{printable(str(out), limit=400)} is not a folder")
    root = out.resolve()
    headers = dict(ISOLATION)
    if csp:
        headers[POLICY] = policy(_weights_url(root))
    site = Site(root, f"/{base.strip('/')}/" if base.strip("/") else "/", headers)
    wide = ":" in host
    address = f"[{host}]" if wide else host
    try:
        server = (_Server6 if wide else ThreadingHTTPServer)(
            (host, port), partial(_Handler, site=site)
        )
    except OSError as error:
        of_port = error.errno in (errno.EADDRINUSE, errno.EACCES)
        message = f"cannot listen on {address}:{port}: {error.strerror or error}"
        hint = "try --port 0" if of_port else None
        raise UsageError("SERVE002", message, hint=hint) from error
    return server, f"http://{address}:{server.server_port}{quote(site.base)}"


class _Server6(ThreadingHTTPServer):
    address_family = socket.AF_INET6


def wanted_part(header: str | None, size: int) -> range | None:
    """The bytes of a file that a Range header asks for: all of them without a header, and for what
    a server may ignore (other units, several ranges: RFC 9110, 14.2); None if the file has none."""
    match = _RANGE.fullmatch((header or "").strip())
    if match is None or match[1] == match[2] == "":
        return range(size)
    if match[1] == "":  # the last bytes
        return range(max(0, size - int(match[2])), size) if size and int(match[2]) else None
    first, last = int(match[1]), int(match[2] or size)
    if match[2] and last < first:
        return range(size)
    return range(first, min(last + 1, size)) if first < size else None


def _weights_url(root: Path) -> str | None:
    try:
        manifest = json.loads((root / "manifest.json").read_bytes())
        url = manifest.get("weights_url")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise MalformedError("SERVE003", f"manifest.json cannot be read: {error}") from error
    return None if url is None else str(url)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = f"mdst/{__version__}"
    sys_version = ""
    timeout = 60

    def __init__(self, *args: object, site: Site) -> None:
        self._site = site
        self._cache = _REVALIDATE
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        url_path = unquote(self.path.partition("?")[0])
        found = self._site.find(url_path)
        if found is None and self._site.find(url_path + "/"):
            self._redirect(quote(url_path) + "/")
        elif found is None:
            self.send_error(HTTPStatus.NOT_FOUND)
        else:
            self._send(found, url_path, with_body)

    def _redirect(self, place: str) -> None:
        self.send_response(HTTPStatus.MOVED_PERMANENTLY)
        self.send_header("Location", place)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, path: Path, url_path: str, with_body: bool) -> None:
        try:
            file = path.open("rb")
        except OSError:
            self.send_error(HTTPStatus.FORBIDDEN)
            return
        with file:
            size = os.fstat(file.fileno()).st_size
            part = wanted_part(self.headers.get("Range"), size) if with_body else range(size)
            self._cache = IMMUTABLE if _SHARD.fullmatch(url_path) else _REVALIDATE
            if part is None:
                self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
                self.send_header("Content-Range", f"bytes */{size}")
                part = range(0)
            elif len(part) < size:
                self.send_response(HTTPStatus.PARTIAL_CONTENT)
                self.send_header("Content-Range", f"bytes {part.start}-{part.stop - 1}/{size}")
            else:
                self.send_response(HTTPStatus.OK)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Type", _TYPES.get(path.suffix, "application/octet-stream"))
            self.send_header("Content-Length", str(len(part)))
            self.end_headers()
            if with_body:
                self._copy(file, part)

    def _copy(self, file: BufferedReader, part: range) -> None:
        file.seek(part.start)
        for at in range(part.start, part.stop, _PIECE):
            self.wfile.write(file.read(min(_PIECE, part.stop - at)))

    def end_headers(self) -> None:
        """Every response carries the headers of the site, errors included."""
        for name, value in self._site.headers.items():
            self.send_header(name, value)
        self.send_header("Cache-Control", self._cache)
        self._cache = _REVALIDATE
        super().end_headers()

    def handle(self) -> None:
        """A page that is closed while it loads is no error."""
        try:
            super().handle()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Only what went wrong."""
        if int(code) >= HTTPStatus.BAD_REQUEST:
            super().log_request(code, size)

    def log_error(self, format: str, *args: object) -> None:
        """`log_request` has told it."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True,
    help="0 takes a free one.",
)  # fmt: skip
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--csp", is_flag=True, help="Send the strictest Content-Security-Policy.")
@click.option("--base", default="/", help="Serve below this path, as some hosts do.")
@click.version_option(__version__, "--version")
def command(out: Path, port: int, host: str, csp: bool, base: str) -> None:
    """Previews the bundle OUT on this machine."""
    server, url = make_server(out, host=host, port=port, csp=csp, base=base)
    with server:
        click.echo(url)
        server.serve_forever()


def main() -> None:
    """The program `mdst-serve`."""
    run_command(command, "mdst-serve")
