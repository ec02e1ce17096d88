"""manifest.json: the one contract between the compiler and every host.

Sizes and offsets are bytes. References between lists are indices. Types for other languages are
generated from these classes.
"""

from __future__ import annotations

import json
import types
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

from ..errors import MalformedError, printable

FORMAT = 2
"""Raised by every change that an older host would misread."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What the model is. `name` is untrusted text."""

    name: str
    architecture: str
    parameters: int
    layers: int
    vocabulary: int
    trained_context: int


@dataclass(frozen=True, slots=True)
class Buffer:
    """A GPU buffer; `kind` is weights, kv, arena, state, tokens, counts or bias. All start as
    zeros."""

    name: str
    kind: str
    size: int


@dataclass(frozen=True, slots=True)
class Shard:
    """A file weights/`sha256`.bin: `size` bytes that go to `offset` of buffer number `buffer`."""

    sha256: str
    size: int
    buffer: int
    offset: int


@dataclass(frozen=True, slots=True)
class WeightSet:
    """Shards in the order of first use, and the programs that need them."""

    name: str
    programs: list[str]
    shards: list[Shard]


@dataclass(frozen=True, slots=True)
class View:
    """What a binding sees: `size` bytes at `offset` of buffer number `buffer`."""

    buffer: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class KernelInfo:
    """A compute shader by its name in the tier's WGSL file. `access` per binding: read or
    read_write."""

    name: str
    access: list[str]


@dataclass(frozen=True, slots=True)
class Step:
    """One dispatch: kernel and views by number, workgroups in three dimensions."""

    kernel: int
    views: list[int]
    grid: list[int]
    label: str


@dataclass(frozen=True, slots=True)
class Program:
    """Steps to dispatch in order for runs of up to `tokens` tokens. `phase` is prefill (of which
    there may be several sizes), prefill_logits, decode, decode_logits or sample. It may run on
    tokens at positions below `reach` alone: of two programs of a phase, the one of less reach is
    the faster."""

    name: str
    phase: str
    tokens: int
    reach: int
    steps: list[Step]


@dataclass(frozen=True, slots=True)
class Limit:
    """A device limit by its name in WebGPU, and the least that is enough."""

    name: str
    least: int


@dataclass(frozen=True, slots=True)
class Tier:
    """The kernels and programs for devices with `features` (names of WebGPU's GPUFeatureName),
    extensions of the `language` (of wgslLanguageFeatures), subgroups of just `subgroup_size` lanes
    unless it is null, and these `limits` beside those of the bundle. `arithmetic`: float, or int8
    for activations rounded to 8 bits. `wgsl` holds all kernels, each after a line
    `//! kernel NAME`."""

    name: str
    arithmetic: str
    features: list[str]
    language: list[str]
    subgroup_size: int | None
    limits: list[Limit]
    wgsl: str
    kernels: list[KernelInfo]
    programs: list[Program]


