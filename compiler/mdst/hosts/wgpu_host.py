"""The wgpu host: runs a bundle's programs on a GPU through wgpu-py, as a browser would."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..bundle.manifest import Program, View
from ..bundle.reader import Bundle
from ..codegen.state import STATE_BYTES
from ..codegen.tiers import Tier
from .host import Host, Request
from .state_bytes import read_state, state_bytes
from .wgpu_device import BoundStep, Device


class WgpuHost(Host):
    """All buffers, pipelines and bind groups are made once; a run writes the state, submits the
    steps of a program, and reads what it needs."""

    name = "wgpu"

    def __init__(self, bundle: Bundle, tier: Tier, *, clock: bool = False) -> None:
        manifest = bundle.manifest
        self.tier = tier
        self.device = Device(tier, clock=clock)
        self._buffers = [self.device.buffer(b.size) for b in manifest.buffers]
        self._named = {b.name: self._buffers[i] for i, b in enumerate(manifest.buffers)}
        stored = bundle.tier(tier)
        self._pipelines = [self.device.pipeline(k) for k in bundle.kernels(stored)]
        for shard, data in bundle.shards():
            self.device.write(self._buffers[shard.buffer], shard.offset, data)
        self._views = [self._view(view) for view in manifest.views]
        self._programs = {p.name: self._bind(p) for p in stored.programs}
        self._chunks = sorted((p.tokens, p.name) for p in stored.programs if p.phase == "prefill")
        self._decode = sorted((p.reach, p.name) for p in stored.programs if p.phase == "decode")
        super().__init__(manifest)

    def start(self, request: Request) -> None:
        super().start(request)
        self.device.write(self._named["bias"], 0, self.bias)

    def run_chunk(self, ids: Sequence[int], *, last: bool) -> None:
        self.device.write(self._named["tokens"], 4 * self.position, np.array(ids, np.uint32))
        self._write_state(n_tokens=len(ids))
        name = next(name for tokens, name in self._chunks if tokens >= len(ids))
        head = self._programs["prefill_logits"] if last else []
        self.device.submit([*self._programs[name], *head])

    def run_token(self, token: int) -> None:
        slot = self.position % self.manifest.context.window
        self.device.write(self._named["tokens"], 4 * slot, np.array([token], np.uint32))
        self._write_state(n_tokens=1)
        self.device.submit(self._programs["decode_logits"])

    def logits(self) -> npt.NDArray[np.float32]:
        view = self.manifest.views[self.manifest.logits]
        size = 4 * self.manifest.model.vocabulary
        return self.device.read(self._buffers[view.buffer], view.offset, size).view(np.float32)

    def sample(self) -> list[int]:
        """The state still says how many tokens the last run had, so it is read back and completed
        rather than written anew."""
        state = self._read_state()
        self._write_state(n_tokens=state["n_tokens"], position=state["position"])
        return self._generate(self._programs["sample"], 1)

    def decode(self, steps: int) -> list[int]:
        self._write_state(n_tokens=1)
        end = self.position + steps
        name = next((name for reach, name in self._decode if end <= reach), self._decode[-1][1])
        return self._generate(self._programs[name], steps)

    def _generate(self, program: list[BoundStep], repeat: int) -> list[int]:
        """Runs `program` `repeat` times in one submit and takes the tokens it made."""
        if self.done:
            return []
        if self.recounted:  # else the sampler has counted as `accept` did
            self.device.write(self._named["counts"], 0, self.counts)
            self.recounted = False
        self.device.submit(program * repeat)
        state = self._read_state()
        count = state["step"] - self.step
        self.position, self.done = state["position"], state["done"]
        made = self._read_tokens(self.position - count + 1, count)
        self.accept(made)
        return made

    def _read_tokens(self, position: int, count: int) -> list[int]:
        """`count` ids from `position` on, out of the ring of tokens."""
        slot = position % self.manifest.context.window
        before = min(count, self.manifest.context.window - slot)
        parts = [(slot, before), (0, count - before)]
        raw = [self.device.read(self._named["tokens"], 4 * s, 4 * n) for s, n in parts if n]
        return [int(id) for part in raw for id in part.view(np.uint32)]

    def _write_state(self, n_tokens: int, position: int | None = None) -> None:
        at = self.position if position is None else position
        self.device.write(self._named["state"], 0, state_bytes(self, n_tokens, at))

    def _read_state(self) -> dict[str, int]:
        """The unsigned fields of one value."""
        raw = self.device.read(self._named["state"], 0, STATE_BYTES)
        return read_state(self.manifest.state, raw)

    def _view(self, view: View) -> tuple[object, int, int]:
        return (self._buffers[view.buffer], view.offset, view.size)

    def _bind(self, program: Program) -> list[BoundStep]:
        return [
            self.device.bind(
                self._pipelines[step.kernel],
                [self._views[number] for number in step.views],
                (step.grid[0], step.grid[1], step.grid[2]),
            )
            for step in program.steps
        ]
