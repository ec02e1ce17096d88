"""The damaged files of ../shared/mutations."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

_SCRIPT = Path(__file__).parents[2].parent / "shared" / "mutations" / "mutate_gguf.py"


def _load() -> dict[str, tuple[bytes, str, str]]:
    if not _SCRIPT.exists():
        return {}
    spec = importlib.util.spec_from_file_location("mutate_gguf", _SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: dict[str, tuple[bytes, str, str]] = module.M
    return found


MUTATIONS = _load()
"""Name → (content, expected verdict, layer); empty without the shared files."""
needs_mutations = pytest.mark.skipif(not MUTATIONS, reason="../shared/mutations is absent")
