"""What a chat template may use: the table that parsing holds a template against.

Names and parameters are those of Jinja2 3.1 in the environment that Hugging Face's
`apply_chat_template` sets up (ImmutableSandboxedEnvironment, its own `tojson`, `raise_exception`,
`strftime_now`); `from_json` is llama.cpp's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MAX_TEXT = 256 << 10
"""Bytes of a template."""
MAX_NESTING = 200
"""Depth of a template's tree."""
MAX_INT = (1 << 53) - 1
"""Integers are exact up to here in every host; beyond it is an error, not another number."""


@dataclass(frozen=True, slots=True)
class Signature:
    """Parameters after the value: their names in order, and how many must be given. `rest`: any
    number of further positional arguments."""

    names: tuple[str, ...] = ()
    required: int = 0
    rest: bool = False


def _table(text: str) -> Mapping[str, Signature]:
    """Lines `name: parameters`; required ones end in `!`, `*` takes the rest."""
    table = {}
    for line in text.strip().splitlines():
        names, _, rest = line.partition(":")
        words = rest.split()
        parameters = tuple(word.rstrip("!") for word in words if word != "*")
        required = sum(word.endswith("!") for word in words)
        for name in names.split():
            table[name] = Signature(parameters, required, "*" in words)
    return table


FILTERS = _table("""
abs capitalize count first from_json items last length list lower reverse safe string title upper:
batch: linecount! fill_with
d default: default_value boolean
dictsort: case_sensitive by reverse
float: default
format: *
indent: width first blank
int: default
join: d attribute
map reject select rejectattr selectattr: *
max min unique: case_sensitive attribute
replace: old! new! count
sort: reverse case_sensitive attribute
sum: attribute start
tojson: ensure_ascii indent separators sort_keys
trim: chars
""")

TESTS = _table("""
boolean callable defined even false float integer iterable lower mapping none number odd:
sequence string true undefined upper:
== eq equalto != ne lt lessthan < le <= gt greaterthan > ge >= sameas: other!
divisibleby: num!
in: seq!
""")

FUNCTIONS = frozenset({"dict", "namespace", "raise_exception", "range", "strftime_now"})
UNAVAILABLE = frozenset({"cycler", "joiner", "lipsum"})
"""Jinja2's other globals."""

METHODS: Mapping[str, frozenset[str]] = {
    "str": frozenset(
        "capitalize count endswith find format index isalnum isalpha isdigit islower isspace "
        "isupper join lower lstrip partition removeprefix removesuffix replace rfind rpartition "
        "rsplit rstrip split splitlines startswith strip title upper".split()
    ),
    "list": frozenset({"copy", "count", "index"}),
    "tuple": frozenset({"count", "index"}),
    "dict": frozenset({"copy", "get", "items", "keys", "values"}),
}
"""Methods of values, by Python's name of the type."""

UNSAFE: Mapping[str, frozenset[str]] = {
    "list": frozenset("append clear extend insert pop remove reverse sort".split()),
    "dict": frozenset("clear pop popitem setdefault update".split()),
}
"""Methods that the sandbox keeps from templates: naming one is allowed, calling it is an error."""

NEITHER: Mapping[str, frozenset[str]] = {
    "str": frozenset(
        "casefold center encode expandtabs format_map isascii isdecimal isidentifier isnumeric "
        "isprintable istitle ljust maketrans rjust swapcase translate zfill".split()
    ),
    "dict": frozenset({"fromkeys"}),
    "int": frozenset(
        "as_integer_ratio bit_count bit_length conjugate denominator from_bytes imag numerator "
        "real to_bytes".split()
    ),
    "float": frozenset("as_integer_ratio conjugate fromhex hex imag is_integer real".split()),
}
"""Attributes that Python has and we do not: an error, never another value."""

CALLABLE = frozenset().union({"cycle", "changed"}, *METHODS.values(), *UNSAFE.values())
"""Attributes that it can make sense to call."""

COMPARISONS = {
    "eq": "==", "ne": "!=", "lt": "<", "lteq": "<=", "gt": ">", "gteq": ">=", "in": "in",
    "notin": "not in",
}  # fmt: skip
"""Jinja2's names of comparisons, and what they are."""
REFUSED = {
    "Import": "'import'", "FromImport": "'from … import'", "Include": "'include'",
    "Extends": "'extends'", "Block": "'block'", "Pow": "the operator '**'",
}  # fmt: skip
"""How what is not supported is called in a template, by Jinja2's name of the node."""
