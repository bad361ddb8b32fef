"""The order that a gold query asks for: whether it counts, and the sort key of each row.

`results.same` needs the key of every gold row, also when the query does not show it. `with_keys`
appends the ORDER BY expressions to the projection, so that one run gives rows and keys together.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlglot
from sqlglot import exp

from mnemosyne.datasets import Example
from mnemosyne.results import Result, Row

ORDERED = "ordered"
"""The tag of an example whose question asks for an order."""


def order_counts(example: Example) -> bool:
    """Whether the order of the answer's rows counts.

    Laboratory questions say so by their tag. Spider has no such mark, so there, as in its official
    evaluator, an ORDER BY at the top of the gold query says so.
    """
    return ORDERED in example.tags or (example.source == "spider" and "order by" in example.sql.lower())


@dataclass(frozen=True, slots=True)
class Keyed:
    """A gold query that also returns its sort keys."""

    sql: str
    """The gold query, in its own dialect, with the keys appended after its columns."""
    picks: tuple[int, ...] = ()
    """Positions of the keys among the returned columns; negative ones count from the end."""
    appended: int = 0
    """How many columns at the end are keys and no part of the answer."""
    total: bool = False
    """True when the keys cannot be had, so that the order of the gold rows is taken as it is."""

    def split(self, result: Result) -> tuple[Result, list[Row]]:
        """The gold result without the appended keys, and the key of each row."""
        if self.total:
            return result, [(index,) for index in range(len(result.rows))]
        keys = [tuple(row[pick] for pick in self.picks) for row in result.rows]
        width = len(result.columns) - self.appended
        rows = tuple(row[:width] for row in result.rows)
        return Result(result.columns[:width], rows, result.truncated, result.seconds), keys


def with_keys(sql: str, dialect: str) -> Keyed | None:
    """The gold query with its sort keys, or None when it orders nothing. Raises sqlglot's ParseError."""
    tree = sqlglot.parse_one(sql, read=dialect)
    if not isinstance(tree, exp.Query):
        return None
    while isinstance(tree, exp.Subquery) and not tree.args.get("order"):
        tree = tree.this
    order = tree.args.get("order")
    if order is None:
        return None
    wanted = [ordered.this for ordered in order.expressions]
    if isinstance(tree, exp.Select):
        return _append(tree, wanted, dialect)
    picks = [_position(expression, tree.selects) for expression in wanted]
    if None in picks:
        return Keyed(sql, total=True)
    return Keyed(sql, tuple(pick for pick in picks if pick is not None))


def _append(tree: exp.Select, wanted: list[exp.Expr], dialect: str) -> Keyed:
    """Copies of the sort expressions behind the projection of one SELECT."""
    projections = list(tree.selects)
    resolved: list[exp.Expr] = []
    places: list[int | None] = []  # of a key among the returned columns; None for one that is appended
    for expression in wanted:
        position = _position(expression, projections)
        if position is None and isinstance(expression, exp.Literal) and expression.is_int and int(expression.name) > 0:
            places.append(int(expression.name) - 1)  # a column of a star, by its number
            continue
        if position is None and tree.args.get("distinct") and not tree.args["distinct"].args.get("on"):
            return Keyed(tree.sql(dialect), total=True)  # one more column could make equal rows differ
        places.append(None)
        source = projections[position] if position is not None else expression
        resolved.append(source.unalias().copy())
    keyed = tree.copy()
    for number, expression in enumerate(resolved):
        keyed.append("expressions", exp.alias_(expression, f"mnemosyne_key_{number}"))
    count = len(resolved)
    behind = iter(range(-count, 0))
    return Keyed(keyed.sql(dialect), tuple(next(behind) if place is None else place for place in places), count)


def _position(expression: exp.Expr, projections: list[exp.Expr]) -> int | None:
    """Where the projection already holds a sort expression: by ordinal, by output name, or by equal text."""
    if isinstance(expression, exp.Literal) and expression.is_int:
        position = int(expression.name) - 1
        starred = any(projection.is_star for projection in projections)
        return position if 0 <= position < len(projections) and not starred else None
    for position, projection in enumerate(projections):
        named = isinstance(expression, exp.Column) and not expression.table
        if named and isinstance(projection, exp.Alias) and projection.alias.lower() == expression.name.lower():
            return position
        if projection.unalias() == expression and not projection.is_star:
            return position
        if named and isinstance(projection, exp.Column) and projection.name.lower() == expression.name.lower():
            return position
    return None
