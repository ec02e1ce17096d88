"""Jinja2's nodes → the tree of a chat template as plain data; what is not allowed is named.

The tree is JSON: a body is a list of statements, every other node a list that starts
with its kind. What stands for itself is a constant: texts, integers, true, false, null.

    statement  "text" · [print e] · [if [[test body] …] else] · [for target e test body else]
               [set target e] · [capture target e body] · [filter e body] · [macro m]
               [call e m] · [with [target …] [e …] body] · [scope body] · [break] · [continue]
    target     name · [tuple [target …]] · [ns name attribute]
    m          [name [parameter …] [default …] body uses], uses ⊆ {caller, kwargs, varargs}
    e          constant · [float "1.5"] · [name n] · [attr e n] · [item e e] · [slice e e e e]
               [call e [e …] [n e …]] · [filter n e [e …]] · [test n e [e …]] · [body]
               [+ e e], also - * / // % and or · [not e] · [neg e] · [pos e] · [~ [e …]]
               [cmp e [op e …]] · [? test e e] · [list [e …]] · [tuple [e …]] · [dict [e e …]]

Arguments of filters and tests are in the order of their parameters; [-] stands for one not given.
[body] is the text of a block that a filter is applied to.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from jinja2 import nodes
from jinja2.compiler import find_undeclared

from ...errors import UnsupportedError, printable
from . import allowed
from .signatures import bind
from .strftime import check_format

Tree = Any
_ABSENT = ["-"]
_BINARY: dict[type[nodes.BinExpr], str] = {
    nodes.Add: "+",
    nodes.Sub: "-",
    nodes.Mul: "*",
    nodes.Div: "/",
    nodes.FloorDiv: "//",
    nodes.Mod: "%",
    nodes.And: "and",
    nodes.Or: "or",
}
_SEPARATED = {"split": ("sep", "maxsplit"), "rsplit": ("sep", "maxsplit")}


def too_deep(key: str) -> UnsupportedError:
    limit = f"{allowed.MAX_NESTING} levels deep"
    return UnsupportedError("CHAT003", f"{printable(key)} is nested more than {limit}")


class Translation:
    """Jinja2's nodes → ours. One method per statement and expression that is allowed."""

    def __init__(self, template: nodes.Template, key: str) -> None:
        self._key = key
        self._depth = 0
        self._bound = {"caller", "loop"}
        self._fields: set[str] = set()
        for name in template.find_all(nodes.Name):
            if name.ctx != "load":
                self._bound.add(name.name)
        self._bound.update(macro.name for macro in template.find_all(nodes.Macro))
        self._fields.update(ref.attr for ref in template.find_all(nodes.NSRef))

    def body(self, statements: Iterable[nodes.Node]) -> Tree:
        tree: list[Tree] = []
        for statement in statements:
            if isinstance(statement, nodes.Output):
                for part in statement.nodes:
                    if isinstance(part, nodes.TemplateData):
                        tree.append(part.data)
                    else:
                        tree.append(["print", self.expr(part)])
            else:
                tree.append(self._visit("stmt", statement))
        return tree

    def expr(self, node: nodes.Node | None) -> Tree:
        if node is None:
            return None
        for kind, op in _BINARY.items():
            if isinstance(node, kind):
                return [op, *self._deeper(lambda: [self.expr(node.left), self.expr(node.right)])]
        return self._visit("expr", node)

    def exprs(self, items: Iterable[nodes.Node]) -> list[Tree]:
        return [self.expr(item) for item in items]

    def _visit(self, role: str, node: nodes.Node) -> Tree:
        name = type(node).__name__
        method = getattr(self, f"_{role}_{name.lower()}", None)
        if method is None:
            raise self.refuse(node, allowed.REFUSED.get(name, f"{name!r}"))
        return self._deeper(lambda: method(node))

    def _deeper(self, make: Any) -> Tree:
        if self._depth >= allowed.MAX_NESTING:
            raise too_deep(self._key)
        self._depth += 1
        try:
            return make()
        finally:
            self._depth -= 1

    def refuse(self, node: nodes.Node, what: str) -> UnsupportedError:
        where = f"{printable(self._key)}, line {node.lineno}"
        return UnsupportedError(
            "CHAT004",
            f"{where}: {what} is not supported in chat templates",
            hint="--no-chat-template compiles the model without its template",
        )

    # -- statements -------------------------------------------------------------------------------

    def _stmt_if(self, node: nodes.If) -> Tree:
        arms = [node, *node.elif_]
        return ["if", [[self.expr(n.test), self.body(n.body)] for n in arms], self.body(node.else_)]

    def _stmt_for(self, node: nodes.For) -> Tree:
        if node.recursive:
            raise self.refuse(node, "a recursive loop")
        target, source, test = self.target(node.target), self.expr(node.iter), self.expr(node.test)
        some = node.test is not None
        condition = [test] if some else []
        return ["for", target, source, condition, self.body(node.body), self.body(node.else_)]

    def _stmt_assign(self, node: nodes.Assign) -> Tree:
        return ["set", self.target(node.target), self.expr(node.node)]

    def _stmt_assignblock(self, node: nodes.AssignBlock) -> Tree:
        filters = ["body"] if node.filter is None else self.expr(node.filter)
        return ["capture", self.target(node.target), filters, self.body(node.body)]

    def _stmt_filterblock(self, node: nodes.FilterBlock) -> Tree:
        return ["filter", self.expr(node.filter), self.body(node.body)]

    def _stmt_macro(self, node: nodes.Macro) -> Tree:
        return ["macro", self.macro(node, node.name)]

    def _stmt_callblock(self, node: nodes.CallBlock) -> Tree:
        return ["call", self.expr(node.call), self.macro(node, "caller")]

    def _stmt_with(self, node: nodes.With) -> Tree:
        targets = [self.target(target) for target in node.targets]
        return ["with", targets, self.exprs(node.values), self.body(node.body)]

    def _stmt_scope(self, node: nodes.Scope) -> Tree:
        return ["scope", self.body(node.body)]

    def _stmt_break(self, node: nodes.Break) -> Tree:
        return ["break"]

    def _stmt_continue(self, node: nodes.Continue) -> Tree:
        return ["continue"]

    def macro(self, node: nodes.Macro | nodes.CallBlock, name: str) -> Tree:
        uses = find_undeclared(node.body, ("caller", "kwargs", "varargs"))
        parameters = [argument.name for argument in node.args]
        defaults = self.exprs(node.defaults)
        return [name, parameters, defaults, self.body(node.body), sorted(uses)]

    def target(self, node: nodes.Node) -> Tree:
        match node:
            case nodes.Name():
                return node.name
            case nodes.NSRef():
                return ["ns", node.name, node.attr]
            case nodes.Tuple():
                return ["tuple", [self.target(item) for item in node.items]]
        raise self.refuse(node, "this kind of assignment")

    # -- expressions ------------------------------------------------------------------------------

    def _expr_const(self, node: nodes.Const) -> Tree:
        value = node.value
        if isinstance(value, float):
            return ["float", repr(value)]
        if isinstance(value, int) and abs(value) > allowed.MAX_INT:
            raise self.refuse(node, "an integer beyond 2^53")
        return value

    def _expr_templatedata(self, node: nodes.TemplateData) -> Tree:
        return node.data

    def _expr_name(self, node: nodes.Name) -> Tree:
        if node.name in allowed.UNAVAILABLE - self._bound:
            raise self.refuse(node, f"'{node.name}'")
        return ["name", node.name]

    def _expr_getattr(self, node: nodes.Getattr) -> Tree:
        return ["attr", self.expr(node.node), self._attribute(node, node.attr)]

    def _expr_getitem(self, node: nodes.Getitem) -> Tree:
        value = self.expr(node.node)
        if isinstance(node.arg, nodes.Slice):
            arg = node.arg
            return ["slice", value, self.expr(arg.start), self.expr(arg.stop), self.expr(arg.step)]
        if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
            self._attribute(node, node.arg.value)
        return ["item", value, self.expr(node.arg)]

    def _attribute(self, node: nodes.Node, name: str) -> str:
        if name.startswith("__"):
            raise self.refuse(node, f"the attribute {printable(name)}")
        return name

    def _expr_call(self, node: nodes.Call) -> Tree:
        self._no_stars(node)
        callee = node.node
        args, kwargs = list(node.args), list(node.kwargs)
        match callee:
            case nodes.Name(name=name) if name not in self._bound | allowed.FUNCTIONS:
                raise self.refuse(node, f"the function {printable(name)}")
            case nodes.Name(name="strftime_now"):
                for arg in args:
                    if isinstance(arg, nodes.Const) and isinstance(arg.value, str):
                        self._check_time(node, arg.value)
            case nodes.Getattr(attr=attr) if attr not in allowed.CALLABLE | self._fields:
                self._attribute(node, attr)
                raise self.refuse(node, f"the method {printable(attr)}")
            case nodes.Getattr(attr=attr) if attr in _SEPARATED and kwargs:
                bound = self._bind(node, f"the method '{attr}'", _SEPARATED[attr], args, kwargs)
                none, all = nodes.Const(None), nodes.Const(-1)
                args = [arg or other for arg, other in zip(bound, (none, all), strict=False)]
                kwargs = []
        tree = ["call", self.expr(callee), self.exprs(args)]
        if kwargs:
            tree.append([part for kw in kwargs for part in (kw.key, self.expr(kw.value))])
        return tree

    def _check_time(self, node: nodes.Node, format: str) -> None:
        bad = check_format(format)
        if bad is not None:
            raise self.refuse(node, f"{printable(bad)} in a format of strftime_now")

    def _expr_filter(self, node: nodes.Filter) -> Tree:
        self._no_stars(node)
        value = ["body"] if node.node is None else self.expr(node.node)
        name, args = node.name, list(node.args)
        kwargs: list[Any] = list(node.kwargs)
        signature = self._known(node, "filter", name)
        if name == "map" and not args and any(kw.key == "attribute" for kw in kwargs):
            bound = self._bind(node, "the filter 'map'", ("attribute", "default"), args, kwargs)
            return ["filter", "map_attribute", value, self._given(bound)]
        if name in ("map", "select", "reject", "selectattr", "rejectattr"):
            return ["filter", name, value, self._applied(node, args, kwargs)]
        if signature.rest and not kwargs:
            return ["filter", name, value, self.exprs(args)]
        return ["filter", name, value, self._arguments(node, "filter", name, args, kwargs)]

    def _applied(self, node: nodes.Filter, args: list[nodes.Expr], kwargs: list[Any]) -> list[Tree]:
        """Arguments of a filter that takes an attribute (selectattr, rejectattr) and the name of
        a filter (map) or test, with arguments of its own."""
        first = 1 if node.name.endswith("attr") else 0
        kind = "filter" if node.name == "map" else "test"
        if len(args) < first or (node.name == "map" and not args) or (kwargs and not args[first:]):
            raise self.refuse(node, f"the filter '{node.name}' with these arguments")
        tree = self.exprs(args[:first])
        if args[first:]:
            name = args[first]
            if not isinstance(name, nodes.Const) or not isinstance(name.value, str):
                raise self.refuse(node, f"a computed name in the filter '{node.name}'")
            signature = self._known(node, kind, name.value)
            if signature.rest:
                raise self.refuse(node, f"the filter '{name.value}' in '{node.name}'")
            own = self._arguments(node, kind, name.value, args[first + 1 :], kwargs)
            tree += [name.value, *own]
        return tree

    def _expr_test(self, node: nodes.Test) -> Tree:
        self._no_stars(node)
        self._known(node, "test", node.name)
        args = self._arguments(node, "test", node.name, list(node.args), list(node.kwargs))
        return ["test", node.name, self.expr(node.node), args]

    def _known(self, node: nodes.Node, kind: str, name: str) -> allowed.Signature:
        table = allowed.FILTERS if kind == "filter" else allowed.TESTS
        if name not in table:
            raise self.refuse(node, f"the {kind} {printable(name)}")
        return table[name]

    def _arguments(
        self,
        node: nodes.Node,
        kind: str,
        name: str,
        args: list[nodes.Expr],
        kwargs: list[Any],
    ) -> list[Tree]:
        signature = self._known(node, kind, name)
        what = f"the {kind} '{name}'"
        bound = self._bind(node, what, signature.names, args, kwargs)
        if len(bound) < signature.required or None in bound[: signature.required]:
            raise self.refuse(node, f"{what} with so few arguments")
        return self._given(bound)

    def _bind(
        self,
        node: nodes.Node,
        what: str,
        names: Sequence[str],
        args: list[nodes.Expr],
        kwargs: list[Any],
    ) -> list[nodes.Expr | None]:
        try:
            return bind(names, args, {keyword.key: keyword.value for keyword in kwargs})
        except TypeError as error:
            raise self.refuse(node, f"{what} {error}") from None

    def _given(self, bound: list[nodes.Expr | None]) -> list[Tree]:
        return [_ABSENT if arg is None else self.expr(arg) for arg in bound]

    def _no_stars(self, node: nodes.Call | nodes.Filter | nodes.Test) -> None:
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            raise self.refuse(node, "'*' before an argument")

    def _expr_not(self, node: nodes.Not) -> Tree:
        return ["not", self.expr(node.node)]

    def _expr_neg(self, node: nodes.Neg) -> Tree:
        return ["neg", self.expr(node.node)]

    def _expr_pos(self, node: nodes.Pos) -> Tree:
        return ["pos", self.expr(node.node)]

    def _expr_concat(self, node: nodes.Concat) -> Tree:
        return ["~", self.exprs(node.nodes)]

    def _expr_compare(self, node: nodes.Compare) -> Tree:
        rest = [part for o in node.ops for part in (allowed.COMPARISONS[o.op], self.expr(o.expr))]
        return ["cmp", self.expr(node.expr), rest]

    def _expr_condexpr(self, node: nodes.CondExpr) -> Tree:
        tree = ["?", self.expr(node.test), self.expr(node.expr1)]
        return tree if node.expr2 is None else [*tree, self.expr(node.expr2)]

    def _expr_list(self, node: nodes.List) -> Tree:
        return ["list", self.exprs(node.items)]

    def _expr_tuple(self, node: nodes.Tuple) -> Tree:
        return ["tuple", self.exprs(node.items)]

    def _expr_dict(self, node: nodes.Dict) -> Tree:
        return ["dict", [self.expr(part) for pair in node.items for part in (pair.key, pair.value)]]
