"""The door to wasmtime as an engine: a module over its memory, and a team of instances of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from threading import Thread

import numpy as np
import numpy.typing as npt
import wasmtime
from wasmtime import _ffi as ffi

from ..errors import InternalError, UnsupportedError


@cache
def _engine() -> wasmtime.Engine:
    config = wasmtime.Config()
    config.wasm_relaxed_simd = True
    config.wasm_threads = True
    config.shared_memory = True
    config.wasm_memory64 = True
    return wasmtime.Engine(config)


_Exports = Mapping[str, object]


class _SharedMemory(wasmtime.SharedMemory):
    """Whose own way into an instance is broken in wasmtime 50: it passes the address of a pointer
    where the pointer belongs."""

    def _as_extern(self) -> ffi.wasmtime_extern_t:
        union = ffi.wasmtime_extern_union(sharedmemory=self.ptr())
        return ffi.wasmtime_extern_t(ffi.WASMTIME_EXTERN_SHAREDMEMORY, union)


@dataclass(frozen=True, slots=True)
class Team:
    """How many threads run a program, and where the number of their job is (manifest: `team`)."""

    threads: int
    job: int


ALONE = Team(1, 0)


class Instance:
    """A module over a memory of `pages`: `memory` is all of it, uint8; exports are called by name,
    programs on all threads of the `team`.

    Raises UnsupportedError when there is not enough memory, InternalError for a module that does
    not compile or traps.
    """

    def __init__(
        self, name: str, data: bytes, pages: int, features: Sequence[str], *, team: Team = ALONE
    ) -> None:
        shared, wide = "threads" in features, "memory64" in features
        limits = wasmtime.Limits(pages, pages if shared else None)
        type = wasmtime.MemoryType(limits, is_64=wide, shared=shared)
        self._name, self._pages = name, pages
        self._code = _compile(data)
        store = wasmtime.Store(_engine())
        try:
            self._memory = (
                _SharedMemory(_engine(), type) if shared else wasmtime.Memory(store, type)
            )
        except wasmtime.WasmtimeError as error:
            raise UnsupportedError(
                "HOST004", f"no memory of {pages << 16} bytes is to be had"
            ) from error
        self._store, self._exports = store, self._instance(store)
        self.memory = self._bytes()
        self._workers: list[Thread] = []
        if team.threads > 1:
            self._gather(team)

    def call(self, export: str, *arguments: int) -> None:
        try:
            _function(self._exports, export)(self._store, *arguments)
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            raise InternalError("HOST005", f"{export} of {self._name}: {error}") from error

    def close(self) -> None:
        """Ends the other threads."""
        if self._workers:
            self.call("dismiss")
            for worker in self._workers:
                worker.join()
            self._workers = []

    def _instance(self, store: wasmtime.Store) -> _Exports:
        exports = wasmtime.Instance(store, self._code, [self._memory]).exports(store)
        return {name: exports[name] for name in exports}

    def _bytes(self) -> npt.NDArray[np.uint8]:
        if isinstance(self._memory, wasmtime.SharedMemory):
            start = self._memory.data_ptr()
        else:
            start = self._memory.data_ptr(self._store)
        return np.ctypeslib.as_array(start, (self._pages << 16,))

    def _gather(self, team: Team) -> None:
        self.call("join", 0, team.threads)
        job = int(self.memory[team.job :][:4].view(np.uint32)[0])
        for number in range(1, team.threads):
            store = wasmtime.Store(_engine())
            exports = self._instance(store)
            _function(exports, "join")(store, number, team.threads)
            work = _function(exports, "work")
            worker = Thread(target=work, args=(store, job), daemon=True)
            worker.start()
            self._workers.append(worker)


def _function(exports: _Exports, name: str) -> wasmtime.Func:
    found = exports[name]
    assert isinstance(found, wasmtime.Func)
    return found


@cache
def _compile(data: bytes) -> wasmtime.Module:
    try:
        return wasmtime.Module(_engine(), data)
    except wasmtime.WasmtimeError as error:
        raise InternalError("HOST005", f"the module does not compile: {error}") from error
