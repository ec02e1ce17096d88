"""Tensors of the file → weight buffers → shards, streamed in the order of first use."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..gguf import GgufFile
from ..options import Options
from ..quant.block import Field, Format
from ..quant.decode import decode_rows
from ..quant.grids import packed_grid
from ..quant.interleave import interleave
from ..quant.layout import format_of, slice_layout
from ..quant.repack import pack_rows
from ..report import Reporter
from ..schedule.weight_plan import Piece, Region, WeightPlan
from .manifest import Shard

Bytes = npt.NDArray[np.uint8]
Table = npt.NDArray[np.float32]

_READ = 16 << 20
"""Bytes of a tensor that are read and repacked at a time."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where tensor data comes from: the file, or tables computed at compile time. `odd` collects
    (tensor, count) of values that are NaN or infinite."""

    file: GgufFile
    tables: Mapping[str, Table]
    odd: list[tuple[str, int]] = field(default_factory=list)

    def vector(self, piece: Piece) -> Bytes:
        """The float32 bytes of a piece that is not packed."""
        if piece.tensor in self.tables:
            values = self.tables[piece.tensor].reshape(-1)
        else:
            info = self.file.tensors[piece.tensor]
            raw = self.file.read(info)
            self._check(piece.tensor, format_of(info.type), raw)
            values = decode_rows(format_of(info.type), raw, 1, info.shape[-1])
        part = values.reshape(-1)[piece.first_row : piece.first_row + piece.rows]
        ordered = interleave(part) if piece.form == "interleaved" else part
        return np.ascontiguousarray(ordered, "<f4").view(np.uint8)

    def fill(self, piece: Piece, out: Bytes) -> None:
        """Repacks a matrix piece into `out` [piece.size], zeroed before."""
        info = self.file.tensors[piece.tensor]
        format = format_of(info.type)
        cols = piece.type.width
        layout = slice_layout(format, piece.rows, cols)
        row_bytes = cols // format.block * format.bytes
        step = max(1, _READ // row_bytes)
        for row in range(0, piece.rows, step):
            count = min(step, piece.rows - row)
            raw = self.file.read(info, (piece.first_row + row) * row_bytes, count * row_bytes)
            self._check(piece.tensor, format, raw)
            for offset, data in pack_rows(layout, raw, row):
                out[offset : offset + data.size] = data

    def _check(self, tensor: str, format: Format, raw: Bytes) -> None:
        if count := non_finite(format, raw):
            self.odd.append((tensor, count))

    def warnings(self) -> list[str]:
        """A sentence per tensor with NaN or infinite values, the first ten of them."""
        counts: dict[str, int] = {}
        for tensor, count in self.odd:
            counts[tensor] = counts.get(tensor, 0) + count
        listed = sorted(counts.items())
        more = [f"and {len(listed) - 10} more tensors like that"] if len(listed) > 10 else []
        return [f"tensor '{t}': {n} values are NaN or infinite" for t, n in listed[:10]] + more


def write_shards(
    plan: WeightPlan,
    source: Source,
    options: Options,
    write: Callable[[str, bytes], None],
    report: Reporter,
) -> list[Shard]:
    """Writes weights/<sha256>.bin files through `write(name, data)` and returns them in order. A
    shard never spans two buffers."""
    report.phase("packing weights", sum(plan.buffers))
    written: set[str] = set()
    shards: list[Shard] = []
    for buffer, start, data in _cut(
        _packed_regions(plan, source, options.jobs), options.shard_size
    ):
        digest = hashlib.sha256(data).hexdigest()
        if digest not in written:
            written.add(digest)
            write(f"weights/{digest}.bin", data)
        shards.append(Shard(digest, len(data), buffer, start))
        report.advance(len(data))
    for warning in source.warnings():
        report.warn(warning)
    return shards


def _cut(regions: Iterator[tuple[Region, Bytes]], size: int) -> Iterator[tuple[int, int, bytes]]:
    """Regions in order → (buffer, offset in it, content) of pieces of `size` bytes, the last of
    each buffer shorter. Bytes between regions are zeros."""
    buffer = start = filled = 0
    parts: list[Bytes] = []

    def piece() -> tuple[int, int, bytes]:
        nonlocal start, filled
        content = b"".join(part.data for part in parts)
        result = (buffer, start, content)
        parts.clear()
        start, filled = start + filled, 0
        return result

    for region, data in regions:
        if region.buffer != buffer:
            if filled:
                yield piece()
            buffer, start = region.buffer, 0
        rest = np.zeros(region.offset - start - filled, np.uint8), data
        for content in rest:
            at = 0
            while at < content.size:
                part = content[at : at + size - filled]
                parts.append(part)
                at, filled = at + part.size, filled + part.size
                if filled == size:
                    yield piece()
    if filled:
        yield piece()


def _packed_regions(plan: WeightPlan, source: Source, jobs: int) -> Iterator[tuple[Region, Bytes]]:
    """Every region with its bytes, in order; while one is hashed and written, the next `jobs` are
    repacked."""
    with ThreadPoolExecutor(jobs) as pool:
        ahead: deque[tuple[Region, Future[Bytes]]] = deque()
        for region in plan.regions:
            ahead.append((region, pool.submit(_pack, region, source)))
            if len(ahead) > jobs:
                first, future = ahead.popleft()
                yield first, future.result()
        while ahead:
            first, future = ahead.popleft()
            yield first, future.result()


def _pack(region: Region, source: Source) -> Bytes:
    out = np.zeros(region.size, np.uint8)
    for name, offset in region.grids:
        book = packed_grid(name).view(np.uint8)
        out[offset : offset + book.size] = book
    for piece in region.pieces:
        place = out[piece.offset : piece.offset + piece.size]
        if piece.form == "packed":
            source.fill(piece, place)
        else:
            place[:] = source.vector(piece)
    return out


def non_finite(format: Format, raw: Bytes) -> int:
    """How many numbers in the blocks of `raw` are NaN or infinite: weights (float types) or scales
    (block types)."""
    blocks = raw.view(format.dtype)
    return sum(_odd(field, blocks[field.name]) for field in format.fields if field.number)


def _odd(field: Field, values: npt.NDArray[Any]) -> int:
    if field.number in ("f32", "f16"):
        return int(np.count_nonzero(~np.isfinite(values)))
    if field.number == "bf16":
        return int(np.count_nonzero((values & np.uint16(0x7F80)) == 0x7F80))
    if field.number == "split f16":  # the exponent is in the last two of four nibbles
        tops = values[:, 2:] >> np.uint16(12)
        return int(np.count_nonzero((tops[:, 0] >= 12) & ((tops[:, 1] & np.uint16(7)) == 7)))
    if field.number == "e8m0":
        return int(np.count_nonzero(values == 0xFF))
    return 0  # every ue4m3 is finite
