"""Distinct values of text columns, read through the guard: sampled, capped, and nothing of excluded columns.

What is read stays in this process and in the index file beside the cache; no value leaves the machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mnemosyne import guard
from mnemosyne.databases import Database, Limits
from mnemosyne.guard.policy import Policy
from mnemosyne.guard.query import SafeQuery
from mnemosyne.results import Result
from mnemosyne.schema import Column, Schema, Table

VALUES_PER_COLUMN = 2_000
"""Distinct values indexed for one column; of a column with more, the first ones by name are taken."""

MAX_VALUE_CHARACTERS = 80
"""Longer values are prose, not names."""

SECONDS_PER_COLUMN = 10.0
"""A column that takes longer to read is left out."""


def stored_values(
    database: Database,
    schema: Schema,
    *,
    exclude: Iterable[str] = (),
    cap: int = VALUES_PER_COLUMN,
    policy: Policy | None = None,
    only: str = "",
) -> Iterator[tuple[Table, Column, list[str]]]:
    """Every text column that is not excluded, with its distinct values; a column that cannot be read is passed over.

    Fewer than `cap` values are all that the column has of at most `MAX_VALUE_CHARACTERS`; `cap` of them may be only
    the first. `exclude` names columns as `table.column`, as a bare column, or a whole table as `table.*`; a table may
    be named with its namespace. Under a policy only its tables, columns and rows are read. `only` is the full name of the one table to read.
    """
    left_out = {name.strip().lower() for name in exclude}
    seen = guard.visible(schema, policy, database.dialect)
    for table in seen.tables:
        if only and table.full_name != only:
            continue
        referring = {name for key in table.foreign_keys if seen.table(key.table) for name in key.columns}
        for column in table.columns:
            if column.name in referring:
                continue  # what it stores is stored, and found, where it refers to
            owners = {table.name, table.full_name}
            names = {column.name, *(f"{owner}.{part}" for owner in owners for part in (column.name, "*"))}
            if {name.lower() for name in names} & left_out or not is_text(column):
                continue
            if values := _distinct(database, schema, table, column, cap, policy):
                yield table, column, values


def is_text(column: Column) -> bool:
    """Whether a column holds words: by its type, or by the closed list that it declares."""
    kind = column.type.upper()
    return any(word in kind for word in ("CHAR", "TEXT", "STRING", "CLOB")) or (
        bool(column.values) and "INT" not in kind
    )


def _distinct(
    database: Database, schema: Schema, table: Table, column: Column, cap: int, policy: Policy | None
) -> list[str]:
    if column.values:
        return [value for value in column.values if isinstance(value, str)]
    name, source = _quote(column.name), ".".join(_quote(part) for part in table.full_name.split("."))
    kept = f"{name} > '' AND LENGTH({name}) <= {MAX_VALUE_CHARACTERS}"
    sql = f"SELECT DISTINCT {name} FROM {source} WHERE {kept} ORDER BY {name} LIMIT {cap}"
    checked = guard.check(sql, schema, target=database.dialect, policy=policy)
    if not isinstance(checked, SafeQuery):
        return []
    outcome = database.run(checked, Limits(timeout_seconds=SECONDS_PER_COLUMN, max_rows=cap))
    if not isinstance(outcome, Result):
        return []
    values = [row[0] for row in outcome.rows]
    texts = [value for value in values if isinstance(value, str) and 0 < len(value) <= MAX_VALUE_CHARACTERS]
    return [] if len(texts) < len(values) == cap else texts  # fewer than were read would pass for all that there are


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
