"""The WASM host of a model that is cut by layers: modules that each have a memory of their own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..bundle.manifest import Shard, WasmCut, WasmPart
from ..bundle.reader import Bundle
from ..codegen.state import STATE_BYTES
from .host import Host
from .state_bytes import state_bytes
from .wasm_engine import Instance, Team
from .wasm_host import WasmHost, check_threads

_FLOAT = 4


class WasmCutHost(WasmHost):
    """Runs a part after another, and carries the hidden states between them. The sampler, and what
    it reads, is in the last one."""

    module: WasmCut

    def __init__(self, bundle: Bundle, module: WasmCut, threads: int = 1) -> None:
        check_threads(module, threads)
        self.tier = module.name
        self.module = module
        team = Team(threads, module.team)
        self._instances = [
            Instance(part.file, bundle.wasm(part), part.pages, module.features, team=team)
            for part in module.parts
        ]
        for shard, data in bundle.shards():
            for part, instance in zip(module.parts, self._instances, strict=True):
                _place(part, instance, shard, data)
        Host.__init__(self, bundle.manifest)

    @property
    def memory(self) -> npt.NDArray[np.uint8]:
        return self._instances[-1].memory

    def close(self) -> None:
        for instance in self._instances:
            instance.close()

    def _call(self, program: str, *arguments: int) -> None:
        if program == "prefill":
            self._run(*arguments)
        elif program == "decode_logits":
            self._run(1, 1)
        elif program == "sample":
            self._sample()
        elif not self._state()["done"]:
            self._run(1, 1)
            self._sample()

    def _run(self, n_tokens: int, logits: int) -> None:
        """Every part's layers on the tokens that the state speaks of."""
        size = n_tokens * _FLOAT * self.module.width
        before: npt.NDArray[np.uint8] | None = None
        for part, instance in zip(self.module.parts, self._instances, strict=True):
            if before is not None:
                instance.memory[part.entry : part.entry + size] = before
            instance.call("prefill", n_tokens, logits)
            before = instance.memory[part.hidden : part.hidden + size]

    def _sample(self) -> None:
        """Draws a token in the last part, and tells the others."""
        last = self._instances[-1]
        last.call("sample")
        state, tokens = self.module.state, self.module.tokens
        for instance in self._instances[:-1]:
            instance.memory[state : state + STATE_BYTES] = last.memory[state : state + STATE_BYTES]
        slot = tokens + 4 * (self._state()["position"] % self.manifest.context.window)
        self._instances[0].memory[slot : slot + 4] = last.memory[slot : slot + 4]

    def _write_tokens(self, slot: int, ids: Sequence[int]) -> None:
        at, data = self.module.tokens + 4 * slot, np.array(ids, np.uint32).view(np.uint8)
        for instance in (self._instances[0], self._instances[-1]):
            instance.memory[at : at + data.size] = data

    def _write_state(self, n_tokens: int, position: int) -> None:
        data = state_bytes(self, n_tokens, position)
        for instance in self._instances:
            instance.memory[self.module.state : self.module.state + data.size] = data


def _place(part: WasmPart, instance: Instance, shard: Shard, data: npt.NDArray[np.uint8]) -> None:
    """Copies what a part needs of a shard."""
    for place in part.places:
        start = max(shard.offset, place.offset)
        end = min(shard.offset + shard.size, place.offset + place.size)
        if place.buffer == shard.buffer and start < end:
            at = place.address + start - place.offset
            instance.memory[at : at + end - start] = data[start - shard.offset : end - shard.offset]
