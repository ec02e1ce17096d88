"""Workgroup memory of a shader, read off its text: browsers hold it to a limit, wgpu does not."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

from ..errors import InternalError

_COMMENT = re.compile(r"//.*")
_VARIABLE = re.compile(r"^var<workgroup> \w+: (.+);", re.MULTILINE)
_CONSTANT = re.compile(r"^const (\w+) = (.+?);", re.MULTILINE)
_ALIAS = re.compile(r"^alias (\w+) = (.+?);", re.MULTILINE)
_STRUCT = re.compile(r"^struct (\w+) \{\n(.*?)\n\}", re.MULTILINE | re.DOTALL)
_MEMBER = re.compile(r"^ *\w+: (.+), *$", re.MULTILINE)
_VECTOR = re.compile(r"vec([234])<(?:f32|u32|i32|bool)>")
_ARRAY = re.compile(r"array<(.+), ([^<>]+)>")
_ALIGNMENT = 16


def workgroup_bytes(wgsl: str) -> int:
    """The sum of all workgroup variables, each rounded up to 16 bytes as Tint does. Raises
    InternalError for a type that is not understood."""
    wgsl = _COMMENT.sub("", wgsl)
    types = dict(_ALIAS.findall(wgsl))
    constants: dict[str, int] = {}
    for name, value in _CONSTANT.findall(wgsl):
        try:
            constants[name] = _count(value, constants)
        except InternalError:
            continue  # a float; no array's length
    structs = {name: _MEMBER.findall(body) for name, body in _STRUCT.findall(wgsl)}
    sizes = (_size(t, types, structs, constants) for t in _VARIABLE.findall(wgsl))
    return sum(-(-size // _ALIGNMENT) * _ALIGNMENT for size in sizes)


def _size(
    type: str,
    aliases: Mapping[str, str],
    structs: Mapping[str, list[str]],
    constants: Mapping[str, int],
) -> int:
    """Bytes, padding of members up to their largest possible alignment included."""
    if type in aliases:
        return _size(aliases[type], aliases, structs, constants)
    if type in structs:
        return sum(_size(member, aliases, structs, constants) for member in structs[type])
    if type in ("f32", "u32", "i32", "bool", "atomic<u32>", "atomic<i32>"):
        return 4
    if vector := _VECTOR.fullmatch(type):
        return 16 if vector[1] == "3" else 4 * int(vector[1])
    if array := _ARRAY.fullmatch(type):
        return _count(array[2], constants) * _size(array[1], aliases, structs, constants)
    raise InternalError("KERNEL003", f"workgroup variable of unknown type {type}")


def _count(text: str, constants: Mapping[str, int]) -> int:
    """The value of a constant expression of unsigned integers."""
    try:
        return _value(ast.parse(re.sub(r"\b(\d+)u\b", r"\1", text), mode="eval").body, constants)
    except (SyntaxError, KeyError, TypeError):
        raise InternalError("KERNEL003", f"{text} is no count") from None


def _value(node: ast.expr, constants: Mapping[str, int]) -> int:
    match node:
        case ast.Constant(value=int(value)):
            return value
        case ast.Name(id=name):
            return constants[name]
        case ast.BinOp(left=left, op=op, right=right):
            a, b = _value(left, constants), _value(right, constants)
            match op:
                case ast.Add():
                    return a + b
                case ast.Sub():
                    return a - b
                case ast.Mult():
                    return a * b
                case ast.Div() | ast.FloorDiv():
                    return a // b
    raise TypeError
