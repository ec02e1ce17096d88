"""Configurations from metadata."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from gguf.gguf_writer import GGUFWriter
from tiny_metadata import Keys

from mdst.gguf import read_gguf
from mdst.models.config import ModelConfig


@pytest.fixture
def configure(tmp_path: Path) -> Callable[[Keys], ModelConfig]:
    def run(keys: Keys) -> ModelConfig:
        path = tmp_path / "x.gguf"
        writer = GGUFWriter(path, "unused")
        writer.kv_data[0].clear()
        for key, (value, kind, *element) in keys.items():
            writer.add_key_value(key, value, kind, *element)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.close()
        with read_gguf(path) as file:
            return ModelConfig.from_gguf(file)

    return run
