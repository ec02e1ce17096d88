"""Damaged files: whatever was done to one, reader and configuration end in a verdict."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf.gguf_writer import GGUFWriter
from mutations import MUTATIONS, needs_mutations

import mdst
from mdst.errors import CannotReadError, MalformedError, MdstError, UnsupportedError
from mdst.gguf import read_gguf
from mdst.models.config import ModelConfig

REFUSALS = (CannotReadError, MalformedError, UnsupportedError)
SECONDS = 5
"""Hang guard per file."""


OTHERS = {
    # The header does not show these; whoever matches tensors to the model refuses them.
    "n_tensors_minus1",
    "block_count_2",
    "ff_mismatch",
    "tensor_missing",
    "tensor_extra",
    "tensor_wrong_shape",
    "tensor_transposed",
    "embd_i32",
    # The values of the weights are read later.
    "weights_nan",
    "weights_inf",
}
"""Semantic mutations that neither reader nor configuration can judge, beside those of the chat
template (tmpl_…)."""


def verdict(path: Path, layer: str) -> str:
    """reject, warn or accept; any exception but a refusal passes through."""
    start = time.process_time()
    found: MdstError | tuple[str, ...]
    try:
        with read_gguf(path) as file:
            found = file.warnings
            if layer == "semantic":
                found = ModelConfig.from_gguf(file).warnings
    except REFUSALS as error:
        found = error
    assert time.process_time() - start < SECONDS
    if not isinstance(found, MdstError):
        return "warn" if found else "accept"
    assert found.message.isprintable()
    assert f"'{path.name}': " in found.message
    return "reject"


@needs_mutations
@pytest.mark.parametrize("name", [n for n, m in MUTATIONS.items() if m[2] == "container"])
def test_container_mutation_gets_its_verdict(tmp_path: Path, name: str) -> None:
    content, expected, layer = MUTATIONS[name]
    path = tmp_path / "x.gguf"
    path.write_bytes(content)
    found = verdict(path, layer)
    assert expected == "either" or found == expected


@needs_mutations
@pytest.mark.parametrize("name", [n for n, m in MUTATIONS.items() if m[2] == "semantic"])
def test_semantic_mutation_gets_its_verdict(tmp_path: Path, name: str) -> None:
    content, expected, layer = MUTATIONS[name]
    path = tmp_path / "x.gguf"
    path.write_bytes(content)
    found = verdict(path, layer)
    if not (name in OTHERS or name.startswith("tmpl_")):
        assert expected == "either" or found == expected


@needs_mutations
def test_mutations_left_to_others_exist() -> None:
    assert set(MUTATIONS) >= OTHERS


PEAK_OF_ALL = """
import sys
from pathlib import Path
from mdst.errors import MdstError
from mdst.gguf import read_gguf
from mdst.models.config import ModelConfig

for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        with read_gguf(path) as file:
            ModelConfig.from_gguf(file)
    except MdstError:
        pass
status = Path("/proc/self/status").read_text()
print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
"""


@needs_mutations
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_all_mutations_together_stay_below_300_mb(tmp_path: Path) -> None:
    for name, (content, _, _) in MUTATIONS.items():
        if len(content) < 1_000_000:
            (tmp_path / f"{name}.gguf").write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", PEAK_OF_ALL, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(Path(mdst.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert int(done.stdout) < 300_000  # KiB; importing numpy and gguf takes some 60,000


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small llama file that is accepted whole; its last tensor has no padding after it."""
    path = tmp_path_factory.mktemp("seed") / "seed.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_name("seed")
    writer.add_block_count(1)
    writer.add_context_length(16)
    writer.add_embedding_length(8)
    writer.add_feed_forward_length(16)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("llama")
    tokens = ["<unk>", "<s>", "</s>", *"abcde"]
    writer.add_token_list(tokens)
    writer.add_token_scores([-float(i) for i in range(len(tokens))])
    writer.add_token_types([2, 3, 3, 1, 1, 1, 1, 1])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_bool("some.flag", True)
    rng = np.random.default_rng(3)
    for name, shape in (("token_embd.weight", (8, 8)), ("output_norm.weight", (8,))):
        writer.add_tensor(name, rng.normal(size=shape).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    content = path.read_bytes()
    assert verdict(path, "semantic") == "accept"
    return content


def refuse_every_truncation(path: Path) -> None:
    with read_gguf(path) as file:
        end = max(info.offset + info.size for info in file.tensors.values())
    for length in range(end - 1, -1, -1):
        os.truncate(path, length)
        assert verdict(path, "container") == "reject", length


def test_every_truncation_is_refused(tmp_path: Path, seed: bytes) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(seed)
    refuse_every_truncation(path)


@needs_mutations
def test_every_truncation_of_a_larger_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(MUTATIONS["valid"][0])
    refuse_every_truncation(path)


def flip(rng: np.random.Generator, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        changed[int(rng.integers(len(changed)))] = int(rng.integers(256))
    return bytes(changed)


def splice(rng: np.random.Generator, content: bytes) -> bytes:
    """Replace, insert or remove a run of bytes, by another part of the file."""
    start, source = (int(n) for n in rng.integers(0, len(content), 2))
    removed, inserted = (int(n) for n in rng.integers(0, 40, 2))
    return content[:start] + content[source : source + inserted] + content[start + removed :]


def extreme(rng: np.random.Generator, content: bytes) -> bytes:
    """Write an extreme integer somewhere in the header."""
    values = (0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**33, 2**40, 2**62, 2**63, 2**64 - 1)
    at = int(rng.integers(4, len(content) - 300))
    width = int(rng.choice([4, 8]))
    value = values[int(rng.integers(len(values)))] % (1 << 8 * width)
    return content[:at] + value.to_bytes(width, "little") + content[at + width :]


@pytest.mark.parametrize("damage", [flip, splice, extreme])
def test_random_damage_ends_in_a_verdict(tmp_path: Path, seed: bytes, damage: Any) -> None:
    rng = np.random.default_rng(20)
    path = tmp_path / "x.gguf"
    verdicts: list[str] = []
    for _ in range(3000):
        path.write_bytes(damage(rng, seed))
        verdicts.append(verdict(path, "semantic"))
    # Damage that never bites, or always does, would test nothing.
    assert 300 < verdicts.count("reject") < 3000
