"""What gguf's own writer writes, the reader reads; large files quickly."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from gguf.constants import GGMLQuantizationType, GGUFValueType
from gguf.gguf_writer import GGUFWriter
from gguf.quants import quantize

from mdst.gguf import read_gguf, type_name


def test_values_and_tensors_are_those_that_were_written(tmp_path: Path) -> None:
    rng = np.random.default_rng()
    path = tmp_path / "x.gguf"
    writer = GGUFWriter(path, "llama")
    expected: dict[str, Any] = {}
    for kind, low, high in (
        ("uint8", 0, 2**8),
        ("int8", -(2**7), 2**7),
        ("uint16", 0, 2**16),
        ("int16", -(2**15), 2**15),
        ("uint32", 0, 2**32),
        ("int32", -(2**31), 2**31),
        ("uint64", 0, 2**64 - 1),
        ("int64", -(2**63), 2**63 - 1),
    ):
        expected[kind] = int(rng.integers(low, high, dtype=kind))
        getattr(writer, f"add_{kind}")(kind, expected[kind])
    expected |= {"yes": True, "no": False, "float64": float(rng.normal())}
    expected["float32"] = float(np.float32(rng.normal()))
    writer.add_bool("yes", True)
    writer.add_bool("no", False)
    writer.add_float64("float64", expected["float64"])
    writer.add_float32("float32", expected["float32"])
    writer.add_string("string", "ein Öl")
    expected["string"] = "ein Öl".encode()
    integers = [int(n) for n in rng.integers(-(2**31), 2**31, 50)]
    writer.add_array("integers", integers)
    writer.add_array("strings", ["a", "", "ß" * 300])
    weights: dict[str, np.ndarray[Any, Any]] = {
        "a.weight": rng.normal(size=(3, 5, 64)).astype(np.float32),
        "b": rng.normal(size=7).astype(np.float16),
        "c.weight": rng.normal(size=(6, 96)).astype(np.float32),
    }
    raw: dict[str, np.ndarray[Any, Any]] = {
        "a.weight": weights["a.weight"],
        "b": weights["b"],
        "c.weight": quantize(weights["c.weight"], GGMLQuantizationType.Q8_0),
    }
    writer.add_tensor("a.weight", raw["a.weight"])
    writer.add_tensor("b", raw["b"])
    writer.add_tensor("c.weight", raw["c.weight"], raw_dtype=GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    with read_gguf(path) as file:
        for key, value in expected.items():
            assert file.metadata[key].value == value, key
            assert type(file.metadata[key].value) is type(value)
            assert file.metadata[key].element is None
        found = file.metadata["integers"]
        assert isinstance(found.value, np.ndarray)
        assert found.value.tolist() == integers
        assert (found.type, found.element) == (GGUFValueType.ARRAY, GGUFValueType.INT32)
        assert found.type_name == "array of i32"
        assert file.metadata["strings"].value == [b"a", b"", "ß".encode() * 300]
        assert path.read_bytes()[found.offset + 8 :].startswith(b"integers")
        assert file.warnings == ()
        assert file.size == path.stat().st_size
        assert list(file.tensors) == list(weights)
        for name, info in file.tensors.items():
            assert info.name == name
            assert info.shape == weights[name].shape
            assert info.size == raw[name].nbytes
            assert file.read(info).tobytes() == raw[name].tobytes()
            assert path.read_bytes()[info.where + 8 :].startswith(name.encode())
            start = int(rng.integers(0, info.size))
            length = int(rng.integers(0, info.size - start + 1))
            piece = file.read(info, start, length)
            assert piece.dtype == np.uint8
            assert piece.tobytes() == raw[name].tobytes()[start : start + length]
        assert file.tensors["c.weight"].type is GGMLQuantizationType.Q8_0


def test_large_vocabulary_and_many_records_read_quickly(tmp_path: Path) -> None:
    rng = np.random.default_rng()
    tokens = [rng.bytes(6) for _ in range(262_144)]
    merges = [b"%d %d" % (i, i) for i in range(400_000)]
    path = tmp_path / "x.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_array("tokens", tokens)
    writer.add_array("merges", merges)
    for index in range(5000):
        writer.add_uint32(f"key.{index}", index)
        writer.add_tensor(f"blk.{index}.weight", np.zeros(8, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    start = time.process_time()
    with read_gguf(path) as file:
        taken = time.process_time() - start
        assert file.metadata["tokens"].value == tokens
        assert file.metadata["merges"].value == merges
        assert len(file.tensors) == 5000
    # It takes about half a second; the bound only guards against quadratic work.
    assert taken < 5


def test_type_names_are_short() -> None:
    assert [type_name(kind) for kind in GGUFValueType] == (
        "u8 i8 u16 i16 u32 i32 f32 bool string array u64 i64 f64".split()
    )
