"""Fixtures shared by all tests."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from gguf.constants import GGMLQuantizationType
from gguf.gguf_reader import GGUFReader
from gguf.gguf_writer import GGUFWriter
from gguf.quants import dequantize, quantize

from mdst.bundle import page
from mdst.bundle.reader import Bundle
from mdst.bundle.runtime_files import runtime_files
from mdst.codegen.tiers import FLOAT_TIERS, TIERS, Tier
from mdst.compile import compile_model
from mdst.errors import UnsupportedError
from mdst.gguf import read_gguf
from mdst.hosts.choose import open_wasm
from mdst.hosts.host import Host
from mdst.hosts.numpy_host import NumpyHost
from mdst.hosts.wgpu_device import Device
from mdst.hosts.wgpu_host import WgpuHost
from mdst.models.config import ModelConfig
from mdst.models.decoder import Model, build_model
from mdst.options import Options
from mdst.quant.layout import format_named
from mdst.report import Reporter

ROOT = Path(__file__).resolve().parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write what the tests find to tests/golden"
    )


@pytest.fixture(scope="session", autouse=True)
def _scripts_once() -> Iterator[None]:
    """The scripts of all bundles are made once: they do not depend on the model, and are a third of
    the work of compiling a tiny one."""
    once = cache(runtime_files)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "runtime_files", lambda _: dict(once()))
        yield


@pytest.fixture
def rng() -> np.random.Generator:
    """Fresh data in every run; a failure prints the seed."""
    seed = int(np.random.SeedSequence().entropy) % 2**32  # type: ignore[arg-type]
    print(f"seed {seed}")
    return np.random.default_rng(seed)


@pytest.fixture(scope="session", params=FLOAT_TIERS)
def device(request: pytest.FixtureRequest) -> Iterator[Device]:
    """A GPU device of each tier; skips where there is no adapter."""
    try:
        yield Device(request.param)
    except UnsupportedError as error:
        pytest.skip(error.message)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of larger test data beside the checkout."""
    path = ROOT.parent / "shared"
    if not path.is_dir():
        pytest.skip("needs the test data folder ../shared")
    return path


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """`check(text)`: text is what tests/golden/<test file>/<test name>.txt holds. With
    --update-golden the file is written instead, to be read in the diff."""
    name = re.sub(r"[^\w.]+", "-", request.node.name).strip("-")
    path = ROOT / "tests/golden" / request.path.stem / f"{name}.txt"

    def check(text: str) -> None:
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"{path} is missing: run pytest --update-golden, and read the diff"
        assert text == path.read_text(encoding="utf-8")

    return check


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`make(architecture, …)`: a small GGUF file with random weights; see `write_tiny` for what can
    be asked for. Equal requests give the same file."""
    folder = tmp_path_factory.mktemp("tiny")
    made: dict[str, Path] = {}

    def make(architecture: str = "llama", **choices: Any) -> Path:
        key = f"{architecture} {sorted(choices.items())}"
        if key not in made:
            made[key] = folder / f"{architecture}-{len(made)}.gguf"
            write_tiny(made[key], architecture, **choices)
        return made[key]

    return make


def write_tiny(
    path: Path,
    architecture: str,
    *,
    type: str = "Q8_0",
    types: Mapping[str, str] = {},
    layers: int = 2,
    embedding: int = 64,
    ff: int = 96,
    heads: tuple[int, int] = (4, 2),
    head_dim: int = 32,
    vocabulary: int = 300,
    context: int = 128,
    tied: bool = False,
    extras: tuple[str, ...] = (),
    template: str | None = None,
    seed: int = 1,
) -> None:
    """A model with a SentencePiece vocabulary of bytes and made-up words. Matrices have the GGUF
    `type`, but those that `types` names (attn_v, output, …). `extras`: optional tensors, such as
    rope_freqs, or attn_q.bias and ffn_up.scale (in every layer). `template`: for chats."""
    rng = np.random.default_rng(seed)
    writer = GGUFWriter(path, architecture)
    writer.add_name(f"tiny {architecture}")
    writer.add_block_count(layers)
    writer.add_context_length(context)
    writer.add_embedding_length(embedding)
    writer.add_feed_forward_length(ff)
    writer.add_head_count(heads[0])
    writer.add_head_count_kv(heads[1])
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    writer.add_rope_dimension_count(head_dim)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    words = [f"▁w{i}" for i in range(vocabulary - 259)]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(["<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256)), *words])
    writer.add_token_scores([0.0] * 259 + [-float(i) for i in range(len(words))])
    writer.add_token_types([2, 3, 3] + [6] * 256 + [1] * len(words))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    if template is not None:
        writer.add_chat_template(template)
    q, kv = (n * head_dim for n in heads)
    matrices = {
        "attn_q": (q, embedding),
        "attn_k": (kv, embedding),
        "attn_v": (kv, embedding),
        "attn_output": (embedding, q),
        "ffn_gate": (ff, embedding),
        "ffn_up": (ff, embedding),
        "ffn_down": (embedding, ff),
    }
    norms = {"attn_norm": embedding, "ffn_norm": embedding}
    if architecture == "qwen3":
        norms |= {"attn_q_norm": head_dim, "attn_k_norm": head_dim}
    blocks = [f"blk.{layer}." for layer in range(layers)]
    shapes = {"token_embd": (vocabulary, embedding)}
    shapes |= {} if tied else {"output": (vocabulary, embedding)}
    shapes |= {f"{block}{name}": shape for block in blocks for name, shape in matrices.items()}
    for name, shape in shapes.items():
        chosen = GGMLQuantizationType[types.get(name.split(".")[-1], type)]
        raw = random_matrix(rng, chosen, *shape)
        writer.add_tensor(f"{name}.weight", raw, raw_dtype=chosen)
    vectors = {f"{block}{name}.weight": size for block in blocks for name, size in norms.items()}
    vectors["output_norm.weight"] = embedding
    for extra in extras:
        name, _, kind = extra.partition(".")
        if name == "rope_freqs":
            vectors["rope_freqs.weight"] = head_dim // 2
        elif name == "output":
            vectors[extra] = vocabulary
        else:
            size = matrices[name][0] if kind == "bias" else 1
            vectors |= {f"{block}{extra}": size for block in blocks}
    for name, size in vectors.items():
        centre = 0 if name.endswith(".bias") else 1
        writer.add_tensor(name, (centre + rng.normal(0, 0.2, size)).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def random_matrix(
    rng: np.random.Generator, type: GGMLQuantizationType, rows: int, cols: int
) -> npt.NDArray[Any]:
    """Weights of about unit gain. Types for which gguf has no quantiser are random blocks."""
    values = rng.normal(0, cols**-0.5, (rows, cols)).astype(np.float32)
    try:
        return values if type.name == "F32" else quantize(values, type)
    except NotImplementedError:
        pass
    format = format_named(type.name)
    blocks = rng.integers(0, 256, (rows, cols // format.block * format.bytes), np.uint8)
    records = blocks.reshape(-1).view(format.dtype)
    below = {"Q2_K": 1.5, "Q4_K": 7.5, "Q5_K": 15.5}.get(type.name, 0)  # centres the codes
    numbers = [field for field in format.fields if field.number]
    for field in numbers:
        if field.number == "ue4m3":  # scales of about 1/64
            records[field.name] = rng.integers(16, 24, records[field.name].shape)
        elif field.number == "split f16":  # 2^-7, in the top nibbles
            records[field.name] = records[field.name] & 0x0FFF | np.array([0, 0, 0, 0x2000])
        else:
            records[field.name] = below if field.name == "dmin" else 1
    size = cols**-0.5 / np.std(reference_decode(blocks, type))
    for field in numbers:
        if field.number == "f16":
            records[field.name] *= np.float16(size)
    return blocks


def reference_decode(raw: npt.NDArray[Any], type: GGMLQuantizationType) -> npt.NDArray[np.float32]:
    """What blocks mean by gguf, not by us: float32 [rows, cols] of rows as GGUFReader gives them.
    Q1_0, which gguf has no code for, is written out bit by bit (ggml-common.h, `block_q1_0`)."""
    if type is not GGMLQuantizationType.Q1_0:
        with np.errstate(all="ignore"):
            return dequantize(raw, type)
    rows = []
    for row in raw:
        weights: list[np.float32] = []
        for block in row.reshape(-1, 18):
            d = np.float32(block[:2].view("<f2")[0])
            weights += [d if block[2 + j // 8] >> (j % 8) & 1 else -d for j in range(128)]
        rows.append(weights)
    return np.array(rows, np.float32)


@pytest.fixture(scope="session")
def oracle() -> Callable[[npt.NDArray[Any], GGMLQuantizationType], npt.NDArray[np.float32]]:
    return reference_decode


@pytest.fixture(scope="session")
def weights_of() -> Callable[[Path], dict[str, npt.NDArray[np.float32]]]:
    """GGUF file → its tensors in float32, dequantised by gguf, not by us."""

    @cache
    def load(path: Path) -> dict[str, npt.NDArray[np.float32]]:
        return {
            tensor.name: reference_decode(tensor.data, tensor.tensor_type).reshape(
                tuple(int(dim) for dim in reversed(tensor.shape))
            )
            for tensor in GGUFReader(path).tensors
        }

    return load


@pytest.fixture(scope="session")
def model_of(tiny_model: Callable[..., Path]) -> Callable[..., Model]:
    """`build(architecture, window=…, …)`: the graph of a `tiny_model`."""

    def build(architecture: str = "llama", window: int = 128, **choices: Any) -> Model:
        with read_gguf(tiny_model(architecture, **choices)) as file:
            return build_model(file, ModelConfig.from_gguf(file), window)

    return build


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Bundle]:
    """`build(path, **options)`: the compiled file, nothing validated; each request once."""
    made: dict[str, Bundle] = {}

    def build(path: Path, **choices: Any) -> Bundle:
        key = f"{path} {sorted(choices.items())}"
        if key not in made:
            out = tmp_path_factory.mktemp("bundle") / "out"
            compile_model(path, out, Options(**{"validate": "none", **choices}), Reporter())
            made[key] = Bundle.open(out)
        return made[key]

    return build


@pytest.fixture(scope="session")
def host_of() -> Callable[[Bundle, str], Host]:
    """`open(bundle, name)` with name numpy, a tier of wgpu, or wasm-MODULE (wasm-base-threads-2: on
    two threads): a host, each request once; the test calls `start`. Skips where the tier cannot
    run."""
    opened: dict[tuple[Path, str], Host] = {}

    def open_host(bundle: Bundle, name: str) -> Host:
        key = (bundle.path, name)
        if key not in opened:
            if name == "numpy":
                opened[key] = NumpyHost(bundle)
            elif name.startswith("wasm-"):
                opened[key] = wasm_host(bundle, name)
            else:
                opened[key] = wgpu_host(bundle, name)
        return opened[key]

    return open_host


def wasm_host(bundle: Bundle, name: str) -> Host:
    module, _, threads = name.removeprefix("wasm-").partition("-threads-")
    return open_wasm(bundle, f"{module}-threads" if threads else module, int(threads or 1))


def wgpu_host(bundle: Bundle, name: str) -> Host:
    tier: Tier = next(tier for tier in TIERS if tier == name)
    try:
        return WgpuHost(bundle, tier)
    except UnsupportedError as error:
        pytest.skip(error.message)
