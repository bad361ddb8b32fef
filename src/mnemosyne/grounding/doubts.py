"""Doubts that only show after a query ran: an empty result whose filter asks for a value that nobody stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mnemosyne.grounding.scope import Abstention
from mnemosyne.grounding.values import ValueIndex

if TYPE_CHECKING:
    from sqlglot import exp

    from mnemosyne.guard.query import SafeQuery


def unstored(query: SafeQuery, values: ValueIndex) -> Abstention | None:
    """The condition of a query on a value that its column does not store, with what it stores instead."""
    import sqlglot
    from sqlglot import exp

    try:
        tree = sqlglot.parse_one(query.source, read="postgres")
        checked = list(sqlglot.parse_one(query.sql, read=query.dialect).find_all(exp.Table))
    except sqlglot.errors.SqlglotError:
        return None
    read = list(tree.find_all(exp.Table))
    for node in tree.find_all(exp.EQ, exp.In):
        column = node.this
        literals = node.expressions if isinstance(node, exp.In) else [node.expression]
        if not isinstance(column, exp.Column) or isinstance(node.parent, exp.Not):
            continue
        tables = [name for table in read if _is_of(column, table) for name in _full_names(table, checked)]
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


def _is_of(column: exp.Column, table: exp.Table) -> bool:
    """Whether a column as a query writes it can be one of a table."""
    named = not column.table or column.table.lower() == table.alias_or_name.lower()
    return named and (not column.db or column.db.lower() == table.db.lower())


def _full_names(table: exp.Table, checked: Sequence[exp.Table]) -> list[str]:
    """What the guard found a table to be: `analysts` may be `lab.analysts`, and `public.analysts` is `analysts`."""
    same = [one for one in checked if one.name.lower() == table.name.lower()]
    same = [one for one in same if one.db.lower() == table.db.lower()] or same
    return [f"{one.db}.{one.name}" if one.db else one.name for one in same]
