"""Joins that a draft forgot, added by the schema's keys: no model is asked, and nothing is guessed.

Small models write `WHERE d.category = …` without joining determinands, or ask a table for a column that its parent
has. Where exactly one table has the column, and one shortest way of foreign keys from child to parent leads there
from the tables of the query, that join is what was meant: it can neither add nor multiply rows. Anything less
certain is left to the model that repairs.
"""

from __future__ import annotations

from collections.abc import Iterator

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.scope import Scope, traverse_scope

from mnemosyne.schema import ForeignKey, Schema, Table

FAR = 3
"""Joins at most that one column may need."""


def mend(sql: str, schema: Schema) -> str | None:
    """The query with the joins that its columns need, or None when nothing certain can be done."""
    try:
        tree = sqlglot.parse_one(sql, read="postgres")
        selects = [(one.expression, one) for one in traverse_scope(tree) if isinstance(one.expression, exp.Select)]
        changed = sum(_Select(select, scope, schema).mend() for select, scope in selects)
        return tree.sql(dialect="postgres") if changed else None
    except (SqlglotError, RecursionError, _Unsure):
        return None


class _Unsure(Exception):
    """A column that no certain way leads to."""


class _Select:
    """One SELECT of a query, and the tables in its FROM."""

    def __init__(self, select: exp.Select, scope: Scope, schema: Schema) -> None:
        self.select, self.scope, self.schema = select, scope, schema
        self.tables = {
            alias: table
            for alias, source in scope.sources.items()
            if isinstance(source, exp.Table) and (table := schema.table(source.name)) is not None
        }
        self.others = {alias for alias, source in scope.sources.items() if not isinstance(source, exp.Table)}
        self.own = set(scope.selected_sources)
        self.outer = set(_around(scope))
        self.was_alone = len(self.own) == 1

    def mend(self) -> int:
        """Add what is missing; how many columns were given a table."""
        outputs = {item.alias.lower() for item in self.select.expressions if item.alias}
        changed = 0
        for column in list(self._columns()):
            name, alias = column.name.lower(), column.table
            if self._is_known(alias, name) or (not alias and name in outputs):
                continue
            column.set("table", exp.to_identifier(self._holder(column, alias, name)))
            changed += 1
        if changed and self.was_alone:
            self._qualify()
        return changed

    def _columns(self) -> Iterator[exp.Column]:
        """The columns of this SELECT itself, not those of queries inside it."""
        for node in self.select.walk(prune=lambda node: isinstance(node, exp.Query) and node is not self.select):
            if isinstance(node, exp.Column) and not isinstance(node.this, exp.Star):
                yield node

    def _is_known(self, alias: str, name: str) -> bool:
        """Whether a source in sight has the column; what subqueries and outer queries offer is not judged."""
        if alias and alias not in self.own:
            return alias in self.outer
        if alias:
            return alias in self.others or _has(self.tables.get(alias), name)
        return bool(self.others or self.outer) or any(_has(table, name) for table in self.tables.values())

    def _holder(self, column: exp.Column, alias: str, name: str) -> str:
        """The alias of the one table that has a column, joined now if it must be. Raises _Unsure."""
        inside = [a for a in self.own if _has(self.tables.get(a), name)]
        if len(inside) == 1:
            return inside[0]
        holders = [table for table in self.schema.tables if _has(table, name)]
        if alias and alias not in self.own:  # the draft's name for a table that it did not join
            holders = [table for table in holders if table.name[:1].lower() == alias[:1].lower()]
        if inside or not holders:
            raise _Unsure
        ways = sorted(
            ((way, start) for holder in holders for start in sorted(self.own) for way in self._ways(start, holder)),
            key=lambda found: len(found[0]),
        )
        if not ways or (len(ways) > 1 and len(ways[0][0]) == len(ways[1][0])):
            raise _Unsure
        way, at = ways[0]
        for key, child, parent in way:
            at = self._join(at, key, child, parent, alias if parent is way[-1][2] else "")
        return at

    def _ways(self, start: str, holder: Table) -> Iterator[list[tuple[ForeignKey, Table, Table]]]:
        """Ways of keys from a table of the query, child to parent, to the holder."""
        first = self.tables.get(start)
        paths: list[tuple[Table, list[tuple[ForeignKey, Table, Table]]]] = [(first, [])] if first else []
        for _ in range(FAR):
            longer = []
            for table, path in paths:
                for key in table.foreign_keys:
                    parent = self.schema.table(key.table)
                    if parent is None or any(parent is step[1] for step in path) or parent is first:
                        continue
                    way = [*path, (key, table, parent)]
                    if parent is holder:
                        yield way
                    longer.append((parent, way))
            paths = longer

    def _join(self, at: str, key: ForeignKey, child: Table, parent: Table, wished: str) -> str:
        """Join a parent to the source `at`, unless it is there already; its alias."""
        for alias in self.own:
            if self.tables.get(alias) is parent:
                return alias
        keys = key.references or parent.primary_key
        if len(keys) != len(key.columns):
            raise _Unsure
        alias = self._free(parent, wished)
        on = exp.and_(*(
            exp.EQ(this=exp.column(mine, table=at), expression=exp.column(theirs, table=alias))
            for mine, theirs in zip(key.columns, keys, strict=True)
        ))  # fmt: skip
        joined = (
            exp.alias_(exp.to_table(parent.name), alias, table=True)
            if alias != parent.name
            else exp.to_table(parent.name)
        )
        self.select.append("joins", exp.Join(this=joined, on=on))
        self.tables[alias] = parent
        self.own.add(alias)
        return alias

    def _free(self, table: Table, wished: str) -> str:
        """A name for a joined table: the draft's own, the table's first letter, or the table's name."""
        taken = set(self.tables) | self.others | self.outer
        short = any(alias != found.name for alias, found in self.tables.items())
        for name in (wished, table.name[:1].lower() if short else "", table.name):
            if name and name not in taken:
                return name
        raise _Unsure

    def _qualify(self) -> None:
        """Say whose each bare column is, now that there are several tables."""
        for column in self._columns():
            if not column.table:
                holders = [alias for alias in self.own if _has(self.tables.get(alias), column.name.lower())]
                first = next(iter(self.scope.selected_sources))
                if holders:
                    column.set("table", exp.to_identifier(first if first in holders else holders[0]))


