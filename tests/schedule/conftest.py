"""Plans of models that exist as shapes only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from gguf.constants import GGMLQuantizationType

from mdst.gguf import GgufFile
from mdst.models.config import ModelConfig, Rope
from mdst.models.decoder import build_model, expected_tensors
from mdst.models.registry import FAMILIES
from mdst.options import Options
from mdst.programs import plan_programs
from mdst.schedule.plan import Plan


@dataclass(frozen=True)
class _Info:
    name: str
    shape: tuple[int, ...]
    type: GGMLQuantizationType


@pytest.fixture(scope="session")
def plan_of() -> Callable[..., Plan]:
    """`plan(architecture, sizes, types, tied, extras, window, **options)`: all programs of a model,
    whose tensors have shapes and types but no data. `sizes`: layers, n_embd, n_ff, n_heads,
    n_kv_heads, head_dim, n_vocab; `types`: of tensors by the ends of their names."""
    made: dict[str, Plan] = {}

    def plan(
        architecture: str = "llama",
        sizes: tuple[int, ...] = (2, 64, 96, 4, 2, 32, 300),
        types: Mapping[str, str] | None = None,
        tied: bool = False,
        extras: tuple[str, ...] = (),
        window: int = 128,
        **options: Any,
    ) -> Plan:
        key = str((architecture, sizes, types, tied, extras, window, sorted(options.items())))
        if key not in made:
            layers, embd, ff, heads, kv_heads, head_dim, vocab = sizes
            config = ModelConfig(
                architecture, "shapes", layers, embd, heads, kv_heads, head_dim, ff, vocab, 1 << 20,
                1e-5, Rope(head_dim, 1e4, 1.0, True), None, head_dim**-0.5, (),
            )  # fmt: skip
            tensors = {}
            for spec in expected_tensors(config, FAMILIES[architecture]):
                wanted = spec.required or spec.name.endswith(extras)
                if wanted or (spec.name == "output.weight" and not tied):
                    tensors[spec.name] = _Info(spec.name, spec.shape, _type(spec, types or {}))
            file = cast(GgufFile, SimpleNamespace(tensors=tensors, path=Path("shapes.gguf")))
            model = build_model(file, config, window)
            made[key] = plan_programs(model.graph, Options(**options), window)
        return made[key]

    return plan


def _type(spec: Any, types: Mapping[str, str]) -> GGMLQuantizationType:
    if len(spec.shape) == 1:
        return GGMLQuantizationType.F32
    found = [types[end] for end in types if spec.name.endswith(f"{end}.weight")]
    return GGMLQuantizationType[found[0] if found else "Q4_0"]
