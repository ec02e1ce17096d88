"""Opens a bundle for the headless hosts; every byte of weights is checked against its hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import CannotReadError, MalformedError, UsageError, printable
from ..text import chat
from ..text.compact import expand
from ..text.vocabulary import Vocabulary
from .consistency import check_manifest
from .listing import verify_tree
from .manifest import Manifest, Shard, Tier, WasmModule, WasmPart, parse_manifest

KERNEL_MARK = "//! kernel "
"""Starts the line before each kernel in a tier's WGSL file; the kernel's name follows."""


@dataclass(frozen=True, slots=True)
class StoredKernel:
    """A compute shader of a bundle."""

    name: str
    wgsl: str
    access: Sequence[str]


@dataclass(frozen=True, slots=True)
class Bundle:
    """An opened `out/` directory."""

    path: Path
    weights: Path
    manifest: Manifest

    @classmethod
    def open(cls, path: Path, weights: Path | None = None, *, check: bool = True) -> Bundle:
        """`weights`: where the shards are when they are not in the bundle. `check`: every other
        file is held against the bundle's list of files first.

        Raises CannotReadError when there is nothing at `path`, UsageError when that is no bundle,
        MalformedError when it is a broken one.
        """
        if not path.exists():
            message = f"{printable(str(path), limit=400)}: there is no such folder"
            raise CannotReadError("OPEN004", message)
        if not (path / "manifest.json").is_file():
            raise UsageError(
                "OPEN001", f"{printable(str(path), limit=400)} is not a compiled model"
            )
        if check:
            verify_tree(path, lambda name: not name.startswith("weights/"))
        manifest = parse_manifest(_read(path / "manifest.json").decode("utf-8", "replace"))
        check_manifest(manifest)
        return cls(path, weights or path / "weights", manifest)

    def text(self, name: str) -> str:
        return _read(self.path / name).decode("utf-8", "replace")

    def chat_templates(self) -> dict[str, Any]:
        """Trees of the model's chat templates by name; none where it has none."""
        if not (self.path / chat.FILE).exists():
            return {}
        return chat.load_templates(_read(self.path / chat.FILE))

    def vocabulary(self) -> Vocabulary:
        return expand(_read(self.path / "vocabulary.bin"))

    def tier(self, name: str) -> Tier:
        for tier in self.manifest.tiers:
            if tier.name == name:
                return tier
        names = ", ".join(tier.name for tier in self.manifest.tiers)
        raise UsageError("OPEN002", f"no tier {printable(name)} (there are: {names})")

    def kernels(self, tier: Tier) -> list[StoredKernel]:
        """All kernels of a tier, in the manifest's order."""
        texts: Mapping[str, str] = dict(
            section.partition("\n")[::2] for section in self.text(tier.wgsl).split(KERNEL_MARK)[1:]
        )
        if missing := [k.name for k in tier.kernels if k.name not in texts]:
            raise MalformedError("OPEN007", f"{tier.wgsl} has no kernel {printable(missing[0])}")
        return [StoredKernel(k.name, texts[k.name], k.access) for k in tier.kernels]

    def wasm(self, module: WasmModule | WasmPart) -> bytes:
        return _read(self.path / module.file)

    def shards(self) -> Iterator[tuple[Shard, npt.NDArray[np.uint8]]]:
        """Every shard with its bytes, in the order of first use."""
        for weights in self.manifest.weights:
            for shard in weights.shards:
                yield shard, self.shard(shard)

    def shard(self, shard: Shard) -> npt.NDArray[np.uint8]:
        name = f"{shard.sha256}.bin"
        data = _read(self.weights / name)
        if hashlib.sha256(data).hexdigest() != shard.sha256:
            raise MalformedError(
                "OPEN003",
                f"weights/{name}: the content does not match its name ({len(data)} bytes found, "
                f"{shard.size} expected)",
                hint="copy the file again, or compile the model again",
            )
        return np.frombuffer(data, np.uint8)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or error
        raise CannotReadError("OPEN004", f"{printable(str(path), limit=400)}: {reason}") from error
