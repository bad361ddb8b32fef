"""Doubts that only show after a query ran: an empty result whose filter asks for a value that nobody stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mnemosyne.grounding.scope import Abstention
from mnemosyne.grounding.values import ValueIndex

if TYPE_CHECKING:
    from mnemosyne.guard.query import SafeQuery


def unstored(query: SafeQuery, values: ValueIndex) -> Abstention | None:
    """The condition of a query on a value that its column does not store, with what it stores instead."""
    import sqlglot
    from sqlglot import exp

    try:
        tree = sqlglot.parse_one(query.source, read="postgres")
    except sqlglot.errors.SqlglotError:
        return None
    aliases = {table.alias_or_name: table.name for table in tree.find_all(exp.Table)}
    for node in tree.find_all(exp.EQ, exp.In):
        column = node.this
        literals = node.expressions if isinstance(node, exp.In) else [node.expression]
        if not isinstance(column, exp.Column) or isinstance(node.parent, exp.Not):
            continue
        tables = [aliases.get(column.table, column.table)] if column.table else list(aliases.values())
        for literal in literals:
            if not isinstance(literal, exp.Literal) or not literal.is_string:
                continue
            found = {table: values.nearest(table, column.name, literal.this) for table in tables}
            known = {table: near for table, near in found.items() if near is not None}
            if len(known) == 1:
                [(table, near)] = known.items()
                said = literal.this.replace("'", "''")
                return Abstention("value", (f"{table}.{column.name} = '{said}'",), near)
    return None
