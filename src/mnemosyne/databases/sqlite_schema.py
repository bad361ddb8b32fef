"""The schema of a SQLite file: keys and types from SQLite's pragmas, CHECK lists and comments from its stored DDL."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from dataclasses import replace

from mnemosyne.errors import DatabaseUnreadable, SchemaError
from mnemosyne.schema import Column, ForeignKey, Schema, Table

_TABLES = """
    SELECT name, type, sql FROM sqlite_master
    WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid"""
_COLUMNS = 'SELECT name, type, "notnull", pk, hidden FROM pragma_table_xinfo(?) ORDER BY cid'
_KEYS = """
    SELECT m.name, k.id, k."table", k."from", k."to"
    FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) k
    WHERE m.type = 'table' ORDER BY m.rowid, k.id DESC, k.seq"""


def introspect(connection: sqlite3.Connection) -> Schema:
    """Every table and view that SQLite can read. Raises sqlite3.Error, DatabaseUnreadable when there is none."""
    listed = connection.execute(_TABLES).fetchall()
    columns = {name: _columns(connection, name, kind) for name, kind, _ in listed}
    keys: dict[str, dict[int, list[tuple[str, str, str | None]]]] = defaultdict(lambda: defaultdict(list))
    for table, number, target, source, referred in connection.execute(_KEYS):
        keys[table][number].append((target, source, referred))
    shadows = {name for name, _, _ in listed if _is_shadow(name, listed)}
    tables = [
        _table(name, kind, sql or "", columns[name], keys[name]) for name, kind, sql in listed if name not in shadows
    ]
    tables = [table for table in tables if table.columns]
    if not tables:
        raise DatabaseUnreadable("The database holds no table.", hint="Is it the right file?")
    return Schema(tuple(_resolved(table, Schema(tuple(tables))) for table in tables))


def _columns(connection: sqlite3.Connection, name: str, kind: str) -> list[tuple[object, ...]]:
    """The columns of a table or view; none of a stale view, since what it reads is gone. Raises sqlite3.Error."""
    try:
        return connection.execute(_COLUMNS, (name,)).fetchall()
    except sqlite3.OperationalError as error:
        if kind == "view" and error.sqlite_errorcode == sqlite3.SQLITE_ERROR:  # not busy, damaged or out of memory
            return []
        raise


def _is_shadow(name: str, listed: list[tuple[str, str, str | None]]) -> bool:
    """A table that a virtual table (full text search) keeps for itself."""
    virtual = (other for other, _, sql in listed if (sql or "").upper().startswith("CREATE VIRTUAL"))
    return any(name.startswith(f"{other}_") for other in virtual)


def _table(
    name: str,
    kind: str,
    sql: str,
    columns: list[tuple[object, ...]],
    keys: dict[int, list[tuple[str, str, str | None]]],
) -> Table:
    described = _described(sql) if kind == "table" else None
    found = []
    primary: dict[int, str] = {}
    for column, type_text, not_null, position, hidden in columns:
        if hidden == 1:
            continue
        written = described.column(str(column)) if described else None
        found.append(
            Column(
                name=str(column),
                type=str(type_text),
                nullable=not (not_null or position),
                values=written.values if written else (),
                comment=written.comment if written else "",
            )
        )
        if position:
            primary[int(str(position))] = str(column)
    return Table(
        name=name,
        columns=tuple(found),
        primary_key=tuple(primary[position] for position in sorted(primary)),
        foreign_keys=tuple(_key(rows) for rows in keys.values()),
        comment=described.comment if described else "",
        is_view=kind == "view",
    )


def _described(sql: str) -> Table | None:
    """What the stored DDL says besides; None when the reader cannot follow it."""
    try:
        return Schema.from_ddl(sql, dialect="sqlite").tables[0]
    except SchemaError:
        return None


def _key(rows: list[tuple[str, str, str | None]]) -> ForeignKey:
    referred = tuple(to for _, _, to in rows if to)
    return ForeignKey(tuple(source for _, source, _ in rows), rows[0][0], referred)


def _resolved(table: Table, schema: Schema) -> Table:
    """The table with its keys spelled as their targets are, and the columns that a key left out."""
    keys = []
    for key in table.foreign_keys:
        target = schema.table(key.table)
        if target is None:
            keys.append(key)
            continue
        references = key.references or target.primary_key
        spelled = tuple(found.name if (found := target.column(name)) else name for name in references)
        columns = tuple(found.name if (found := table.column(name)) else name for name in key.columns)
        keys.append(ForeignKey(columns, target.name, spelled if len(spelled) == len(columns) else key.references))
    return replace(table, foreign_keys=tuple(keys))