def group(sql: str) -> str | None:
    """The query with every plain output column of an aggregating SELECT in its GROUP BY, or None when nothing lacks."""
    try:
        tree = sqlglot.parse_one(sql, read="postgres")
    except (SqlglotError, RecursionError):
        return None
    changed = False
    for select in tree.find_all(exp.Select):
        grouping = select.args.get("group")
        listed = {item.sql() for item in grouping.expressions} if grouping is not None else set()
        if grouping is None and not any(_collects(item) for item in select.expressions):
            continue
        for position, item in enumerate(select.expressions, 1):
            inner = item.unalias()
            lacks = not {inner.sql(), item.alias_or_name, str(position)} & listed
            plain = inner.find(exp.AggFunc, exp.Window, exp.Subquery) is None
            if lacks and plain and inner.find(exp.Column) is not None:
                select.group_by(inner.copy(), copy=False)
                changed = True
    return tree.sql(dialect="postgres") if changed else None


def _collects(item: exp.Expression) -> bool:
    """Whether an output column makes its SELECT an aggregating one: a window alone does not."""
    return any(not isinstance(found.parent, exp.Window) for found in item.find_all(exp.AggFunc))


def _around(scope: Scope) -> Iterator[str]:
    """The names in FROM of the queries around a subquery; a CTE or a table in FROM sees none."""
    while scope.is_subquery and scope.parent is not None:
        scope = scope.parent
        yield from scope.selected_sources


def _has(table: Table | None, name: str) -> bool:
    return table is not None and any(column.name.lower() == name for column in table.columns)
