"""Modules → fewer files with the same meaning. Fewer requests, and text that compresses better.

A file gets the modules that are needed together, one after another; what `import()` names is
needed later. Each module becomes a function that runs once, with what it imports as constants, so
that no name in it has to change:

    export const b = a + 1;   →   const $1 = (() => {
                                    const { a } = $0;
                                    const b = a + 1;
                                    return { b };
                                  })();

Modules have the form that esbuild prints.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from ..errors import InternalError

_IMPORT = re.compile(r'^import \{([^}]*)\} from "([^"]+)";\n', re.MULTILINE)
_PASSED_ON = re.compile(r'^export (\{[^}]*\} from "[^"]+";\n)', re.MULTILINE)
_LATER = re.compile(r'\bimport\("([^"]+)"\)')
_EMPTY_EXPORT = re.compile(r"^export \{\s*\};\n", re.MULTILINE)
_EXPORT = re.compile(r"^export \{([^}]+)\};\n", re.MULTILINE)
_DECLARATION = re.compile(
    r"^(export )?((?:async )?function\*?|class|const) ([\w$]+|[\[{][^\]}]*[\]}])",
    re.MULTILINE,
)
_LEFT = re.compile(r"^(import|export|await) ", re.MULTILINE)
_NAME = re.compile(r"[A-Za-z_$][\w$]*")


@dataclass(frozen=True, slots=True)
class _Module:
    """`body`: without imports and exports. `imports`: paths of modules, with the names taken;
    `later`: those that `import()` names."""

    name: str
    body: str
    imports: list[tuple[str, list[str]]]
    later: list[str]
    exported: list[str]
    functions: list[str]


def join_modules(files: Mapping[str, str], public: Collection[str]) -> dict[str, str]:
    """`files`: all modules by their paths. Those that are `public`, that no other imports or that
    `import()` names keep their paths; the others go into files named like one of them. Raises
    InternalError for what cannot be joined."""
    modules = {name: _read(name, text) for name, text in sorted(files.items())}
    imported = {target for module in modules.values() for target, _ in module.imports}
    if missing := imported - modules.keys():
        raise InternalError("JOIN004", f"there is no module {min(missing)}")
    later = {target for module in modules.values() for target in module.later}
    roots = [*public, *(modules.keys() - imported - later - set(public))]
    entries = sorted([*roots, *(later & modules.keys())])
    reach = {entry: _closure(entry, modules) for entry in entries}
    before = {entry: _before(entry, modules, reach, roots) for entry in entries}
    groups: dict[frozenset[str], list[str]] = {}
    for name in _ordered(entries, modules):
        users = (each for each in entries if name in reach[each] and name not in before[each])
        groups.setdefault(frozenset(users), []).append(name)
    home: dict[str, str] = {}
    for users_of, names in groups.items():
        kept = [name for name in names if name in entries]
        chosen = [*kept, *(users_of if len(users_of) == 1 else []), *names][0]
        home.update(dict.fromkeys(names, chosen) | {name: name for name in kept})
    return {
        chosen: _joined(chosen, [modules[n] for n in home if home[n] == chosen], home, modules)
        for chosen in dict.fromkeys(home.values())
    }


def _read(name: str, text: str) -> _Module:
    folder = posixpath.dirname(name)

    def path(target: str) -> str:
        return posixpath.normpath(posixpath.join(folder, target))

    passed = "".join(f"import {each}" for each in _PASSED_ON.findall(text))
    text = passed + _PASSED_ON.sub("", text)
    imports = [(path(target), _names(names)) for names, target in _IMPORT.findall(text)]
    body = _EMPTY_EXPORT.sub("", _IMPORT.sub("", text))
    lists = [name for names, _ in _IMPORT.findall(passed) for name in _names(names)]
    lists += [name for names in _EXPORT.findall(body) for name in _names(names)]
    body = _EXPORT.sub("", body)
    declared = [match.groups() for match in _DECLARATION.finditer(body)]
    body = _DECLARATION.sub(r"\2 \3", body)
    named = [*lists, *(each for _, names in imports for each in names)]
    if _LEFT.search(body) or not all(map(_NAME.fullmatch, named)):
        raise InternalError("JOIN001", f"{name} imports or exports in a form that cannot be joined")
    exported = [*lists, *(n for export, _, what in declared if export for n in _NAME.findall(what))]
    functions = [what for _, kind, what in declared if "function" in kind]
    later = [path(target) for target in _LATER.findall(body)]
    return _Module(name, body, imports, later, exported, functions)


def _names(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _closure(entry: str, modules: Mapping[str, _Module]) -> set[str]:
    """A module and all that it imports."""
    found = {entry}
    waiting = [entry]
    while waiting:
        new = {target for target, _ in modules[waiting.pop()].imports} - found
        found |= new
        waiting += new
    return found


def _before(
    entry: str,
    modules: Mapping[str, _Module],
    reach: Mapping[str, set[str]],
    roots: Collection[str],
) -> set[str]:
    """Modules that are always there when this one is loaded."""
    if entry in roots:
        return set()
    askers = {name for name, module in modules.items() if entry in module.later}
    first = [other for other in reach if other != entry and reach[other] & askers]
    known = [reach[other] | _before(other, modules, reach, [*roots, entry]) for other in first]
    return set.intersection(*known) if known else set()


def _ordered(entries: Iterable[str], modules: Mapping[str, _Module]) -> list[str]:
    """All modules, each after those that it imports."""
    order: dict[str, None] = {}
    seen: set[str] = set()

    def place(name: str) -> None:
        if name in seen:
            return
        seen.add(name)
        for target, _ in modules[name].imports:
            place(target)
        order[name] = None

    for entry in entries:
        place(entry)
    return list(order)


def _joined(
    chosen: str, parts: list[_Module], home: Mapping[str, str], modules: Mapping[str, _Module]
) -> str:
    folder = posixpath.dirname(chosen)
    number = {name: f"${index}" for index, name in enumerate(modules)}
    inside: set[str] = set()
    elsewhere: set[str] = set()
    bodies = []
    for part in parts:
        taken = ""
        for target, names in part.imports:
            if home[target] != chosen:
                elsewhere.add(target)
            if home[target] != chosen or target in inside:
                taken += f"const {{ {', '.join(names)} }} = {number[target]};\n"
            else:
                taken += _once_they_are_there(part, modules[target], names, number[target])
        inside.add(part.name)
        result = f"return {{ {', '.join(part.exported)} }};\n" if part.exported else ""
        body = _moved(part, folder)
        bodies.append(f"const {number[part.name]} = (() => {{\n{taken}{body}{result}}})();\n")
    wanted = {
        number[target]
        for module in modules.values()
        for target, _ in module.imports
        if target in inside and target != chosen and home[module.name] != chosen
    }
    head = ""
    taken_from: dict[str, list[str]] = {}
    for target in sorted(elsewhere):
        if home[target] == target:
            head += f'import * as {number[target]} from "{_relative(target, folder)}";\n'
        else:
            taken_from.setdefault(home[target], []).append(number[target])
    for file, taken_names in taken_from.items():
        head += f'import {{ {", ".join(taken_names)} }} from "{_relative(file, folder)}";\n'
    tail = f"export {{ {', '.join(sorted(wanted))} }};\n"
    if exported := modules[chosen].exported:
        tail += f"export const {{ {', '.join(exported)} }} = {number[chosen]};\n"
    return head + "".join(bodies) + tail


def _once_they_are_there(part: _Module, target: _Module, names: list[str], number: str) -> str:
    """Functions of a module that imports `part`, and so comes after it."""
    if odd := [name for name in names if name not in target.functions]:
        message = f"{part.name} and {target.name} import one another, and {odd[0]} is no function"
        raise InternalError("JOIN003", message)
    return "".join(f"const {name} = (...all) => {number}.{name}(...all);\n" for name in names)


def _moved(part: _Module, folder: str) -> str:
    """The module's text in a file of `folder`."""
    own = posixpath.dirname(part.name)
    if own != folder and "import.meta" in part.body:
        raise InternalError("JOIN002", f"{part.name} asks where it lies, so it must stay there")

    def moved(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(own, match[1]))
        return f'import("{_relative(path, folder)}")'

    return _LATER.sub(moved, part.body)


def _relative(target: str, folder: str) -> str:
    path = posixpath.relpath(target, folder or ".")
    return path if path.startswith(".") else f"./{path}"
