"""Known answers of WASM modules: right kernels pass, and what is wrong with one is found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mdst.codegen import templates
from mdst.codegen.wasm import generate
from mdst.codegen.wasm.generate import WasmCode, generate_wasm
from mdst.errors import InternalError
from mdst.gguf import read_gguf
from mdst.models.config import ModelConfig
from mdst.models.decoder import build_model
from mdst.options import MAX_MEMORY, Options
from mdst.programs import plan_programs, wasm_graphs
from mdst.quant.layout import FORMATS
from mdst.validate.wasm_products import check_products

TinyModel = Callable[..., Path]
TYPES = [type.name for type in FORMATS]
SHAPE = {"embedding": 256, "ff": 512, "head_dim": 64, "layers": 1}


def modules(path: Path, max_memory: int = MAX_MEMORY) -> list[WasmCode]:
    with read_gguf(path) as file:
        graph = build_model(file, ModelConfig.from_gguf(file), 128).graph
    plan = plan_programs(graph, Options(), 128)
    return generate_wasm(wasm_graphs(graph), plan, "f16", max_memory)


@pytest.mark.parametrize("type", TYPES)
def test_every_type_in_every_module(tiny_model: TinyModel, type: str) -> None:
    for module in modules(tiny_model(type=type, **SHAPE)):
        assert list(check_products(module)) == [f"matmul_{type}_8", f"matmul_{type}_16"]


@pytest.mark.parametrize("type", ["Q4_0", "Q4_K", "IQ3_S"])
def test_64_bit_addresses(tiny_model: TinyModel, type: str) -> None:
    for module in modules(tiny_model(type=type, **SHAPE), 1 << 16):
        assert module.variant.features[-1] == "memory64"
        assert len(list(check_products(module))) == 2


@pytest.mark.parametrize("type", ["Q4_0", "Q8_0", "Q5_1"])
def test_rows_that_end_within_a_group(tiny_model: TinyModel, type: str) -> None:
    """Decoders take eight chunks at a time: rows of 1, 2, 3, 9 chunks."""
    for embedding, ff in ((32, 64), (96, 288)):
        path = tiny_model(type=type, embedding=embedding, ff=ff, heads=(2, 1), layers=1)
        for module in modules(path):
            assert len(list(check_products(module))) >= 2


@pytest.mark.parametrize(
    ("type", "right", "wrong"),
    [
        ("Q4_K", "(i64.const 0x3030303030303030)", "(i64.const 0x3030303030303010)"),
        ("Q6_K", "(i32.const 2)", "(i32.const 3)"),
        ("Q8_0", "(f32.const 32767)", "(f32.const 32000)"),
        ("IQ2_S", "8 25 43", "8 25 42"),
    ],
)
def test_a_wrong_kernel_is_found(
    tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch, type: str, right: str, wrong: str
) -> None:
    module = modules(tiny_model(type=type, **SHAPE))[0]
    render = templates.render_wat

    def altered(**choices: object) -> str:
        text = render(**choices)
        assert right in text
        return text.replace(right, wrong)

    monkeypatch.setattr(generate, "render_wat", altered)
    with pytest.raises(InternalError) as error:
        list(check_products(module))
    assert error.value.id == "VALIDATE004"
