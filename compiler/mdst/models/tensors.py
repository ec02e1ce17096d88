"""The tensors a family expects in a file, checked both ways: all are there, none is unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import MalformedError, printable
from ..gguf import GgufFile, TensorInfo

_LISTED = 10


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A tensor by its GGUF name (gguf-py's constants.py) and row-major shape."""

    name: str
    shape: tuple[int, ...]
    required: bool = True


def check_tensors(
    file: GgufFile, specs: Sequence[TensorSpec], left: tuple[str, ...]
) -> tuple[str, ...]:
    """Warnings about tensors that nobody asked for, but those whose names end in one of `left`.

    Raises MalformedError for missing tensors (up to ten are named) and wrong shapes.
    """
    missing = [s.name for s in specs if s.required and s.name not in file.tensors]
    if missing:
        more = f" and {len(missing) - _LISTED} more" if len(missing) > _LISTED else ""
        raise MalformedError(
            "MODEL001", f"{_file(file)}: missing tensors: {', '.join(missing[:_LISTED])}{more}"
        )
    for spec in specs:
        info = file.tensors.get(spec.name)
        if info is not None and info.shape != spec.shape:
            raise MalformedError(
                "MODEL002",
                f"{_file(file)}: tensor '{spec.name}' (info at byte {info.where}): shape "
                f"{_shape(info)} found, {list(reversed(spec.shape))} expected",
            )
    known = {spec.name for spec in specs}
    unknown = [n for n in file.tensors if n not in known and not n.endswith(left)]
    if not unknown:
        return ()
    shown = ", ".join(printable(name) for name in unknown[:_LISTED])
    count = "1 tensor is" if len(unknown) == 1 else f"{len(unknown)} tensors are"
    return (f"{count} not used by this architecture: {shown}",)


def types_used(tensors: Mapping[str, TensorInfo]) -> dict[str, int]:
    """Bytes of tensor data per GGUF type name, largest first."""
    sizes: dict[str, int] = {}
    for info in tensors.values():
        sizes[info.type.name] = sizes.get(info.type.name, 0) + info.size
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))


def _file(file: GgufFile) -> str:
    return printable(file.path.name)


def _shape(info: TensorInfo) -> list[int]:
    """In GGUF's order, as other tools print it."""
    return list(reversed(info.shape))
