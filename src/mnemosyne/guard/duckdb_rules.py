"""What DuckDB reads differently from PostgreSQL: whole division, rounding, plain NUMERIC, SIMILAR TO."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from mnemosyne.guard.kinds import annotate, kind_of, marked
from mnemosyne.guard.trees import Node, Rule, Untranslatable, bare, rewrite
from mnemosyne.schema import Schema


def translate(tree: Node, schema: Schema) -> Node:
    """A PostgreSQL query as DuckDB reads it."""
    annotate(tree, schema)
    return rewrite(tree, RULES)


def _divide(node: Node) -> Node | None:
    """`/` of DuckDB never cuts; `//` cuts towards zero, as PostgreSQL does for whole numbers."""
    if kind_of(node.this) == kind_of(node.expression) == "int":
        return exp.IntDiv(this=node.this, expression=node.expression)
    return None


def _cast(node: Node) -> Node | None:
    """A plain NUMERIC has any number of digits in PostgreSQL and three after the point in DuckDB."""
    to = node.args["to"]
    if to.this == exp.DataType.Type.DECIMAL and not to.expressions:
        inner = bare(node.this)
        if isinstance(inner, exp.IntDiv):
            return inner
        return marked(exp.Cast(this=node.this, to=exp.DataType.build("DOUBLE")), "numeric")
    return None


def _round(node: Node) -> Node | None:
    """An exact number is rounded in decimals: 2.675 is 2.68, though no float is 2.675."""
    digits = node.args.get("decimals")
    if digits is None:
        if kind_of(node.this) == "float":
            return exp.Anonymous(this="ROUND_EVEN", expressions=[node.this, exp.Literal.number(0)])
        return None
    if kind_of(node.this) == "numeric":
        node.set("this", exp.Cast(this=node.this, to=exp.DataType.build("DECIMAL(38, 12)")))
    return None


def _ties(node: Node) -> None:
    options = node.args.get("limit_options")
    if options is not None and options.args.get("with_ties"):
        raise Untranslatable("WITH TIES is known to PostgreSQL only.", node)


RULES: Mapping[type[exp.Expression], Rule] = {
    exp.Div: _divide,
    exp.Cast: _cast,
    exp.Round: _round,
    exp.Fetch: _ties,
}