@dataclass(frozen=True, slots=True)
class File:
    """A file beside the manifest that a page loads with the model: `size` bytes whose hash is
    `sha256`, so that files of two builds are never mixed."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class WasmModule:
    """The whole model as a WebAssembly module, for engines with `features` (names of WebAssembly's
    proposals: simd, relaxed-simd, threads, memory64). It imports `env.memory` of `pages` pages of
    64 KiB (shared for threads); `weights` are the addresses of the weight buffers in order, so that
    a shard goes to that of its buffer plus its offset; `logits` float32 [vocabulary]. Exports:
    templates/wat/module.wat.j2; `chunk`: most tokens of one prefill; `threads`: most instances that
    share the memory; `team`: address of the word that numbers their jobs."""

    name: str
    features: list[str]
    file: str
    size: int
    sha256: str
    pages: int
    chunk: int
    threads: int
    weights: list[int]
    state: int
    tokens: int
    counts: int
    bias: int
    logits: int
    team: int


@dataclass(frozen=True, slots=True)
class WasmPlace:
    """`size` bytes at `offset` of buffer number `buffer` go to `address`."""

    buffer: int
    offset: int
    size: int
    address: int


@dataclass(frozen=True, slots=True)
class WasmPart:
    """Layers `first` … `end` − 1 of a model that is cut, as a module of its own over a memory of
    `pages` pages. Of the weights it has those in `places`; a shard may go to several parts. It
    takes the hidden states float32 [tokens, width] at `entry` (0: it begins with the tokens) and
    leaves them at `hidden`."""

    first: int
    end: int
    file: str
    size: int
    sha256: str
    pages: int
    places: list[WasmPlace]
    entry: int
    hidden: int


@dataclass(frozen=True, slots=True)
class WasmCut:
    """A WasmModule whose memory passes 4 GiB, for engines without memory64: cut by layers into
    `parts`, each with 32-bit addresses and instances, memory and team of its own. A run calls
    `prefill` of each in turn and copies the hidden states, `width` floats per token, from one to
    the next. `state`, `tokens` and `team` are at the same address in every part: all need the
    state, the first and the last the tokens. `sample`, `counts`, `bias` and `logits` are the last
    one's; the state that it leaves goes to all, its token to the first."""

    name: str
    features: list[str]
    parts: list[WasmPart]
    width: int
    chunk: int
    threads: int
    state: int
    tokens: int
    counts: int
    bias: int
    logits: int
    team: int


@dataclass(frozen=True, slots=True)
class Field:
    """`count` values of `type` (u32 or f32) at `offset` of the state buffer."""

    name: str
    type: str
    offset: int
    count: int


@dataclass(frozen=True, slots=True)
class Limits:
    """Device limits that the bundle needs, by their names in WebGPU."""

    maxBufferSize: int  # noqa: N815
    maxStorageBufferBindingSize: int  # noqa: N815


@dataclass(frozen=True, slots=True)
class Context:
    """`window`: tokens that attention sees and that `tokens` keeps; `least_window`: that the layer
    sees which sees fewest. Each layer's cache is a ring of its window and `ahead` more tokens: what
    may be processed after a position before the position must not be returned to. `chunk`: most
    tokens of a prefill run. `sinks` and `max_sinks`: first tokens kept when the window slides."""

    window: int
    least_window: int
    ahead: int
    chunk: int
    sinks: int
    max_sinks: int
    max_position: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that a host needs to load and run the model."""

    format: int
    compiler: str
    model: ModelInfo
    context: Context
    kv: str
    limits: Limits
    buffers: list[Buffer]
    views: list[View]
    tiers: list[Tier]
    wasm: list[WasmModule]
    wasm_cuts: list[WasmCut]
    files: list[File]
    weights: list[WeightSet]
    weights_url: str | None
    state: list[Field]
    logits: int
    """The view in which programs leave the logits, float32 [vocabulary]."""

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def parse_manifest(text: str) -> Manifest:
    """Raises MalformedError when `text` is no manifest of this FORMAT."""
    try:
        data = json.loads(text)
        found = data.get("format") if isinstance(data, dict) else None
        if found != FORMAT:
            raise MalformedError(
                "MANIFEST001",
                f"manifest.json has format {found!r}; this version reads {FORMAT}",
                hint="compile the model again",
            )
        manifest: Manifest = _build(Manifest, data)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise MalformedError("MANIFEST002", f"manifest.json is not valid: {error}") from error
    return manifest


def _build(type_: Any, data: Any) -> Any:
    """`data` as an instance of an annotation made of dataclasses, lists, unions and scalars."""
    if is_dataclass(type_) and isinstance(type_, type):
        hints = get_type_hints(type_)
        return type_(**{f.name: _build(hints[f.name], data[f.name]) for f in fields(type_)})
    if get_origin(type_) is list:
        (item,) = get_args(type_)
        if not isinstance(data, list):
            raise TypeError(f"a list expected, {printable(repr(data))} found")
        return [_build(item, value) for value in data]
    allowed = get_args(type_) if get_origin(type_) in (Union, types.UnionType) else (type_,)
    if isinstance(data, bool) or not isinstance(data, allowed):
        raise TypeError(f"{type_} expected, {printable(repr(data))} found")
    return data
