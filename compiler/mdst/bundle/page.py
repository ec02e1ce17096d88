"""The page of a bundle: what ships with every model, with the policy that this one needs."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from ..errors import InternalError, UsageError, printable
from ..report import Reporter
from .runtime_files import runtime_files

_SAME_ORIGIN = "connect-src 'self'"
_NETLOC = re.compile(r"[A-Za-z0-9.:\[\]-]+")


def page_files(weights_url: str | None, report: Reporter) -> dict[str, bytes]:
    """Names in a bundle → contents: index.html, its scripts and styles, the runtime. When weights
    are elsewhere, the page's Content-Security-Policy lets it connect there."""
    files = runtime_files(report)
    if weights_url is not None:
        page = files["index.html"].decode()
        if page.count(_SAME_ORIGIN) != 1:
            raise InternalError("PAGE001", "index.html has no policy to complete")
        policy = f"{_SAME_ORIGIN} {origin(weights_url)}"
        files["index.html"] = page.replace(_SAME_ORIGIN, policy).encode()
    return files


def origin(url: str) -> str:
    """Scheme, host and port of an absolute http(s) URL. Raises UsageError for anything else, also
    for characters that could end the policy it goes into."""
    parts = urlsplit(url)
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or not _NETLOC.fullmatch(parts.netloc)
    ):
        raise UsageError(
            "PAGE002", f"--weights-url {printable(url)} is not an absolute http or https URL"
        )
    return f"{parts.scheme}://{parts.netloc}"
