"""The WASM host: runs a bundle's module on the CPU through wasmtime, as a browser would."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..bundle.manifest import WasmCut, WasmModule
from ..bundle.reader import Bundle
from ..codegen.state import STATE_BYTES
from ..errors import UsageError
from .host import Host, Request
from .state_bytes import read_state, state_bytes
from .wasm_engine import Instance, Team


class WasmHost(Host):
    """All weights are copied to their addresses once; a run writes tokens and state, and calls a
    program."""

    name = "wasm"

    module: WasmModule | WasmCut

    def __init__(self, bundle: Bundle, module: WasmModule, threads: int = 1) -> None:
        check_threads(module, threads)
        self.tier = module.name
        self.module = module
        self._instance = Instance(
            module.file,
            bundle.wasm(module),
            module.pages,
            module.features,
            team=Team(threads, module.team),
        )
        for shard, data in bundle.shards():
            self._write(module.weights[shard.buffer] + shard.offset, data)
        super().__init__(bundle.manifest)

    def start(self, request: Request) -> None:
        super().start(request)
        self._write(self.module.bias, self.bias.view(np.uint8))

    def run_chunk(self, ids: Sequence[int], *, last: bool) -> None:
        self._write_tokens(self.position, ids)
        chunk = self.module.chunk
        for start in range(0, len(ids), chunk):
            part = ids[start : start + chunk]
            self._write_state(len(part), self.position + start)
            final = last and start + chunk >= len(ids)
            self._call("prefill", len(part), int(final))

    def run_token(self, token: int) -> None:
        slot = self.position % self.manifest.context.window
        self._write_tokens(slot, [token])
        self._write_state(1, self.position)
        self._call("decode_logits")

    def logits(self) -> npt.NDArray[np.float32]:
        raw = self._read(self.module.logits, 4 * self.manifest.model.vocabulary)
        return raw.view(np.float32).copy()

    def sample(self) -> list[int]:
        """The state still says how many tokens the last run had."""
        state = self._state()
        self._write_state(state["n_tokens"], state["position"])
        return self._generate("sample", 1)

    def decode(self, steps: int) -> list[int]:
        self._write_state(1, self.position)
        return self._generate("decode", steps)

    @property
    def memory(self) -> npt.NDArray[np.uint8]:
        """All of the memory in which the sampler works, to be read and written."""
        return self._instance.memory

    def close(self) -> None:
        self._instance.close()

    def _generate(self, program: str, repeat: int) -> list[int]:
        if self.done:
            return []
        if self.recounted:  # else the sampler has counted as `accept` did
            self._write(self.module.counts, self.counts.view(np.uint8))
            self.recounted = False
        for _ in range(repeat):
            self._call(program)
        state = self._state()
        count = state["step"] - self.step
        self.position, self.done = state["position"], state["done"]
        window = self.manifest.context.window
        ring = self._read(self.module.tokens, 4 * window).view(np.uint32)
        made = [int(ring[(self.position - count + 1 + i) % window]) for i in range(count)]
        self.accept(made)
        return made

    def _state(self) -> dict[str, int]:
        return read_state(self.manifest.state, self._read(self.module.state, STATE_BYTES))

    def _call(self, program: str, *arguments: int) -> None:
        self._instance.call(program, *arguments)

    def _write_tokens(self, slot: int, ids: Sequence[int]) -> None:
        self._write(self.module.tokens + 4 * slot, np.array(ids, np.uint32).view(np.uint8))

    def _write_state(self, n_tokens: int, position: int) -> None:
        self._write(self.module.state, state_bytes(self, n_tokens, position))

    def _read(self, address: int, size: int) -> npt.NDArray[np.uint8]:
        return self.memory[address : address + size]

    def _write(self, address: int, data: npt.NDArray[np.uint8]) -> None:
        self.memory[address : address + data.size] = data


def check_threads(module: WasmModule | WasmCut, threads: int) -> None:
    if not 1 <= threads <= module.threads:
        raise UsageError("HOST006", f"module {module.name} runs on 1 to {module.threads} threads")
