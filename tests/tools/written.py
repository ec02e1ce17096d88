"""Small bundles, written and read back."""

from __future__ import annotations

from pathlib import Path

from mdst.bundle.listing import verify_tree
from mdst.bundle.writer import BundleWriter


def compile_into(out: Path, text: str = "new", *, force: bool = False) -> BundleWriter:
    with BundleWriter(out, force=force) as writer:
        writer.write("index.html", text.encode())
        with writer.file("weights/0.bin") as file:
            file.write(b"front,")
            file.write(memoryview(text.encode()))
    return writer


def text_of(out: Path) -> str:
    verify_tree(out)
    return (out / "index.html").read_text()


def beside(out: Path) -> set[str]:
    return {path.name for path in out.parent.iterdir()} - {out.name}
