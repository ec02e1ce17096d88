"""WAT → WASM."""

from __future__ import annotations

import wasmtime

from ...errors import InternalError


def assemble(name: str, text: str) -> bytes:
    """The module of a text. Raises InternalError for a text that is no module: one of our own."""
    try:
        return bytes(wasmtime.wat2wasm(text))
    except wasmtime.WasmtimeError as error:
        raise InternalError("WASM001", f"module {name} is not valid: {error}") from error
