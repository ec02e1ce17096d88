"""Names the kind of a file that is not GGUF, by its first bytes."""

from __future__ import annotations

_PREFIXES = (
    (b"PK\x03\x04", "a ZIP archive or a PyTorch checkpoint", "convert the model to GGUF first"),
    (b"version https://git-lfs", "a git-lfs pointer", "run `git lfs pull` to get the file itself"),
    (b"\x1f\x8b", "gzip-compressed", "unpack it with gunzip"),
    (b"\xfd7zXZ\x00", "xz-compressed", "unpack it with unxz"),
    (b"\x28\xb5\x2f\xfd", "zstd-compressed", "unpack it with unzstd"),
    *(
        (magic, "an old GGML file, from before GGUF", "get or make a GGUF version of the model")
        for magic in (b"lmgg", b"fmgg", b"tjgg", b"algg")
    ),
)


def looks_like(head: bytes) -> tuple[str, str] | None:
    """What the file that begins with `head` (512 bytes are enough) is, and what to do about it."""
    for prefix, what, advice in _PREFIXES:
        if head.startswith(prefix):
            return what, advice
    text = head.lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "an HTML page", "the download was answered by a web page: check the address"
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 1 << 32:
        return "a safetensors file", "convert the model to GGUF first"
    if len(head) >= 4 and not any(head):
        return "nothing but zeros so far", "the download may not have finished"
    return None
