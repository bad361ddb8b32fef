"""The schema of a PostgreSQL database from its catalogue, in three queries however many tables there are.

Only what the user may read is seen. Tables on the search path have no namespace, others have; those that belong to
an extension, and single partitions, are left out.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from mnemosyne.errors import DatabaseUnreadable
from mnemosyne.schema import Column, ForeignKey, Schema, Table
from mnemosyne.schema.checks import Values, value_lists

if TYPE_CHECKING:
    import psycopg

_TABLES = """
    SELECT c.oid, CASE WHEN pg_table_is_visible(c.oid) THEN '' ELSE n.nspname END, c.relname,
           c.relkind IN ('v', 'm'), obj_description(c.oid, 'pg_class')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
      AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
      AND has_schema_privilege(n.oid, 'USAGE')
      AND (has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT'))
      AND NOT EXISTS (SELECT FROM pg_depend d
                      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY c.oid"""
_COLUMNS = """
    SELECT a.attrelid, a.attnum, a.attname,
           CASE WHEN t.typtype = 'e' THEN 'ENUM' WHEN e.typtype = 'e' THEN 'ENUM[]'
                WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod)
                ELSE format_type(a.atttypid, a.atttypmod) END,
           a.attnotnull OR t.typnotnull, col_description(a.attrelid, a.attnum),
           CASE WHEN t.typtype = 'e' THEN ARRAY(SELECT enumlabel::text FROM pg_enum WHERE enumtypid = t.oid
                                                ORDER BY enumsortorder) END,
           CASE WHEN t.typtype = 'd' THEN ARRAY(SELECT pg_get_expr(conbin, 0) FROM pg_constraint
                                                WHERE contypid = t.oid AND contype = 'c') END
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type e ON e.oid = t.typelem
    WHERE a.attrelid = ANY (%s) AND a.attnum > 0 AND NOT a.attisdropped
      AND has_column_privilege(a.attrelid, a.attnum, 'SELECT')
    ORDER BY a.attrelid, a.attnum"""
_CONSTRAINTS = """
    SELECT conrelid, contype::text, conkey, confrelid, confkey, pg_get_expr(conbin, conrelid)
    FROM pg_constraint WHERE conrelid = ANY (%s) AND contype IN ('p', 'f', 'c') ORDER BY conrelid, oid"""


def introspect(connection: psycopg.Connection[Any]) -> Schema:
    """Every table and view that may be read. Raises psycopg.Error, DatabaseUnreadable when there is none."""
    listed = connection.execute(_TABLES).fetchall()
    if not listed:
        raise DatabaseUnreadable(
            "The database holds no table that this user may read.",
            hint="Ask its owner: GRANT SELECT ON ALL TABLES IN SCHEMA public TO this_user.",
        )
    oids = [row[0] for row in listed]
    columns: dict[int, dict[int, Any]] = defaultdict(dict)
    for oid, number, *column in connection.execute(_COLUMNS, (oids,)):
        columns[oid][number] = column
    constraints = defaultdict(list)
    for oid, *constraint in connection.execute(_CONSTRAINTS, (oids,)):
        constraints[oid].append(constraint)
    names = {oid: f"{namespace}.{name}" if namespace else name for oid, namespace, name, _, _ in listed}
    tables = [
        _Reader(columns, names).table(oid, namespace, name, is_view, comment, constraints[oid])
        for oid, namespace, name, is_view, comment in listed
    ]
    return Schema(tuple(table for table in tables if table.columns), case_sensitive=True)


class _Reader:
    def __init__(self, columns: dict[int, dict[int, Any]], names: dict[int, str]) -> None:
        self.columns = columns
        self.names = names

    def table(
        self, oid: int, namespace: str, name: str, is_view: bool, comment: str | None, constraints: list[Any]
    ) -> Table:
        primary: tuple[str, ...] = ()
        keys = []
        values: dict[str, Values] = {}
        for kind, numbers, target, referred, expression in constraints:
            if kind == "c":
                values.update(value_lists(expression))
            elif kind == "p":
                primary = self._names(oid, numbers)
            elif self._names(oid, numbers) and self._names(target, referred):
                keys.append(ForeignKey(self._names(oid, numbers), self.names[target], self._names(target, referred)))
        return Table(
            name=name,
            columns=tuple(_column(each, primary, values) for each in self.columns[oid].values()),
            primary_key=primary,
            foreign_keys=tuple(keys),
            comment=comment or "",
            is_view=is_view,
            namespace=namespace,
        )

    def _names(self, oid: int, numbers: list[int]) -> tuple[str, ...]:
        """The names of columns; empty when one of them, or the table, may not be seen."""
        known = self.columns.get(oid, {})
        return tuple(known[n][0] for n in numbers) if all(n in known for n in numbers) else ()


def _column(column: Any, primary: tuple[str, ...], values: dict[str, Values]) -> Column:
    name, type_text, not_null, comment, labels, domain_checks = column
    listed = values.get(name) or tuple(labels or ())
    for check in domain_checks or ():
        listed = listed or next(iter(value_lists(check).values()), ())
    return Column(name, type_text, not (not_null or name in primary), listed, comment or "")
