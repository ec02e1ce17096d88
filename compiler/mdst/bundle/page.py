"""The page of a bundle: what ships with every model, with the policy that this one needs."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from ..errors import InternalError, UsageError, printable
from ..report import Reporter
from .headers import HEADERS, headers_file
from .runtime_files import runtime_files

_SAME_ORIGIN = "connect-src 'self'"
_NETLOC = re.compile(r"[A-Za-z0-9.:\[\]-]+")
_RELATIVE = re.compile(r"(?!//)[A-Za-z0-9._~%/-]+")


def page_files(weights_url: str | None, report: Reporter) -> dict[str, bytes]:
    """Names in a bundle → contents: index.html, its scripts and styles, the runtime, `_headers`.
    When weights are on another origin, the Content-Security-Policy lets the page connect there.
    Raises UsageError (PAGE002) for what `weights_origin` does not take."""
    files = runtime_files(report)
    try:
        origin = weights_origin(weights_url)
    except ValueError as error:
        raise UsageError("PAGE002", f"--weights-url {error}") from error
    if origin is not None:
        page = files["index.html"].decode()
        if page.count(_SAME_ORIGIN) != 1:
            raise InternalError("PAGE001", "index.html has no policy to complete")
        files["index.html"] = page.replace(_SAME_ORIGIN, f"{_SAME_ORIGIN} {origin}").encode()
    files[HEADERS] = headers_file(origin)
    return files


def weights_origin(url: str | None) -> str | None:
    """`scheme://host:port` of an absolute http(s) URL, to be named in a policy; None for no URL and
    for a path, which stays on the page's own origin. Raises ValueError for anything else, also for
    characters that could end the policy."""
    if url is None or _RELATIVE.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a bad port or IPv6 address
        good = False
    if not good or not _NETLOC.fullmatch(parts.netloc):
        raise ValueError(f"{printable(url)} is neither a path nor an http or https URL")
    return f"{parts.scheme}://{parts.netloc}"
