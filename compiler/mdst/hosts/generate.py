"""Prompt → tokens, on any host."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .host import END, Host


def generate(host: Host, prompt: Sequence[int], max_tokens: int, steps: int) -> Iterator[list[int]]:
    """Yields generated ids as they come, `steps` at most at a time; an end token ends it and is not
    among them. What is generated does not depend on `steps`."""
    host.prefill(prompt)
    left = max_tokens
    made = host.sample() if left else []
    while made:
        shown = made[:-1] if host.done == END else made
        left -= len(shown)
        if shown:
            yield shown
        made = host.decode(min(steps, left)) if left and not host.done else []
