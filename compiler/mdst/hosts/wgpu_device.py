"""The one door to wgpu: a device at WebGPU's default limits, buffers, pipelines, dispatches."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import wgpu

from ..codegen.kernel import Grid, Kernel
from ..codegen.tiers import NEEDS, Tier
from ..errors import InternalError, UnsupportedError

_FEATURES: Mapping[str, str] = {"subgroups": "subgroup"}
"""WebGPU's name of a device feature → wgpu's."""

LIMITS: Mapping[str, int] = {
    "max-storage-buffers-per-shader-stage": 8,
    "max-storage-buffer-binding-size": 128 << 20,
    "max-buffer-size": 256 << 20,
    "max-compute-workgroup-storage-size": 16 << 10,
    "max-compute-invocations-per-workgroup": 256,
    "max-compute-workgroup-size-x": 256,
    "max-compute-workgroup-size-y": 256,
    "max-compute-workgroups-per-dimension": 65_535,
    "min-storage-buffer-offset-alignment": 256,
}
"""WebGPU's default limits, which every browser's device has."""

_STORAGE = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_DST | wgpu.BufferUsage.COPY_SRC


class Shader(Protocol):
    """What a pipeline is made of; a rendered Kernel is one."""

    @property
    def name(self) -> str: ...
    @property
    def wgsl(self) -> str: ...
    @property
    def access(self) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class BoundStep:
    """A dispatch ready to be encoded."""

    pipeline: Any
    bind_group: Any
    grid: Grid


def adapters() -> list[Any]:
    """Vulkan, Metal and D3D12 adapters, real GPUs before software ones. (OpenGL adapters lack what
    compute needs and are left out.)"""
    os.environ.setdefault("XDG_RUNTIME_DIR", os.environ.get("TMPDIR", "/tmp"))
    usable = [
        a
        for a in wgpu.gpu.enumerate_adapters_sync()
        if a.info["backend_type"] in ("Vulkan", "Metal", "D3D12")
    ]
    return sorted(usable, key=lambda a: a.info["adapter_type"] == "CPU")


class Device:
    """A GPU device for one tier, at WebGPU's default limits so that whatever runs here runs in any
    browser."""

    def __init__(self, tier: Tier, *, clock: bool = False) -> None:
        """`clock`: for `timed`. Raises UnsupportedError when no adapter has the tier's features."""
        wanted = [_FEATURES[name] for name in NEEDS[tier].features]
        found = [a for a in adapters() if _can_run(a, tier)]
        if not found:
            raise UnsupportedError(
                "HOST001",
                f"no GPU adapter for tier '{tier}'"
                + (f" (needs {', '.join(NEEDS[tier].features)})" if wanted else ""),
                hint="install a Vulkan driver (Debian: mesa-vulkan-drivers), or use another host",
            )
        self.adapter: str = found[0].summary
        self.tier: Tier = tier
        self._device = found[0].request_device_sync(
            required_features=[*wanted, *(["timestamp-query"] if clock else [])],
            required_limits={**LIMITS, **_limits(tier)},
        )
        self._queue = self._device.queue

    def buffer(self, size: int) -> Any:
        """A zeroed storage buffer of `size` bytes (a multiple of 4)."""
        return self._device.create_buffer(size=size, usage=_STORAGE)

    def write(self, buffer: Any, offset: int, data: bytes | npt.NDArray[Any]) -> None:
        self._queue.write_buffer(buffer, offset, data)

    def free(self, buffer: Any) -> None:
        """Gives the memory of `buffer` back at once, not when Python collects it."""
        buffer.destroy()

    def read(self, buffer: Any, offset: int, size: int) -> npt.NDArray[np.uint8]:
        """`size` bytes (a multiple of 4) of `buffer`, after all submitted work."""
        return np.frombuffer(self._queue.read_buffer(buffer, offset, size), np.uint8).copy()

    def pipeline(self, shader: Shader) -> Any:
        """A compute pipeline with an explicit layout. Raises InternalError with the shader
        compiler's message when it is not valid WGSL."""
        layout = self._device.create_bind_group_layout(
            entries=[
                {
                    "binding": i,
                    "visibility": wgpu.ShaderStage.COMPUTE,
                    "buffer": {"type": "read-only-storage" if a == "read" else "storage"},
                }
                for i, a in enumerate(shader.access)
            ]
        )
        try:
            return self._device.create_compute_pipeline(
                layout=self._device.create_pipeline_layout(bind_group_layouts=[layout]),
                compute={
                    "module": self._device.create_shader_module(code=shader.wgsl),
                    "entry_point": "main",
                },
            )
        except wgpu.GPUError as error:
            raise InternalError(
                "KERNEL002", f"kernel {shader.name} does not compile: {error}"
            ) from error

    def bind(self, pipeline: Any, views: Iterable[tuple[Any, int, int]], grid: Grid) -> BoundStep:
        """`views`: (buffer, offset, size) per binding."""
        group = self._device.create_bind_group(
            layout=pipeline.get_bind_group_layout(0),
            entries=[
                {"binding": i, "resource": {"buffer": b, "offset": o, "size": s}}
                for i, (b, o, s) in enumerate(views)
            ],
        )
        return BoundStep(pipeline, group, grid)

    def submit(self, steps: Iterable[BoundStep]) -> None:
        """All steps in one compute pass of one submit."""
        encoder = self._device.create_command_encoder()
        _encode(encoder.begin_compute_pass(), steps)
        self._queue.submit([encoder.finish()])

    def timed(self, steps: Iterable[BoundStep]) -> float:
        """Seconds that the GPU takes for `steps`, one after another, by its own clock."""
        times = self._device.create_query_set(type="timestamp", count=2)
        usage = wgpu.BufferUsage.QUERY_RESOLVE | wgpu.BufferUsage.COPY_SRC
        out = self._device.create_buffer(size=16, usage=usage)
        encoder = self._device.create_command_encoder()
        writes = {
            "query_set": times,
            "beginning_of_pass_write_index": 0,
            "end_of_pass_write_index": 1,
        }
        _encode(encoder.begin_compute_pass(timestamp_writes=writes), steps)
        encoder.resolve_query_set(times, 0, 2, out, 0)
        self._queue.submit([encoder.finish()])
        begin, end = np.frombuffer(self._queue.read_buffer(out), np.uint64)
        return float(end - begin) * 1e-9

    def run(
        self, kernel: Kernel, data: Mapping[str, npt.NDArray[Any]], grid: Grid
    ) -> dict[str, npt.NDArray[np.uint8]]:
        """Runs one kernel on fresh buffers, `data` giving each binding's content (padded to 16
        bytes), and returns the bytes of its writable bindings."""
        buffers = {}
        for binding in kernel.bindings:
            content = np.ascontiguousarray(data[binding.name]).view(np.uint8).reshape(-1)
            size = max(16, -(-content.size // 16) * 16)
            buffers[binding.name] = (buffer := self.buffer(size), 0, size)
            self.write(buffer, 0, np.pad(content, (0, size - content.size)))
        pipeline = self.pipeline(kernel)
        self.submit([self.bind(pipeline, buffers.values(), grid)])
        return {
            b.name: self.read(*buffers[b.name]) for b in kernel.bindings if b.access == "read_write"
        }


def _encode(compute: Any, steps: Iterable[BoundStep]) -> None:
    for step in steps:
        compute.set_pipeline(step.pipeline)
        compute.set_bind_group(0, step.bind_group)
        compute.dispatch_workgroups(*step.grid)
    compute.end()


def best_tier(tiers: Iterable[Tier]) -> Tier | None:
    """The last of `tiers`, given lowest first, that some adapter here has the features of."""
    found = adapters()
    able = [t for t in tiers if any(_can_run(adapter, t) for adapter in found)]
    return able[-1] if able else None


def _can_run(adapter: Any, tier: Tier) -> bool:
    needs = NEEDS[tier]
    return (
        all(_FEATURES[name] in adapter.features for name in needs.features)
        and all(adapter.limits[name] >= value for name, value in _limits(tier).items())
        and (needs.subgroup_size is None or _subgroup_size(adapter) == needs.subgroup_size)
    )


_SUBGROUP_SIZE = """
@group(0) @binding(0) var<storage, read_write> size: u32;
@compute @workgroup_size(256)
fn main(@builtin(subgroup_size) lanes: u32) { size = lanes; }
"""


def _subgroup_size(adapter: Any) -> int:
    """Lanes of a subgroup. Adapters tell only what could be, so a kernel is asked."""
    device = adapter.request_device_sync(required_features=["subgroup"])
    out = device.create_buffer(size=4, usage=_STORAGE)
    pipeline = device.create_compute_pipeline(
        layout="auto",
        compute={"module": device.create_shader_module(code=_SUBGROUP_SIZE), "entry_point": "main"},
    )
    group = device.create_bind_group(
        layout=pipeline.get_bind_group_layout(0),
        entries=[{"binding": 0, "resource": {"buffer": out, "offset": 0, "size": 4}}],
    )
    encoder = device.create_command_encoder()
    _encode(encoder.begin_compute_pass(), [BoundStep(pipeline, group, (1, 1, 1))])
    device.queue.submit([encoder.finish()])
    return int.from_bytes(device.queue.read_buffer(out), "little")


def _limits(tier: Tier) -> dict[str, int]:
    """The tier's limits by wgpu's names: maxBufferSize is max-buffer-size."""
    return {
        re.sub("[A-Z]", lambda letter: f"-{letter[0].lower()}", name): value
        for name, value in NEEDS[tier].limits.items()
    }
