"""Queries that are nearly the same: what a careless reader of the question would have written.

A pair is only worth training on when its data tell it apart from these; otherwise the question says
something that does not matter, or the query leaves something out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from sqlglot import exp

from mnemosyne.synthesis.query import tree_of


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One query that differs from the gold in one respect."""

    kind: str
    """What was changed."""
    tree: exp.Expression
    """The changed query."""
    required: bool = True
    """Whether the pair is only kept when this neighbour gives other rows."""
    not_null: bool = False
    """Whether a parsed `IS NOT NULL` was dropped: what people write to be safe, and data need not show."""


def neighbours(tree: exp.Expression) -> Iterator[Neighbour]:
    """The neighbours of a query, the most telling ones first."""
    yield from _dropped(tree)
    yield from _verdict(tree)
    yield from _distinct(tree)
    yield from _outer(tree)
    yield from _limit(tree)
    yield from _bounds(tree)
    yield from _aggregates(tree)
    yield from _periods(tree)
    yield from _direction(tree)


def _changed(tree: exp.Expression, index: int, kind: type[exp.Expression]) -> exp.Expression:
    """The node of a copy that stands where the index-th node of a kind stands in the tree; `.root()` is the copy."""
    return list(tree.copy().find_all(kind))[index]


def conjuncts(condition: exp.Expression) -> list[exp.Expression]:
    """The parts of a condition that AND joins."""
    if isinstance(condition, exp.And):
        return [*conjuncts(tree_of(condition.left)), *conjuncts(tree_of(condition.right))]
    return [condition]


def _links(part: exp.Expression) -> bool:
    """Whether a condition only ties a subquery to its outer query, or a pattern's own row number."""
    return isinstance(part, exp.EQ) and isinstance(part.left, exp.Column) and isinstance(part.right, exp.Column)


def _is_not_null(part: exp.Expression) -> bool:
    return isinstance(part, exp.Not) and isinstance(part.this, exp.Is)


def _parsed_is_not_null(part: exp.Expression) -> bool:
    """The same from sqlglot's parser, which writes the negation into the IS itself."""
    return isinstance(part, exp.Is) and bool(part.args.get("negate")) and isinstance(part.expression, exp.Null)


def _guards_a_divisor(part: exp.Expression, clause: exp.Expression) -> bool:
    """Whether a condition keeps zero out of a column that the same SELECT (or FILTER) divides by.

    Without it PostgreSQL gives an error and DuckDB and SQLite a NULL, which averages leave out as the condition did.
    """
    if isinstance(part, (exp.GT, exp.NEQ)) and _is_zero(part.right):
        column = part.left
    elif isinstance(part, (exp.LT, exp.NEQ)) and _is_zero(part.left):
        column = part.right
    else:
        return False
    select = clause.find_ancestor(exp.Select)
    divisions = tree_of(clause.parent).find_all(exp.Div, exp.IntDiv, exp.Mod)
    return isinstance(column, exp.Column) and any(
        _uncast(tree_of(node.expression)) == column for node in divisions if node.find_ancestor(exp.Select) is select
    )


def _is_zero(node: object) -> bool:
    return isinstance(node, exp.Literal) and not node.is_string and float(node.name) == 0


def _uncast(node: exp.Expression) -> exp.Expression:
    """What stands inside parentheses and casts."""
    while isinstance(node, (exp.Paren, exp.Cast)):
        node = tree_of(node.this)
    return node


def _dropped(tree: exp.Expression) -> Iterator[Neighbour]:
    for kind in (exp.Where, exp.Having):
        for index, clause in enumerate(tree.find_all(kind)):
            parts = conjuncts(clause.this)
            for place, part in enumerate(parts):
                if _links(part):
                    continue
                other = _changed(tree, index, kind)
                rest = [p.copy() for n, p in enumerate(conjuncts(other.this)) if n != place]
                root = tree_of(other.root())
                if isinstance(other.parent, exp.Filter):
                    if rest:
                        other.set("this", exp.and_(*rest, copy=False))
                    else:
                        other.parent.replace(other.parent.this.copy())
                elif rest:
                    other.set("this", exp.and_(*rest, copy=False))
                else:
                    other.pop()
                required = not _is_not_null(part) and not _guards_a_divisor(part, clause)
                yield Neighbour("dropped condition", root, required, not_null=_parsed_is_not_null(part))


def _verdict(tree: exp.Expression) -> Iterator[Neighbour]:
    for index, literal in enumerate(tree.find_all(exp.Literal)):
        if literal.is_string and literal.this in ("P", "F"):
            other = _changed(tree, index, exp.Literal)
            other.set("this", "F" if literal.this == "P" else "P")
            yield Neighbour("other verdict", tree_of(other.root()))


