"""A chat template's text → its tree as plain data, or an error that names what is not allowed.

Jinja2's own parser reads the text (this folder is its one door besides kernels' templates); nothing
is evaluated.
"""

from __future__ import annotations

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser

from ...errors import MalformedError, UnsupportedError, printable
from . import allowed
from .translate import Translation, Tree, too_deep


class Generation(Extension):
    """`{% generation %}…{% endgeneration %}` marks what the model wrote, for training: here it
    renders its body, as a scope of its own."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body, lineno=line)


def parse_template(text: str, key: str) -> Tree:
    """The tree of a template that stands under `key` in its file.

    Raises MalformedError (CHAT001, Jinja2 cannot parse it) and UnsupportedError (CHAT002 too large,
    CHAT003 nested too deep, CHAT004 uses what is not on the list).
    """
    if len(text.encode("utf-8", "surrogatepass")) > allowed.MAX_TEXT:
        limit = f"{allowed.MAX_TEXT >> 10} KiB"
        raise UnsupportedError("CHAT002", f"{printable(key)} is longer than {limit}")
    environment = Environment(
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.loopcontrols", Generation],
        autoescape=False,
    )
    try:
        template = environment.parse(text)
        return Translation(template, key).body(template.body)
    except TemplateSyntaxError as error:
        where = f"{printable(key)}, line {error.lineno}"
        raise MalformedError("CHAT001", f"{where}: {error.message}") from None
    except RecursionError:
        raise too_deep(key) from None
