"""What a user sees at the end of a compile."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..errors import printable
from ..summary import Summary
from .sizes import readable


def print_summary(summary: Summary, out: Path) -> None:
    """A table on stdout, and how to open the page, on one line to be copied."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _rows(summary, out):
        table.add_row(name, escape(value))
    console = Console(highlight=False)
    console.print(table)
    served = shlex.quote(str(out))
    console.print(f"open the page: mdst-serve {served}", soft_wrap=True, markup=False)


def _rows(summary: Summary, out: Path) -> Iterator[tuple[str, str]]:
    manifest = summary.manifest
    model = manifest.model
    yield "model", f"{printable(model.name)}, {model.architecture}, {model.layers} layers"
    yield "parameters", f"{model.parameters:,}"
    yield "types", ", ".join(f"{t} {readable(s)}" for t, s in summary.quant_mix.items())
    shards = [shard for weights in manifest.weights for shard in weights.shards]
    yield "weights", f"{readable(summary.weight_bytes)} in {len(shards)} files"
    context = manifest.context
    yield "context", f"{context.window} tokens, prompts in chunks of {context.chunk}"
    memory = {kind: size for kind, size in summary.memory.items() if size >= 1 << 16}
    parts = ", ".join(f"{kind} {readable(size)}" for kind, size in memory.items())
    yield "GPU memory", f"{readable(sum(summary.memory.values()))}: {parts}"
    yield "decode", f"{summary.dispatches} dispatches per token, {summary.kernels} kernels"
    yield "operators", ", ".join(f"{count} {name}" for name, count in summary.fused.items())
    yield "checked", "\n".join(summary.checked) or "nothing"
    if summary.moved_aside:
        yield "moved aside", str(summary.moved_aside)
    yield "written", str(out)
