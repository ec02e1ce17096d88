"""The numpy host: undoes the repack of the shards and interprets graph.json.

It reads neither schedule, memory plan nor kernels, and draws tokens with the reference sampler, so
it is an independent witness of what the other hosts compute.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..bundle.graph_file import StoredPiece, parse_graph
from ..bundle.reader import Bundle
from ..errors import MalformedError
from ..graph.interpret import Array, History, Run, interpret
from ..graph.ops import Constant
from ..graph.types import TensorType
from ..quant.decode import decode_rows
from ..quant.interleave import deinterleave
from ..quant.layout import format_named, slice_layout
from ..quant.repack import unpack_rows
from ..sampling import sample
from .host import END, FULL, Host, Request

_CACHE_BYTES = 2 << 30
"""Decoded weights that are kept; larger models are decoded again for each token."""


class NumpyHost(Host):
    """Runs a bundle on the CPU, slowly and by the definition."""

    name = "numpy"
    tier = None

    def __init__(self, bundle: Bundle) -> None:
        manifest = bundle.manifest
        self._graph, self._pieces = parse_graph(bundle.text("graph.json"))
        ops = (self._graph.op(node) for node in self._graph)
        self._types = {op.name: op.type for op in ops if isinstance(op, Constant)}
        count = sum(buffer.kind == "weights" for buffer in manifest.buffers)
        self._buffers = [np.zeros(b.size, np.uint8) for b in manifest.buffers[:count]]
        for shard, data in bundle.shards():
            self._buffers[shard.buffer][shard.offset : shard.offset + shard.size] = data
        self._decoded: OrderedDict[str, Array] = OrderedDict()
        super().__init__(manifest)

    def start(self, request: Request) -> None:
        super().start(request)
        self._caches: dict[int, History] = {}
        self._logits = np.zeros(self.manifest.model.vocabulary, np.float32)

    def run_chunk(self, ids: Sequence[int], *, last: bool) -> None:
        run = Run(
            np.array(ids, np.int64),
            self.position,
            self._constant,
            self._rows,
            self._caches,
            "f16" if self.manifest.kv == "f16" else "f32",
            self.request.sinks,
        )
        self._logits = interpret(self._graph, run, "logits")[-1]

    def run_token(self, token: int) -> None:
        self.run_chunk([token], last=True)

    def logits(self) -> npt.NDArray[np.float32]:
        return self._logits

    def sample(self) -> list[int]:
        if self.done:
            return []
        token = sample(self._logits, self.counts, self.bias, self.request.sampling, self.step)
        self.accept([token])
        if token in self.request.end_ids:
            self.done = END
        elif self.position >= self.limit:
            self.done = FULL
        return [token]

    def decode(self, steps: int) -> list[int]:
        made: list[int] = []
        while len(made) < steps and not self.done:
            self.run_token(self.tokens[-1])
            self.position += 1
            made += self.sample()
        return made

    def _constant(self, name: str) -> Array:
        """A whole tensor as float32, kept while there is room."""
        if name in self._decoded:
            self._decoded.move_to_end(name)
            return self._decoded[name]
        type = self._types[name]
        pieces = self._pieces[name]
        if pieces[0].form == "packed":
            rows = type.shape[0]
            assert isinstance(rows, int)
            array = self._rows(name, np.arange(rows))
        else:
            array = np.empty(type.elements(0), np.float32)
            for piece in pieces:
                values = self._bytes(piece).view("<f4")
                if piece.form == "interleaved":
                    values = deinterleave(values)
                array[piece.first_row : piece.first_row + piece.rows] = values
            array = array.reshape([dim for dim in type.shape if isinstance(dim, int)])
        self._decoded[name] = array
        while sum(a.nbytes for a in self._decoded.values()) > _CACHE_BYTES:
            self._decoded.popitem(last=False)
        return array

    def _rows(self, name: str, rows: npt.NDArray[np.int64]) -> Array:
        """Chosen rows of a matrix as float32 [len(rows), cols]."""
        type = self._types[name]
        out = np.zeros((rows.size, type.width), np.float32)
        for piece in self._pieces[name]:
            inside = np.flatnonzero(
                (rows >= piece.first_row) & (rows < piece.first_row + piece.rows)
            )
            if inside.size:
                first, last = rows[inside].min(), rows[inside].max()
                decoded = self._decode(
                    type, piece, int(first) - piece.first_row, int(last - first) + 1
                )
                out[inside] = decoded[rows[inside] - first]
        return out

    def _decode(self, type: TensorType, piece: StoredPiece, first: int, rows: int) -> Array:
        format = format_named(type.dtype)
        layout = slice_layout(format, piece.rows, type.width)
        raw = unpack_rows(layout, self._bytes(piece), first, rows)
        return decode_rows(format, raw, rows, type.width)

    def _bytes(self, piece: StoredPiece) -> npt.NDArray[np.uint8]:
        data = self._buffers[piece.buffer][piece.offset : piece.offset + piece.size]
        if data.size != piece.size:
            raise MalformedError("OPEN005", "graph.json places a tensor outside its buffer")
        return data
