"""The response headers that a bundle wants of its server, and their file for hosts that read one.

Cross-origin isolation (COOP, COEP) lets WebAssembly use threads; the policy is the strictest that
the page works under.
"""

from __future__ import annotations

HEADERS = "_headers"
"""Read from the root of a site by Cloudflare Pages, Netlify and others; a file like any other
elsewhere."""
ISOLATION = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "X-Content-Type-Options": "nosniff",
}
POLICY = "Content-Security-Policy"
IMMUTABLE = "public, max-age=31536000, immutable"


def strict_policy(origin: str | None) -> str:
    """The strictest Content-Security-Policy that a bundle works under; shards may come from
    `origin`."""
    connect = f"'self' {origin}" if origin else "'self'"
    return (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; "
        f"connect-src {connect}; worker-src 'self'; style-src 'self'; img-src 'self' data:"
    )


def headers_file(origin: str | None) -> bytes:
    """A pattern of paths, then its headers (https://docs.netlify.com/routing/headers/). The names
    of weights are their hashes, so they never change."""
    everywhere = {**ISOLATION, POLICY: strict_policy(origin)}
    lines = ["/*", *(f"  {name}: {value}" for name, value in everywhere.items())]
    lines += ["/weights/*", f"  Cache-Control: {IMMUTABLE}"]
    return ("\n".join(lines) + "\n").encode()
