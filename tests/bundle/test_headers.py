"""The file of response headers in a bundle."""

from __future__ import annotations

import pytest

from mdst.bundle.headers import HEADERS
from mdst.bundle.page import page_files
from mdst.cli.serve import policy
from mdst.report import Reporter


def parsed(text: str) -> dict[str, dict[str, str]]:
    """Patterns → their headers, as Netlify reads the file."""
    found: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        if not line.startswith(" "):
            headers = found.setdefault(line, {})
        else:
            name, _, value = line.strip().partition(": ")
            headers[name] = value
    return found


@pytest.mark.parametrize("url", [None, "weights/", "https://cdn.example/w/"])
def test_hosts_are_told_what_our_own_server_sends(url: str | None) -> None:
    found = parsed(page_files(url, Reporter())[HEADERS].decode())
    assert list(found) == ["/*", "/weights/*"]
    assert found["/*"] == {
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Embedder-Policy": "require-corp",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": policy(url),
    }
    assert "immutable" in found["/weights/*"]["Cache-Control"]
