"""Weight files hold the tensors of the GGUF file, bit for bit, where the plan says."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest

from mdst.bundle.graph_file import parse_graph
from mdst.bundle.manifest import Shard
from mdst.bundle.reader import Bundle
from mdst.bundle.shards import Source, write_shards
from mdst.errors import CannotReadError, MalformedError
from mdst.gguf import GgufFile, read_gguf
from mdst.graph.ops import Constant
from mdst.models.decoder import ROPE_TABLE
from mdst.options import Options
from mdst.quant.layout import format_named, slice_layout
from mdst.quant.repack import unpack_rows
from mdst.report import Reporter
from mdst.rope import rope_tables
from mdst.schedule.weight_plan import Piece, Region, WeightPlan

Compiled = Callable[..., Bundle]
TinyModel = Callable[..., Path]
KIB = 1 << 10

KINDS: dict[str, dict[str, Any]] = {
    "Q8_0": {"extras": ("attn_q.bias", "attn_k.scale", "ffn_up.scale", "ffn_gate.bias")},
    "K": {
        "type": "Q4_K",
        "types": {"attn_v": "Q6_K", "ffn_down": "Q5_K", "output": "Q6_K", "attn_q": "F16"},
        "embedding": 256,
        "ff": 512,
        "head_dim": 16,
        "heads": (16, 8),
    },
    "floats": {"type": "F32", "types": {"output": "BF16", "attn_k": "Q4_0"}, "tied": True},
}


def buffers_of(bundle: Bundle) -> list[npt.NDArray[np.uint8]]:
    """Weight buffers put together from their shards; each byte comes from one shard."""
    sizes = [b.size for b in bundle.manifest.buffers if b.kind == "weights"]
    buffers = [np.zeros(size, np.uint8) for size in sizes]
    filled = [0 for _ in sizes]
    for shard, data in bundle.shards():
        assert len(data) == shard.size
        assert shard.offset == filled[shard.buffer]  # one after another, without a gap
        buffers[shard.buffer][shard.offset : shard.offset + shard.size] = data
        filled[shard.buffer] += shard.size
    assert all(size - 256 < end <= size for size, end in zip(sizes, filled, strict=True))
    return buffers


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sliced", [False, True])
def test_buffers_hold_the_file(
    compiled: Compiled, tiny_model: TinyModel, kind: str, sliced: bool
) -> None:
    choices = {**KINDS[kind], "head_dim": 16} if sliced else KINDS[kind]
    path = tiny_model(**choices)
    bundle = compiled(path, max_binding=64 * KIB if sliced else 128 << 20, shard_size=64 * KIB)
    buffers = buffers_of(bundle)
    used = [np.zeros(buffer.size, np.uint8) for buffer in buffers]
    _, tensors = parse_graph(bundle.text("graph.json"))
    with read_gguf(path) as file:
        assert tensors.keys() == file.tensors.keys() | {ROPE_TABLE}
        for name, pieces in tensors.items():
            for piece in pieces:
                place = slice(piece.offset, piece.offset + piece.size)
                data = buffers[piece.buffer][place]
                assert not used[piece.buffer][place].any()
                used[piece.buffer][place] = 1
                if name == ROPE_TABLE:
                    assert np.array_equal(data.view("<f4"), rope_tables(*rope(path)).reshape(-1))
                    continue
                info = file.tensors[name]
                if piece.form == "packed":
                    layout = slice_layout(format_named(info.type.name), piece.rows, info.shape[-1])
                    data = unpack_rows(layout, data, 0, piece.rows).reshape(-1)
                if piece.form == "interleaved":
                    data = in_plain_order(data.view("<f4")).view(np.uint8)
                row = info.size // (info.shape[0])
                raw = file.read(info, piece.first_row * row, piece.rows * row)
                assert np.array_equal(data, raw), (name, piece)
    for buffer, covered in zip(buffers, used, strict=True):
        assert not buffer[covered == 0].any()  # nothing else reaches the bundle


def in_plain_order(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Value by value: the k-th four of all runs of 32 lie side by side."""
    runs = values.size // 32
    at = [(i % 32 // 4 * runs + i // 32) * 4 + i % 4 for i in range(values.size)]
    return values[at]


def rope(path: Path) -> tuple[int, float]:
    with read_gguf(path) as file:
        return int(cast(int, file.metadata["llama.rope.dimension_count"].value)), 10000.0


@pytest.mark.parametrize("size", [64 * KIB, 100_000, 16 << 20])
def test_sizes_and_names(compiled: Compiled, tiny_model: TinyModel, size: int) -> None:
    bundle = compiled(tiny_model(), shard_size=size)
    (weights,) = bundle.manifest.weights
    assert all(0 < shard.size <= size for shard in weights.shards)
    # Only the last shard of a buffer is short.
    for shard, following in zip(weights.shards, weights.shards[1:], strict=False):
        assert shard.size == size or following.buffer != shard.buffer
    files = {path.name: path.read_bytes() for path in bundle.weights.iterdir()}
    assert files.keys() == {f"{shard.sha256}.bin" for shard in weights.shards}
    for name, content in files.items():
        assert name == f"{hashlib.sha256(content).hexdigest()}.bin"


@pytest.mark.parametrize("kind", KINDS)
def test_jobs_do_not_show(compiled: Compiled, tiny_model: TinyModel, kind: str) -> None:
    path = tiny_model(**KINDS[kind])
    one, three = (compiled(path, jobs=jobs, shard_size=64 * KIB) for jobs in (1, 3))
    assert one.manifest == three.manifest
    assert list(one.weights.iterdir()) != []
    for path in one.weights.iterdir():
        assert path.read_bytes() == (three.weights / path.name).read_bytes()


def test_equal_shards_are_written_once(compiled: Compiled, tiny_model: TinyModel) -> None:
    bundle = compiled(tiny_model())
    with read_gguf(tiny_model()) as file:
        zeros = SimpleNamespace(
            tensors=file.tensors,
            read=lambda info, offset=0, size=None: np.zeros(size or info.size, np.uint8),
        )
    table = np.zeros((3, 256, 16, 2), np.float32)
    source = Source(cast(GgufFile, zeros), {ROPE_TABLE: table})
    plan = plan_from(bundle)
    written: list[str] = []
    shards = write_shards(
        plan,
        source,
        Options(shard_size=64 * KIB),
        lambda name, data: written.append(name),
        Reporter(),
    )
    assert len(shards) > 3
    assert len(written) == len(set(written)) == len({shard.sha256 for shard in shards}) == 2
    assert sum(shard.size for shard in shards) == sum(s.size for s in all_shards(bundle))


def all_shards(bundle: Bundle) -> list[Shard]:
    return [shard for weights in bundle.manifest.weights for shard in weights.shards]


def plan_from(bundle: Bundle) -> WeightPlan:
    """The weight plan, read back from graph.json."""
    graph, tensors = parse_graph(bundle.text("graph.json"))
    types = {op.name: op.type for n in graph if isinstance(op := graph.op(n), Constant)}
    regions = [
        Region(p.buffer, p.offset, p.size, (
            Piece(name, types[name], 0, p.size, p.first_row, p.rows, p.form),
        ))
        for name, places in tensors.items()
        for p in places
    ]  # fmt: skip
    sizes = tuple(b.size for b in bundle.manifest.buffers if b.kind == "weights")
    return WeightPlan(tuple(sorted(regions, key=lambda r: (r.buffer, r.offset))), sizes)


def test_progress_covers_all_bytes(tiny_model: TinyModel, compiled: Compiled) -> None:
    class Count(Reporter):
        total = done = 0

        def phase(self, name: str, total: int) -> None:
            self.total = total

        def advance(self, units: int) -> None:
            self.done += units

    bundle, count = compiled(tiny_model()), Count()
    with read_gguf(tiny_model()) as file:
        source = Source(file, {ROPE_TABLE: rope_tables(32, 1e4)})
        write_shards(plan_from(bundle), source, Options(), lambda name, data: None, count)
    assert count.total - 256 < count.done <= count.total


@pytest.fixture
def copy(compiled: Compiled, tiny_model: TinyModel, tmp_path: Path) -> Bundle:
    """A bundle whose files may be damaged."""
    return Bundle.open(copytree(compiled(tiny_model()).path, tmp_path / "out"))


def test_a_changed_shard_is_refused_by_name(copy: Bundle) -> None:
    path = next(copy.weights.iterdir())
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(MalformedError, match=path.name) as error:
        list(copy.shards())
    assert error.value.id == "OPEN003"


def test_a_short_shard_is_refused_by_name(copy: Bundle) -> None:
    path = next(copy.weights.iterdir())
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(MalformedError, match=f"{path.name}.* bytes found"):
        list(copy.shards())


def test_a_missing_shard_is_named(copy: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    path = next(copy.weights.iterdir())
    path.unlink()
    monkeypatch.chdir(copy.path.parent)
    with pytest.raises(CannotReadError, match=path.name[:50]) as error:
        list(Bundle.open(Path(copy.path.name)).shards())
    assert error.value.id == "OPEN004"
