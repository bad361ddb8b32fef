"""The schema of a DuckDB file from its catalogue functions, in four queries however many tables there are."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from mnemosyne.errors import DatabaseUnreadable
from mnemosyne.schema import Column, ForeignKey, Schema, Table
from mnemosyne.schema.checks import Values, value_lists
from mnemosyne.schema.tokens import tokenize

_HERE = "NOT internal AND database_name = current_database()"
_TABLES = f"""
    SELECT table_oid, schema_name, table_name, comment, false AS is_view FROM duckdb_tables() WHERE {_HERE}
    UNION ALL SELECT view_oid, schema_name, view_name, comment, true FROM duckdb_views() WHERE {_HERE}
    ORDER BY 1"""
_COLUMNS = f"""
    SELECT table_oid, column_name, data_type, is_nullable, comment
    FROM duckdb_columns() WHERE {_HERE} ORDER BY table_oid, column_index"""
_CONSTRAINTS = """
    SELECT table_oid, constraint_type, constraint_column_names, expression, referenced_table, referenced_column_names
    FROM duckdb_constraints() WHERE database_name = current_database() ORDER BY table_oid, constraint_index"""


def introspect(connection: Any) -> Schema:
    """Every table and view. Raises duckdb.Error, DatabaseUnreadable when there is none."""
    listed = connection.execute(_TABLES).fetchall()
    if not listed:
        raise DatabaseUnreadable("The database holds no table.", hint="Is it the right file?")
    columns = defaultdict(list)
    for oid, *column in connection.execute(_COLUMNS).fetchall():
        columns[oid].append(column)
    constraints = defaultdict(list)
    for oid, *constraint in connection.execute(_CONSTRAINTS).fetchall():
        constraints[oid].append(constraint)
    return Schema(
        tuple(
            _table(namespace, name, comment, is_view, columns[oid], constraints[oid])
            for oid, namespace, name, comment, is_view in listed
        )
    )


def _table(
    namespace: str, name: str, comment: str | None, is_view: bool, columns: list[Any], constraints: list[Any]
) -> Table:
    namespace = "" if namespace == "main" else namespace
    primary: tuple[str, ...] = ()
    keys = []
    values: dict[str, Values] = {}
    for kind, names, expression, target, referred in constraints:
        match kind:
            case "PRIMARY KEY":
                primary = tuple(names)
            case "FOREIGN KEY":
                # DuckDB keeps keys within one namespace
                keys.append(ForeignKey(tuple(names), f"{namespace}.{target}" if namespace else target, tuple(referred)))
            case "CHECK":
                values.update(value_lists(expression))
    return Table(
        name=name,
        columns=tuple(_column(column, primary, values) for column in columns),
        primary_key=primary,
        foreign_keys=tuple(keys),
        comment=comment or "",
        is_view=is_view,
        namespace=namespace,
    )


def _column(column: Any, primary: tuple[str, ...], values: dict[str, Values]) -> Column:
    name, type_text, nullable, comment = column
    listed = values.get(name, ())
    if not listed and type_text.startswith("ENUM("):
        listed = tuple(token.text for token in tokenize(type_text, "duckdb") if token.kind == "string")
    return Column(name, type_text, nullable and name not in primary, listed, comment or "")
