"""Every choice that a user of the compiler can make."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .errors import UsageError

MIB = 1 << 20
DEFAULT_CONTEXT = 4096
DEFAULT_CHUNK = 512
MAX_BINDING = 128 * MIB
"""WebGPU's default `maxStorageBufferBindingSize`, in bytes."""
MAX_MEMORY = 1 << 32
"""What 32-bit addresses of WebAssembly reach, in bytes."""

KvFormat = Literal["f16", "f32"]
Validation = Literal["none", "kernels", "full"]


@dataclass(frozen=True, slots=True)
class Options:
    """Options of a compile; the defaults are those of the command line."""

    context: int | None = None
    """Tokens that attention sees; None: the trained length, at most DEFAULT_CONTEXT."""
    chunk: int | None = None
    """Prompt tokens per prefill run; None: DEFAULT_CHUNK, or less where memory asks for it."""
    kv: KvFormat = "f16"
    """How keys and values are stored."""
    shard_size: int = 16 * MIB
    """Largest weight file, in bytes."""
    weights_url: str | None = None
    """Where the page finds weight files when they are not beside it."""
    chat_template: bool = True
    """Ship the model's chat template; without, only prompts as text or tokens."""
    validate: Validation = "kernels"
    require_gpu: bool = False
    """Fail instead of warn when kernels cannot be checked for want of an adapter."""
    force: bool = False
    """Replace an output directory that is not ours."""
    dump: Path | None = None
    """Directory for the text of the graph after every pass, the memory plan and the kernels."""
    jobs: int = 1
    """Threads that repack weights."""
    max_binding: int = MAX_BINDING
    """Largest weight binding in bytes; lower it to see row slices in small models."""
    max_memory: int = MAX_MEMORY
    """Largest memory of 32-bit WebAssembly in bytes; lower it to see small models cut by layers."""

    def window(self, trained: int) -> int:
        """The context for a model that was trained on `trained` positions."""
        return self.context or min(trained, DEFAULT_CONTEXT)

    def __post_init__(self) -> None:
        checks = {
            "--context: between 16 and 16777215": self.context is None
            or 16 <= self.context < 1 << 24,
            "--chunk: between 1 and 4096": self.chunk is None or 1 <= self.chunk <= 4096,
            "--shard-size: between 64 KiB and 256 MiB": 1 << 16 <= self.shard_size <= 256 * MIB,
            "--jobs: at least 1": self.jobs >= 1,
            "--max-binding: between 64 KiB and 128 MiB": 1 << 16 <= self.max_binding <= MAX_BINDING,
            "--max-memory: between 64 KiB and 4 GiB": 1 << 16 <= self.max_memory <= MAX_MEMORY,
        }
        for rule, holds in checks.items():
            if not holds:
                raise UsageError("OPTION001", rule.replace(":", " must be", 1))
