"""A template's tree → text. `translate` says what the tree is made of; every step counts.

The twin of runtime_js/runtime/template/renderer.js: what one renders or refuses, so does the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .access import attribute, element, unpack
from .filters import run_filter
from .operators import binary, compare, cut, unary
from .printing import to_text
from .tests import run_test
from .values import (
    ABSENT,
    Budget,
    BudgetError,
    Callee,
    Loop,
    Namespace,
    Undefined,
    Value,
    fail,
    iterate,
    put,
    truth,
    type_name,
)

Node = Any


class Scope:
    """Names and what they stand for; what is not here may be in `parent`."""

    __slots__ = ("parent", "values")

    def __init__(self, parent: Scope | None, values: Mapping[str, Value] | None = None) -> None:
        self.parent = parent
        self.values: dict[str, Value] = dict(values or {})

    def find(self, name: str) -> Value:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.values:
                return scope.values[name]
            scope = scope.parent
        return Undefined(f"'{name}' is undefined")


class Renderer:
    """One rendering. Its methods raise TemplateError."""

    def __init__(self, budget: Budget, functions: Mapping[str, Callee]) -> None:
        self.budget = budget
        self.functions = Scope(None, functions)
        self.depth = 0

    def render(self, body: list[Node], values: Mapping[str, Value]) -> str:
        return self.text(body, Scope(Scope(self.functions, values)))

    def text(self, body: list[Node], scope: Scope) -> str:
        out: list[str] = []
        self.body(body, scope, out)
        return self.budget.text("".join(out))

    def body(self, body: list[Node], scope: Scope, out: list[str]) -> str | None:
        """Renders to `out`. Returns 'break' or 'continue' where a loop should know."""
        for node in body:
            self.budget.spend(1)
            if isinstance(node, str):
                self._write(out, node)
                continue
            self._enter()
            leave = self._statement(node, scope, out)
            self.depth -= 1
            if leave:
                return leave
        return None

    def _enter(self) -> None:
        self.depth += 1
        if self.depth > self.budget.depth:
            raise BudgetError("it is nested too deep")

    def _write(self, out: list[str], text: str) -> None:
        self.budget.spend(len(text) >> 3)
        out.append(text)

    def _statement(self, node: Node, scope: Scope, out: list[str]) -> str | None:
        leave: str | None = _STATEMENTS[node[0]](self, node, scope, out)
        return leave

    def _print(self, node: Node, scope: Scope, out: list[str]) -> None:
        self._write(out, to_text(self.budget, self.value(node[1], scope)))

    def _if(self, node: Node, scope: Scope, out: list[str]) -> str | None:
        for condition, body in node[1]:
            if truth(self.value(condition, scope)):
                return self.body(body, scope, out)
        return self.body(node[2], scope, out)

    def _set(self, node: Node, scope: Scope, out: list[str]) -> None:
        self._assign(node[1], self.value(node[2], scope), scope)

    def _capture(self, node: Node, scope: Scope, out: list[str]) -> None:
        self._assign(node[1], self._filtered(node[2], node[3], scope), scope)

    def _filter_block(self, node: Node, scope: Scope, out: list[str]) -> None:
        self._write(out, to_text(self.budget, self._filtered(node[1], node[2], scope)))

    def _define(self, node: Node, scope: Scope, out: list[str]) -> None:
        scope.values[node[1][0]] = self._macro(node[1], scope)

    def _call_block(self, node: Node, scope: Scope, out: list[str]) -> None:
        made = self._call(node[1], scope, self._macro(node[2], scope))
        self._write(out, to_text(self.budget, made))

    def _with(self, node: Node, scope: Scope, out: list[str]) -> str | None:
        inner = Scope(scope)
        for target, expr in zip(node[1], node[2], strict=True):
            self._assign(target, self.value(expr, scope), inner)
        return self.body(node[3], inner, out)

    def _filtered(self, expr: Node, body: list[Node], scope: Scope) -> Value:
        """`expr`, which has [body] in it, of a body."""
        return self.value(expr, Scope(scope, {"": self.text(body, Scope(scope))}))

    def _loop(self, node: Node, scope: Scope, out: list[str]) -> str | None:
        _, target, source, condition, body, other = node
        items = iterate(self.budget, self.value(source, scope))
        if condition:
            items = [item for item in items if self._passes(target, item, condition[0], scope)]
        if not items:
            return self.body(other, Scope(scope), out)
        state = Loop(items)
        for state.index0, item in enumerate(items):
            self.budget.spend(1)
            inner = Scope(scope, {"loop": state})
            self._assign(target, item, inner)
            if self.body(body, inner, out) == "break":
                break
        return None

    def _passes(self, target: Node, item: Value, condition: Node, scope: Scope) -> bool:
        inner = Scope(scope)
        self._assign(target, item, inner)
        return truth(self.value(condition, inner))

    def _assign(self, target: Node, value: Value, scope: Scope) -> None:
        if isinstance(target, str):
            scope.values[target] = value
        elif target[0] == "ns":
            space = scope.find(target[1])
            if not isinstance(space, Namespace):
                fail("cannot assign attribute on non-namespace object")
            space.values[target[2]] = value
        else:
            items = unpack(self.budget, len(target[1]), value)
            for each, item in zip(target[1], items, strict=True):
                self._assign(each, item, scope)

    def _macro(self, macro: Node, scope: Scope) -> Callee:
        name, parameters, _, body, uses = macro

        def call(args: list[Value], given: dict[str, Value]) -> Value:
            kwargs = dict(given)
            inner = Scope(scope)
            self._parameters(macro, args, kwargs, inner)
            if "caller" in uses and "caller" not in parameters:
                inner.values["caller"] = kwargs.pop("caller", Undefined("No caller defined"))
            if "kwargs" in uses:
                inner.values["kwargs"] = kwargs
            elif kwargs:
                fail(f"macro '{name}' takes no keyword argument '{next(iter(kwargs))}'")
            if "varargs" in uses:
                inner.values["varargs"] = tuple(args[len(parameters) :])
            elif len(args) > len(parameters):
                fail(f"macro '{name}' takes not more than {len(parameters)} argument(s)")
            return self.text(body, inner)

        return Callee(call)

    def _parameters(
        self, macro: Node, args: list[Value], kwargs: dict[str, Value], inner: Scope
    ) -> None:
        """Sets a macro's parameters; takes those that it finds from `kwargs`."""
        _, parameters, defaults, _, _ = macro
        first = len(parameters) - len(defaults)
        for place, parameter in enumerate(parameters):
            if place < len(args):
                value = args[place]
            elif parameter in kwargs:
                value = kwargs.pop(parameter)
            elif place < first:
                value = Undefined(f"parameter '{parameter}' was not provided")
            else:
                value = self.value(defaults[place - first], inner)
            inner.values[parameter] = value

    # -- expressions ------------------------------------------------------------------------------

    def value(self, node: Node, scope: Scope) -> Value:
        self.budget.spend(1)
        if not isinstance(node, list):
            return node
        self._enter()
        value = self._compute(node, scope)
        self.depth -= 1
        return value

    def _values(self, nodes: Sequence[Node], scope: Scope) -> list[Value]:
        return [self.value(node, scope) for node in nodes]

    def _compute(self, node: Node, scope: Scope) -> Value:
        kind = node[0]
        method = _KINDS.get(kind)
        if method is not None:
            return method(self, node, scope)
        left = self.value(node[1], scope)
        return binary(self.budget, kind, left, self.value(node[2], scope))

    def _attribute(self, node: Node, scope: Scope) -> Value:
        return attribute(self.budget, self.value(node[1], scope), node[2])

    def _element(self, node: Node, scope: Scope) -> Value:
        return element(self.budget, self.value(node[1], scope), self.value(node[2], scope))

    def _slice(self, node: Node, scope: Scope) -> Value:
        return cut(self.budget, self.value(node[1], scope), self._values(node[2:], scope))

    def _filter(self, node: Node, scope: Scope) -> Value:
        value = self.value(node[2], scope)
        return run_filter(self.budget, node[1], value, self._values(node[3], scope))

    def _test(self, node: Node, scope: Scope) -> Value:
        value = self.value(node[2], scope)
        return run_test(self.budget, node[1], value, self._values(node[3], scope))

    def _either(self, node: Node, scope: Scope) -> Value:
        left = self.value(node[1], scope)
        return left if truth(left) is (node[0] == "or") else self.value(node[2], scope)

    def _conditional(self, node: Node, scope: Scope) -> Value:
        if truth(self.value(node[1], scope)):
            return self.value(node[2], scope)
        return self.value(node[3], scope) if len(node) > 3 else Undefined("there is no else")

    def _comparison(self, node: Node, scope: Scope) -> Value:
        left = self.value(node[1], scope)
        for op, expr in zip(node[2][::2], node[2][1::2], strict=True):
            right = self.value(expr, scope)
            if not compare(self.budget, op, left, right):
                return False
            left = right
        return True

    def _concat(self, node: Node, scope: Scope) -> Value:
        texts = [to_text(self.budget, self.value(part, scope)) for part in node[1]]
        self.budget.room(sum(map(len, texts)))
        return self.budget.text("".join(texts))

    def _dict(self, node: Node, scope: Scope) -> Value:
        made: dict[Value, Value] = {}
        for key, item in zip(node[1][::2], node[1][1::2], strict=True):
            place = self.value(key, scope)
            put(made, place, self.value(item, scope))
        return made

    def _minus(self, node: Node, scope: Scope) -> Value:
        if len(node) == 1:
            return ABSENT
        left = self.value(node[1], scope)
        return binary(self.budget, "-", left, self.value(node[2], scope))

    def _call(self, node: Node, scope: Scope, caller: Callee | None = None) -> Value:
        callee = self.value(node[1], scope)
        args = self._values(node[2], scope)
        named = node[3] if len(node) > 3 else []
        kwargs = {
            name: self.value(expr, scope)
            for name, expr in zip(named[::2], named[1::2], strict=True)
        }
        if caller is not None:
            kwargs["caller"] = caller
        if isinstance(callee, Undefined):
            fail(callee.message)
        if not isinstance(callee, Callee):
            fail(f"'{type_name(callee)}' object is not callable")
        return callee.call(args, kwargs)


