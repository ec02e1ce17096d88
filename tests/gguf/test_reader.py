"""The reader against files written byte by byte, good and bad."""

from __future__ import annotations

import re
import struct
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from gguf.constants import GGUFValueType

import mdst.gguf
from mdst.errors import MalformedError, MdstError, UnsupportedError
from mdst.gguf import GgufFile, cursor, limits, read_gguf
from mdst.gguf.errors import MEANINGS

U8, U32, F32, BOOL, STRING, ARRAY = (
    int(kind)
    for kind in (
        GGUFValueType.UINT8,
        GGUFValueType.UINT32,
        GGUFValueType.FLOAT32,
        GGUFValueType.BOOL,
        GGUFValueType.STRING,
        GGUFValueType.ARRAY,
    )
)


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def pair(key: bytes, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def array(element: int, count: int, items: bytes = b"") -> bytes:
    return struct.pack("<IQ", element, count) + items


def record(name: bytes, ne: list[int], kind: int = 0, offset: int = 0) -> bytes:
    shape = struct.pack(f"<I{len(ne)}Q", len(ne), *ne)
    return text(name) + shape + struct.pack("<IQ", kind, offset)


def blob(
    pairs: list[bytes] | None = None,
    records: list[bytes] | None = None,
    data: bytes = b"",
    *,
    version: int = 3,
    n_pairs: int | None = None,
    n_records: int | None = None,
    alignment: int = 32,
) -> bytes:
    pairs, records = pairs or [], records or []
    n_pairs = len(pairs) if n_pairs is None else n_pairs
    n_records = len(records) if n_records is None else n_records
    header = b"GGUF" + struct.pack("<IQQ", version, n_records, n_pairs)
    header += b"".join(pairs) + b"".join(records)
    return header + bytes(-len(header) % alignment) + data


@contextmanager
def opened(folder: Path, content: bytes) -> Iterator[GgufFile]:
    path = folder / "x.gguf"
    path.write_bytes(content)
    with read_gguf(path) as file:
        yield file


def test_version_2_is_read(tmp_path: Path) -> None:
    data = np.arange(8, dtype="<f4").tobytes()
    content = blob([pair(b"k", U32, b"\7\0\0\0")], [record(b"t", [4, 2])], data, version=2)
    with opened(tmp_path, content) as file:
        assert file.metadata["k"].value == 7
        assert file.tensors["t"].shape == (2, 4)
        assert file.read(file.tensors["t"]).tobytes() == data


def test_file_without_tensors_may_end_at_its_last_key(tmp_path: Path) -> None:
    content = blob([pair(b"k", BOOL, b"\1")], alignment=1)
    with opened(tmp_path, content) as file:
        assert file.warnings == ()
        assert file.metadata["k"].value is True


def test_strings_keep_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    items = text(b"\xf0\x28") + text(b"ok")
    content = blob(
        [pair(b"s", STRING, text(b"\xff\xfe")), pair(b"a", ARRAY, array(STRING, 2, items))]
    )
    with opened(tmp_path, content) as file:
        assert file.metadata["s"].value == b"\xff\xfe"
        assert file.metadata["a"].value == [b"\xf0\x28", b"ok"]


def test_arrays_of_bool_are_bool(tmp_path: Path) -> None:
    content = blob([pair(b"a", ARRAY, array(BOOL, 3, b"\1\0\1"))])
    with opened(tmp_path, content) as file:
        found = file.metadata["a"].value
        assert isinstance(found, np.ndarray)
        assert found.dtype == np.bool_
        assert found.tolist() == [True, False, True]


@pytest.mark.parametrize("chunk", [1, 7, 64, 4096])
def test_the_size_of_the_buffer_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    rng = np.random.default_rng()
    words = [rng.bytes(int(n)) for n in rng.integers(0, 200, 300)]
    numbers = rng.integers(0, 256, 5000, dtype=np.uint8)
    items = b"".join(map(text, words))
    content = blob(
        [
            pair(b"words", ARRAY, array(STRING, len(words), items)),
            pair(b"numbers", ARRAY, array(U8, len(numbers), numbers.tobytes())),
        ],
        [record(b"t", [4])],
        bytes(range(16)),
    )
    monkeypatch.setattr(cursor, "CHUNK", chunk)
    with opened(tmp_path, content) as file:
        assert file.metadata["words"].value == words
        found = file.metadata["numbers"].value
        assert isinstance(found, np.ndarray)
        assert np.array_equal(found, numbers)
        assert file.read(file.tensors["t"]).tobytes() == bytes(range(16))


F32_TENSOR = record(b"t", [8])
DATA = bytes(32)
BAD_FILES: list[tuple[str, str, bytes]] = [
    ("GGUF003", "empty", b""),
    ("GGUF004", "short", b"GGU"),
    ("GGUF004", "other magic", b"FUGG" + bytes(40)),
    ("GGUF005", "version 1", blob(version=1)),
    ("GGUF005", "version 4", blob(version=4)),
    ("GGUF006", "only a magic", b"GGUF"),
    ("GGUF006", "cut counts", blob()[:20]),
    ("GGUF006", "string past the end", blob([pair(b"k", STRING, struct.pack("<Q", 99))])),
    ("GGUF007", "keys", blob(n_pairs=2**64 - 1)),
    ("GGUF007", "tensors", blob(n_records=2**40)),
    ("GGUF010", "empty key", blob([pair(b"", U8, b"\0")])),
    ("GGUF010", "long key", blob([pair(b"k" * 65_536, U8, b"\0")])),
    ("GGUF010", "key of 2^63", blob([struct.pack("<Q", 1 << 63) + bytes(9)])),
    ("GGUF010", "key not UTF-8", blob([pair(b"\xff", U8, b"\0")])),
    ("GGUF010", "key with ESC", blob([pair(b"a\x1b[31m", U8, b"\0")])),
    ("GGUF010", "key with bidi mark", blob([pair("a\u202eb".encode(), U8, b"\0")])),
    ("GGUF011", "key twice", blob([pair(b"k", U8, b"\0"), pair(b"k", U8, b"\0")])),
    ("GGUF012", "value type", blob([pair(b"k", 13, bytes(8))])),
    ("GGUF013", "string length", blob([pair(b"k", STRING, struct.pack("<Q", 2**64 - 1))])),
    (
        "GGUF013",
        "string length in an array",
        blob([pair(b"k", ARRAY, array(STRING, 1, struct.pack("<Q", 2**60)))]),
    ),
    ("GGUF014", "element type", blob([pair(b"k", ARRAY, array(99, 1, bytes(8)))])),
    ("GGUF014", "nested", blob([pair(b"k", ARRAY, array(ARRAY, 1, array(U8, 1, b"\0")))])),
    ("GGUF015", "elements", blob([pair(b"k", ARRAY, array(U8, 2**40))])),
    ("GGUF015", "strings", blob([pair(b"k", ARRAY, array(STRING, 2**61 + 1))])),
    ("GGUF016", "bool", blob([pair(b"k", BOOL, b"\2")])),
    ("GGUF016", "bool in an array", blob([pair(b"k", ARRAY, array(BOOL, 2, b"\1\2"))])),
    *(
        ("GGUF017", f"alignment {n}", blob([pair(b"general.alignment", U32, struct.pack("<I", n))]))
        for n in (0, 3, 24, 2 * limits.ALIGNMENT, 2**31)
    ),
    ("GGUF017", "alignment f32", blob([pair(b"general.alignment", F32, bytes(4))])),
    ("GGUF018", "split", blob([pair(b"split.count", U32, b"\3\0\0\0")])),
    ("GGUF020", "empty name", blob([], [record(b"", [8])], DATA)),
    ("GGUF020", "long name", blob([], [record(b"t" * 65, [8])], DATA)),
    ("GGUF020", "name not UTF-8", blob([], [record(b"\xfe", [8])], DATA)),
    ("GGUF020", "name with newline", blob([], [record(b"a\nb", [8])], DATA)),
    ("GGUF021", "name twice", blob([], [F32_TENSOR, record(b"t", [8], 0, 32)], DATA * 2)),
    ("GGUF022", "no dimension", blob([], [record(b"t", [])], DATA)),
    ("GGUF022", "five dimensions", blob([], [record(b"t", [8, 1, 1, 1, 1])], DATA)),
    ("GGUF023", "zero", blob([], [record(b"t", [8, 0])], DATA)),
    ("GGUF023", "2^32", blob([], [record(b"t", [2**32])], DATA)),
    ("GGUF024", "type removed", blob([], [record(b"t", [32], 4)], DATA)),
    ("GGUF024", "type unknown", blob([], [record(b"t", [8], 2**32 - 1)], DATA)),
    ("GGUF025", "row of 33", blob([], [record(b"t", [33, 2], 8)], bytes(128))),
    ("GGUF026", "no data", blob([], [F32_TENSOR])),
    ("GGUF026", "one byte less", blob([], [F32_TENSOR], DATA[:-1])),
    ("GGUF026", "offset -1", blob([], [record(b"t", [8], 0, 2**64 - 1)], DATA)),
    # A product in 64 bits would wrap to 0.
    ("GGUF026", "2^64 weights", blob([], [record(b"t", [2**31, 2**31, 4])], DATA)),
    ("GGUF027", "misaligned", blob([], [record(b"t", [8], 0, 4)], DATA * 2)),
    ("GGUF028", "overlap", blob([], [F32_TENSOR, record(b"u", [8], 0, 0)], DATA * 2)),
    ("GGUF028", "gap", blob([], [F32_TENSOR, record(b"u", [8], 0, 64)], DATA * 3)),
]


@pytest.mark.parametrize(
    ("id", "content"),
    [(id, content) for id, _, content in BAD_FILES],
    ids=[f[1] for f in BAD_FILES],
)
def test_bad_file_is_refused_in_one_line_that_names_the_place(
    tmp_path: Path, id: str, content: bytes
) -> None:
    kind = UnsupportedError if id == "GGUF018" else MalformedError
    with pytest.raises(kind) as caught, opened(tmp_path, content):
        pass
    assert caught.value.id == id
    assert caught.value.message.startswith("'x.gguf': ")
    assert id == "GGUF003" or re.search(r"at byte \d+", caught.value.message)
    assert caught.value.message.isprintable()


def test_nothing_is_allocated_by_a_number_from_the_file(tmp_path: Path) -> None:
    # The first read imports and caches; it is not what is measured.
    with opened(tmp_path, blob()):
        pass
    for id, name, content in BAD_FILES:
        tracemalloc.start()
        with pytest.raises(MdstError), opened(tmp_path, content):
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 200_000 + 6 * len(content), (id, name)


def test_every_error_id_has_a_meaning_and_a_test() -> None:
    folder = Path(mdst.gguf.__file__).parent
    table = (folder / "errors.py").read_text()
    sources = "".join(p.read_text() for p in folder.glob("*.py") if p.name != "errors.py")
    used = set(re.findall(r"GGUF\d{3}", sources))
    assert used == set(MEANINGS)
    assert len(re.findall(r"GGUF\d{3}", table)) == len(MEANINGS)
    assert len(set(MEANINGS.values())) == len(MEANINGS)
    elsewhere = {"GGUF001", "GGUF002", "GGUF008"}  # in the tests below
    assert {id for id, _, _ in BAD_FILES} == set(MEANINGS) - elsewhere


def test_header_longer_than_the_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = blob([pair(b"k", ARRAY, array(U8, 500, bytes(500)))], alignment=1)
    monkeypatch.setattr(limits, "HEADER_BYTES", len(content))
    with opened(tmp_path, content) as file:
        assert file.size == len(content)
    monkeypatch.setattr(limits, "HEADER_BYTES", len(content) - 1)
    with pytest.raises(MalformedError) as caught, opened(tmp_path, content):
        pass
    assert caught.value.id == "GGUF008"


@pytest.mark.parametrize(
    ("limit", "content"),
    [
        ("METADATA_KEYS", blob([pair(b"a", U8, b"\0"), pair(b"b", U8, b"\0")])),
        ("TENSORS", blob([], [F32_TENSOR, record(b"u", [8], 0, 32)], DATA * 2)),
        ("ARRAY_ELEMENTS", blob([pair(b"k", ARRAY, array(U8, 2, bytes(2)))])),
        ("STRING_BYTES", blob([pair(b"k", STRING, text(b"ab"))])),
        ("KEY_BYTES", blob([pair(b"kk", U8, b"\0")])),
        ("TENSOR_NAME_BYTES", blob([], [record(b"tt", [8])], DATA)),
        ("DIMENSIONS", blob([], [record(b"t", [8, 1])], DATA)),
    ],
)
def test_limits_hold_exactly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, content: bytes
) -> None:
    monkeypatch.setattr(limits, limit, 2)
    with opened(tmp_path, content):
        pass
    monkeypatch.setattr(limits, limit, 1)
    with pytest.raises(MalformedError), opened(tmp_path, content):
        pass


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04" + bytes(60), "ZIP"),
        (b"\n<!DOCTYPE html><html>404</html>", "HTML"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git-lfs"),
        (struct.pack("<Q", 70) + b'{"__metadata__":{}}', "safetensors"),
        (b"tjgg" + bytes(60), "GGML"),
        (b"\x1f\x8b" + bytes(60), "gzip"),
        (b"\xfd7zXZ\x00" + bytes(60), "xz"),
        (b"\x28\xb5\x2f\xfd" + bytes(60), "zstd"),
        (bytes(600), "zeros"),
    ],
)
def test_other_kinds_of_file_are_recognised(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(MalformedError) as caught, opened(tmp_path, content):
        pass
    assert words in caught.value.message
    assert caught.value.hint


def test_big_endian_file_is_recognised(tmp_path: Path) -> None:
    content = b"GGUF" + struct.pack(">IQQ", 3, 0, 0)
    with pytest.raises(MalformedError) as caught, opened(tmp_path, content):
        pass
    assert caught.value.hint is not None
    assert "big-endian" in caught.value.hint


def test_split_file_names_the_merge_command(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError) as caught:
        with opened(tmp_path, blob([pair(b"split.count", U32, b"\2\0\0\0")])):
            pass
    assert caught.value.hint is not None
    assert "llama-gguf-split --merge" in caught.value.hint
    with opened(tmp_path, blob([pair(b"split.count", U32, b"\1\0\0\0")])):
        pass


def test_file_of_one_duplicate_names_both_places(tmp_path: Path) -> None:
    first, second = pair(b"k", U8, b"\0"), pair(b"k", U8, b"\1")
    with pytest.raises(MalformedError) as caught, opened(tmp_path, blob([first, second])):
        pass
    assert f"at byte {24 + len(first)}" in caught.value.message
    assert "at byte 24" in caught.value.message


def test_odd_ends_are_warned_about(tmp_path: Path) -> None:
    content = blob([], [record(b"t", [9])], bytes(36))
    with opened(tmp_path, content) as file:
        assert "padding after the last tensor is missing (28 bytes" in file.warnings[0]
    with opened(tmp_path, content + bytes(28)) as file:
        assert file.warnings == ()
    with opened(tmp_path, content + bytes(29)) as file:
        assert "1 bytes after the tensor data" in file.warnings[0]


@pytest.mark.parametrize("alignment", [1, 8, 4096, limits.ALIGNMENT])
def test_alignment_is_followed(tmp_path: Path, alignment: int) -> None:
    value = pair(b"general.alignment", U32, struct.pack("<I", alignment))
    gap = -4 % alignment
    records = [record(b"t", [1]), record(b"u", [1], 0, 4 + gap)]
    content = blob([value], records, b"abcd" + bytes(gap) + b"efgh", alignment=alignment)
    with opened(tmp_path, content) as file:
        assert file.read(file.tensors["u"]).tobytes() == b"efgh"
        assert file.tensors["u"].offset % alignment == 0


def test_read_only_results(tmp_path: Path) -> None:
    numbers = pair(b"a", ARRAY, array(U8, 2, b"\1\2"))
    with opened(tmp_path, blob([numbers], [F32_TENSOR], DATA)) as file:
        found = file.metadata["a"].value
        assert isinstance(found, np.ndarray)
        assert not found.flags.writeable
        assert not file.read(file.tensors["t"]).flags.writeable
        with pytest.raises(TypeError):
            file.metadata["b"] = file.metadata["a"]  # type: ignore[index]
