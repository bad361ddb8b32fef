"""Small builders of SQL trees, and the walk that translations share."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TypeAlias

from sqlglot import exp

from mnemosyne.guard.kinds import Kind, kind_of, marked
from mnemosyne.guard.refused import piece

Node: TypeAlias = exp.Expression
Rule = Callable[[exp.Expression], "exp.Expression | None"]
"""Gets a node whose children are translated; returns what takes its place, None to leave it."""


class Untranslatable(ValueError):
    """A construct of PostgreSQL has no equal in the target dialect; the text says which and where."""

    def __init__(self, reason: str, node: exp.Expression | None = None) -> None:
        super().__init__(reason)
        self.place = piece(node)[:120] if node is not None else ""


def call(name: str, *arguments: exp.Expression | str | int, kind: Kind | None = None) -> exp.Expression:
    """A function call; Python texts and numbers become literals."""
    made = exp.Anonymous(this=name.upper(), expressions=[literal(argument) for argument in arguments])
    return marked(made, kind) if kind else made


def literal(value: exp.Expression | str | int) -> exp.Expression:
    """A tree of a Python text or number; a tree is itself."""
    if isinstance(value, str):
        return marked(exp.Literal.string(value), "text")
    if isinstance(value, int):
        plain = marked(exp.Literal.number(abs(value)), "int")
        return plain if value >= 0 else marked(exp.Neg(this=plain), "int")
    return value


def cast(node: exp.Expression, type_: str, kind: Kind) -> exp.Expression:
    """CAST(node AS type)."""
    return marked(exp.Cast(this=node, to=data_type(type_)), kind)


@lru_cache(maxsize=64)
def _built(name: str) -> exp.DataType:
    return exp.DataType.build(name)


def data_type(name: str) -> exp.DataType:
    """A type by its name; the parser is asked once."""
    return _built(name).copy()


def short_bool(node: exp.Expression) -> exp.Expression:
    """A boolean as CONCAT of PostgreSQL writes it: `t` or `f`."""
    letters = [
        exp.If(this=node, true=exp.Literal.string("t")),
        exp.If(this=exp.Not(this=paren(node.copy())), true=exp.Literal.string("f")),
    ]
    return marked(exp.Case(ifs=letters), "text")


def paren(node: exp.Expression) -> exp.Expression:
    """Parentheses around anything that is not already one piece."""
    if isinstance(node, (exp.Column, exp.Literal, exp.Func, exp.Paren, exp.Boolean, exp.Null)):
        return node
    return marked(exp.Paren(this=node), kind_of(node))


def bare(node: exp.Expression) -> exp.Expression:
    """The node inside any parentheses."""
    while isinstance(node, exp.Paren):
        node = node.this
    return node


def is_text(node: object) -> bool:
    """A quoted literal that is text, or whose kind its neighbour decides; a translated date or interval is not."""
    return isinstance(node, exp.Literal) and bool(node.is_string) and kind_of(node) in ("text", "unknown")


_CLOCK = re.compile(r"([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?")


def is_clock(node: object) -> bool:
    """A written time of day, such as '10:00', whose text is an interval too."""
    return isinstance(node, exp.Literal) and bool(node.is_string) and _CLOCK.fullmatch(node.name) is not None


def whole(node: object) -> int | None:
    """The value of a written whole number."""
    if isinstance(node, exp.Expression):
        node = bare(node)
    if isinstance(node, exp.Neg):
        inner = whole(node.this)
        return None if inner is None else -inner
    if isinstance(node, exp.Literal) and not node.is_string and node.name.isdigit():
        return int(node.name)
    return None


def output_names(query: Node) -> list[str]:
    """The names of the columns that a query returns; those without a name get one."""
    while isinstance(query, (exp.SetOperation, exp.Subquery)):
        query = query.this
    names: list[str] = []
    for index, item in enumerate(query.expressions, 1):
        name = item.alias_or_name if isinstance(item, (exp.Alias, exp.Column)) else ""
        if not name or name in names:
            inner = item.this if isinstance(item, exp.Alias) else item.copy()
            name = f"{name or 'value'}_{index}"
            item.replace(exp.Alias(this=inner, alias=exp.to_identifier(name)))
        names.append(name)
    return names


def joined(pieces: list[exp.Expression]) -> exp.Expression:
    """`a || b || c`."""
    if not pieces:
        return literal("")
    result = pieces[0]
    for one in pieces[1:]:
        result = exp.DPipe(this=result, expression=one, safe=True)
    return marked(exp.Paren(this=result), "text") if len(pieces) > 1 else result


def format_pieces(node: exp.Expression) -> list[exp.Expression]:
    """The texts and values that FORMAT of PostgreSQL writes one after another."""
    pieces = re.split(r"(%s|%%)", node.this.name) if is_text(node.this) else ["%"]
    values = list(node.expressions)
    found: list[exp.Expression] = []
    for piece_ in pieces:
        if piece_ == "%s" and values:
            found.append(values.pop(0))
        elif piece_ and "%" in piece_.replace("%%", ""):
            raise Untranslatable("FORMAT takes a written template with %s for each value.", node)
        elif piece_:
            found.append(literal(piece_.replace("%%", "%")))
    return found


def rewrite(node: exp.Expression, rules: Mapping[type[exp.Expression], Rule]) -> exp.Expression:
    """Translate a tree from its leaves up. What takes a node's place keeps its kind unless it has its own."""
    for name, value in list(node.args.items()):
        if isinstance(value, exp.Expression):
            child = rewrite(value, rules)
            if child is not value:
                node.set(name, child)
        elif isinstance(value, list):
            items = [rewrite(item, rules) if isinstance(item, exp.Expression) else item for item in value]
            if any(a is not b for a, b in zip(items, value, strict=True)):
                node.set(name, items)
    rule = rules.get(type(node))
    changed = rule(node) if rule is not None else None
    if changed is None or changed is node:
        return node
    if "kind" not in changed.meta:
        marked(changed, kind_of(node))
    return changed