_STATEMENTS: Mapping[str, Any] = {
    "print": Renderer._print,
    "if": Renderer._if,
    "for": Renderer._loop,
    "set": Renderer._set,
    "capture": Renderer._capture,
    "filter": Renderer._filter_block,
    "macro": Renderer._define,
    "call": Renderer._call_block,
    "with": Renderer._with,
    "scope": lambda self, node, scope, out: self.body(node[1], Scope(scope), out),
    "break": lambda self, node, scope, out: "break",
    "continue": lambda self, node, scope, out: "continue",
}
_KINDS: Mapping[str, Any] = {
    "name": lambda self, node, scope: scope.find(node[1]),
    "body": lambda self, node, scope: scope.find(""),
    "float": lambda self, node, scope: float(node[1]),
    "list": lambda self, node, scope: self._values(node[1], scope),
    "tuple": lambda self, node, scope: tuple(self._values(node[1], scope)),
    "not": lambda self, node, scope: not truth(self.value(node[1], scope)),
    "neg": lambda self, node, scope: unary(self.value(node[1], scope), "-"),
    "pos": lambda self, node, scope: unary(self.value(node[1], scope), "+"),
    "attr": Renderer._attribute,
    "item": Renderer._element,
    "slice": Renderer._slice,
    "call": Renderer._call,
    "filter": Renderer._filter,
    "test": Renderer._test,
    "and": Renderer._either,
    "or": Renderer._either,
    "?": Renderer._conditional,
    "cmp": Renderer._comparison,
    "~": Renderer._concat,
    "dict": Renderer._dict,
    "-": Renderer._minus,
}
"""How expressions are evaluated, but for operators between two values."""
