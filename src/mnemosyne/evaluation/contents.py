"""A digest of what databases of one's own hold, so that runs over changed rows are not taken for comparable.

A population is known by its name only where the name carries its rows, as the laboratory's does. Elsewhere its
schema and rows are read here, the first of them in tables that are too large to be read whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sqlglot import exp

from mnemosyne import guard
from mnemosyne.databases import Database, Limits, open_database
from mnemosyne.guard import Refusal
from mnemosyne.results import Result, Row
from mnemosyne.schema import Schema, Table

ROWS = 20_000
"""Rows of one table that are read; of a larger one its number of rows and, where it has a primary key, the first."""

LIMITS = Limits(timeout_seconds=60, max_rows=ROWS)
"""What reading one table may use."""


def digest(urls: Sequence[str]) -> str:
    """16 hexadecimal digits of schemas and rows, in the order of the populations. Raises DatabaseError."""
    found = hashlib.sha256()
    for url in urls:
        database = open_database(url)
        try:
            schema = database.schema()
            found.update(schema.to_ddl().encode())
            for table in sorted(schema.tables, key=lambda table: table.full_name):
                if not table.is_view:  # a view's rows are those of its tables, and may depend on the day
                    found.update(f"{table.full_name} {_table(database, schema, table)}".encode())
        finally:
            database.close()
    return found.hexdigest()[:16]


def _table(database: Database, schema: Schema, table: Table) -> str:
    """The number of rows and a sum over them in which their order does not count; empty where it cannot be read."""
    name = exp.table_(table.name, db=table.namespace or None, quoted=True)
    counted = _rows(database, schema, exp.select("COUNT(*)").from_(name))
    if not counted:
        return ""
    count = int(str(counted[0][0]))
    rows: Sequence[Row] = ()
    if count <= ROWS or table.primary_key:
        keys = [exp.column(key, quoted=True) for key in table.primary_key]
        wanted = [exp.column(column.name, quoted=True) for column in table.columns]
        rows = _rows(database, schema, exp.select(*wanted).from_(name).order_by(*keys).limit(ROWS))
    total = sum(int.from_bytes(hashlib.sha256(repr(row).encode()).digest()) for row in rows)
    return f"{count} {total % 2**256:x}"


def _rows(database: Database, schema: Schema, query: exp.Select) -> Sequence[Row]:
    checked = guard.check(query.sql(database.dialect), schema, target=database.dialect, written=database.dialect)
    if isinstance(checked, Refusal):
        return ()
    result = database.run(checked, LIMITS)
    return result.rows if isinstance(result, Result) else ()
