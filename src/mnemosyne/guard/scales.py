"""Digits after the point of an exact number: PostgreSQL prints all that the type has, SQLite and floats only some."""

from __future__ import annotations

import re

from sqlglot import exp

from mnemosyne.guard.kinds import WHOLE, kind_of
from mnemosyne.guard.trees import Node, Untranslatable, bare, whole
from mnemosyne.schema import Schema

_DECLARED = re.compile(r"\s*(?:NUMERIC|DECIMAL|DEC)\s*\(\s*\d+\s*(?:,\s*(\d+)\s*)?\)", re.IGNORECASE)
_SAME = (exp.Sum, exp.Min, exp.Max, exp.Neg, exp.Abs, exp.Filter, exp.Window, exp.Nullif, exp.AnyValue)
_SAME_OVER = (exp.FirstValue, exp.LastValue, exp.Ordered, exp.Distinct)


def declare(tree: Node, schema: Schema) -> None:
    """Write the scale of every column that was declared with one into the tree, as `node.meta["scale"]`."""
    scales: dict[tuple[str, str], int] = {}
    for table in schema.tables:
        for column in table.columns:
            found = _DECLARED.match(column.type)
            if found is not None:
                scales[table.name, column.name] = int(found[1] or 0)
    for node in tree.find_all(exp.Column) if scales else ():
        field = node.meta.get("field")
        origin = node.meta.get("origin") or (field.origin if field is not None else None)
        if origin in scales:
            node.meta["scale"] = scales[origin]


def scale_of(node: Node) -> int | None:
    """Digits after the point that PostgreSQL would print for an exact number, None if the value decides."""
    node = bare(node)
    if "scale" in node.meta:
        return int(node.meta["scale"])
    if kind_of(node) in WHOLE:
        return 0
    if isinstance(node, exp.Round) and kind_of(node) == "numeric":
        digits = node.args.get("decimals")
        return whole(digits) if digits is not None else 0
    if isinstance(node, exp.Literal) and not node.is_string and "e" not in node.name.lower():
        return len(node.name.partition(".")[2])
    if isinstance(node, (exp.Ceil, exp.Floor)):
        return 0
    if isinstance(node, exp.Trunc):
        digits = node.args.get("decimals")
        return whole(digits) if digits is not None else 0
    if isinstance(node, (*_SAME, *_SAME_OVER)) and isinstance(node.this, exp.Expression):
        return scale_of(node.this)
    if isinstance(node, exp.Cast) and kind_of(node) in ("numeric", "float"):
        return scale_of(node.this)
    if isinstance(node, (exp.Add, exp.Sub, exp.Mul)):
        return _of_both(node)
    if isinstance(node, (exp.Coalesce, exp.Case)):
        return _of_all(node)
    return None


def _of_both(node: Node) -> int | None:
    left, right = scale_of(node.this), scale_of(node.expression)
    if left is None or right is None:
        return None
    return left + right if isinstance(node, exp.Mul) else max(left, right)


def _of_all(node: Node) -> int | None:
    """The scale of a choice, if all values that may be taken share one."""
    scales = {scale_of(value) for value in choices(node)}
    return scales.pop() if len(scales) == 1 else None


def choices(node: Node) -> list[Node]:
    """The values of which CASE or COALESCE takes one."""
    if isinstance(node, exp.Coalesce):
        return [node.this, *node.expressions]
    values = [branch.args["true"] for branch in node.args["ifs"]] + [node.args.get("default")]
    return [value for value in values if value is not None and not isinstance(value, exp.Null)]


def refuse_quotient(node: Node) -> None:
    """The text of a quotient or an average has as many digits as PostgreSQL finds fit."""
    inner = bare(node)
    while isinstance(inner, (exp.Filter, exp.Window, exp.Neg, exp.Paren)):
        inner = inner.this
    if kind_of(inner) == "numeric" and isinstance(inner, (exp.Avg, exp.Div)):
        raise Untranslatable("The digits of a quotient or an average as text differ; write ROUND(x, 2) first.", node)
