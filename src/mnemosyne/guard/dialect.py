"""PostgreSQL to the dialect of the database that is asked: same rows, or a refusal that says what has no equal.

sqlglot prints each dialect; what a printer cannot know is done here on the tree, from the kinds of values:
dates and intervals where there are none, whole division, patterns, order of NULL, and queries of another
shape. Functions that SQLite lacks are called `mn_…` and registered by `databases`.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from mnemosyne.guard import (
    collations,
    comparisons,
    scales,
    shapes,
    sqlite_aggregates,
    sqlite_dates,
    sqlite_queries,
    sqlite_texts,
    sqlite_values,
)
from mnemosyne.guard.annotate import annotate
from mnemosyne.guard.kinds import kind_of
from mnemosyne.guard.query import Dialect
from mnemosyne.guard.refused import Refused
from mnemosyne.guard.trees import Rule, Untranslatable, rewrite
from mnemosyne.schema import Schema


def translate(tree: exp.Expression, schema: Schema, target: Dialect) -> exp.Expression:
    """A resolved PostgreSQL query as a query of `target`. Raises Refused when there is no equal."""
    try:
        if target == "sqlite":
            return _to_sqlite(tree, schema)
        if target == "duckdb":
            from mnemosyne.guard import duckdb_rules

            return duckdb_rules.translate(tree, schema)
    except Untranslatable as error:
        raise Refused("not-translatable", str(error).rstrip("."), place=error.place, hint=_HINT) from None
    return tree


_HINT = "Say it with simpler SQL."


def _to_sqlite(tree: exp.Expression, schema: Schema) -> exp.Expression:
    tree = sqlite_queries.reshape(shapes.plain(tree))
    annotate(tree, schema)
    comparisons.refuse_dates_beside_numbers(tree)
    scales.declare(tree, schema)
    tree = rewrite(tree, _SQLITE)
    sqlite_queries.finish(tree)
    return tree


def _ordered(node: exp.Expression) -> None:
    """ORDER BY an interval."""
    if kind_of(node.this) == "interval":
        node.set("this", sqlite_dates.interval_seconds(node.this))


def _window(node: exp.Expression) -> None:
    if isinstance(node, exp.Window):
        sqlite_dates.range_frame(node)


_SQLITE: Mapping[type[exp.Expression], Rule] = {
    **sqlite_dates.RULES,
    **sqlite_values.RULES,
    **sqlite_texts.RULES,
    **sqlite_aggregates.RULES,
    **sqlite_queries.RULES,
    exp.Collate: collations.by_bytes("BINARY"),
    exp.Ordered: _ordered,
    exp.Window: _window,
}