def _distinct(tree: exp.Expression) -> Iterator[Neighbour]:
    for index, distinct in enumerate(tree.find_all(exp.Distinct)):
        other = _changed(tree, index, exp.Distinct)
        if isinstance(distinct.parent, exp.Count):
            root = tree_of(other.root())
            other.replace(other.expressions[0].copy())
            yield Neighbour("missing DISTINCT", root)
        elif isinstance(distinct.parent, exp.Select) and not distinct.args.get("on"):
            root = tree_of(other.root())
            other.pop()
            yield Neighbour("missing DISTINCT", root)


def _outer(tree: exp.Expression) -> Iterator[Neighbour]:
    joins = list(tree.find_all(exp.Join))
    if any(join.side == "LEFT" for join in joins):
        copy = tree.copy()
        for join in copy.find_all(exp.Join):
            join.set("side", None)
        yield Neighbour("INNER for LEFT", copy)


def _limit(tree: exp.Expression) -> Iterator[Neighbour]:
    for index, limit in enumerate(tree.find_all(exp.Limit)):
        other = _changed(tree, index, exp.Limit)
        other.set("expression", exp.Literal.number(int(limit.expression.name) + 1))
        yield Neighbour("other LIMIT", tree_of(other.root()))


_COMPARISONS = (exp.GT, exp.GTE, exp.LT, exp.LTE, exp.EQ)


def _bounds(tree: exp.Expression) -> Iterator[Neighbour]:
    """Another number or date on the right of a comparison."""
    for index, node in enumerate(tree.find_all(*_COMPARISONS)):
        literal = node.right
        if not isinstance(literal, exp.Literal) or isinstance(node.left, exp.Literal):
            continue
        moved = _moved(literal)
        if moved is None:
            continue
        other = list(tree.copy().find_all(*_COMPARISONS))[index]
        other.right.replace(moved)
        yield Neighbour("other bound", tree_of(other.root()))
    for index, interval in enumerate(tree.find_all(exp.Interval)):
        copy = _changed(tree, index, exp.Interval)
        size = copy.this
        if isinstance(size, exp.Literal) and size.name.isdigit() and interval.find_ancestor(exp.TimestampTrunc) is None:
            size.set("this", str(int(size.name) * 3 + 1))
            yield Neighbour("other bound", tree_of(copy.root()))


def _moved(literal: exp.Literal) -> exp.Expression | None:
    if not literal.is_string:
        value = float(literal.name)
        return exp.Literal.number(int(value) * 2 + 1 if value == int(value) else value * 2)
    try:
        day = date.fromisoformat(literal.name)
    except ValueError:
        return None
    step = timedelta(days=47)
    return exp.Literal.string((day + step if day <= date.max - step else day - step).isoformat())


_SWAPS: dict[type[exp.Expression], type[exp.Expression]] = {
    exp.Avg: exp.Max, exp.Max: exp.Min, exp.Min: exp.Max, exp.Sum: exp.Avg, exp.Stddev: exp.Avg,
}  # fmt: skip


def _aggregates(tree: exp.Expression) -> Iterator[Neighbour]:
    kinds = tuple(_SWAPS)
    for index, node in enumerate(tree.find_all(*kinds)):
        swap = _SWAPS.get(type(node))
        if swap is None or isinstance(node.parent, exp.Window):
            continue
        other = list(tree.copy().find_all(*kinds))[index]
        if other is other.root():
            continue
        root = tree_of(other.root())
        other.replace(swap(this=other.this.copy()))
        yield Neighbour("other aggregate", root)


def _periods(tree: exp.Expression) -> Iterator[Neighbour]:
    """Months for quarters and the like, everywhere in the SELECT list at once."""
    units = {"MONTH": "QUARTER", "QUARTER": "MONTH", "WEEK": "MONTH"}
    copy = tree.copy()
    changed = False
    for node in copy.find_all(exp.TimestampTrunc):
        unit = node.text("unit").upper()
        if node.find(exp.CurrentDate) is None and unit in units:
            node.set("unit", exp.var(units[unit]))
            changed = True
    if changed:
        yield Neighbour("other period", copy)


def _direction(tree: exp.Expression) -> Iterator[Neighbour]:
    """The first order of a limited query turned round."""
    for index, ordered in enumerate(tree.find_all(exp.Ordered)):
        select = ordered.find_ancestor(exp.Select)
        order = ordered.parent
        if select is None or not select.args.get("limit") or not isinstance(order, exp.Order):
            continue
        if order.expressions[0] is not ordered:
            continue
        other = _changed(tree, index, exp.Ordered)
        desc = not other.args.get("desc")
        other.set("desc", desc or None)
        other.set("nulls_first", desc)
        yield Neighbour("other direction", tree_of(other.root()))
