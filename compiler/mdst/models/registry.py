"""`general.architecture` → family."""

from __future__ import annotations

from collections.abc import Mapping

from .family import Family
from .llama import LLAMA
from .qwen import QWEN2, QWEN3

FAMILIES: Mapping[str, Family] = {"llama": LLAMA, "qwen2": QWEN2, "qwen3": QWEN3}
