"""Distinct values of text columns, read through the guard: sampled, capped, and nothing of excluded columns.

What is read stays in this process and in the index file beside the cache; no value leaves the machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches

from mnemosyne import guard
from mnemosyne.databases import Database, Limits
from mnemosyne.guard.policy import Policy
from mnemosyne.guard.query import SafeQuery
from mnemosyne.results import Result
from mnemosyne.schema import Column, Schema, Table

VALUES_PER_COLUMN = 2_000
"""Distinct values indexed for one column; of a column with more, the first ones by name are taken."""

NAMES_PER_COLUMN = 50_000
"""The same of a column that names things, such as `client_name`."""

NAMES_IN_ALL = 200_000
"""Names beyond the first `VALUES_PER_COLUMN` of their columns, in all columns together; what has no room stays cut."""

NAMING = re.compile(
    r"(name|(^|_)(point|site|location|place|station|client|customer|company|supplier|producer|farm|product|brand))s?$",
    re.IGNORECASE,
)
"""Columns that name things, by the end of their own name."""

MAX_VALUE_CHARACTERS = 80
"""Longer values are prose, not names."""

SECONDS_PER_COLUMN = 10.0
"""A column that takes longer to read is left out."""


def stored_values(
    database: Database,
    schema: Schema,
    *,
    exclude: Iterable[str] = (),
    cap: int | None = None,
    policy: Policy | None = None,
    only: str = "",
    room: int = NAMES_IN_ALL,
) -> Iterator[tuple[Table, Column, list[str]]]:
    """Every text column that is not excluded, with its distinct values; a column that cannot be read is passed over.

    `are_all` says whether they are all that the column has of at most `MAX_VALUE_CHARACTERS`, or only the first. A `cap`
    holds for every column, without one a column of names may have more, as far as `room` allows. `exclude` names
    columns as `table.column`, as a bare column, or a whole table as `table.*`; a table may be named with its namespace.
    Under a policy only its tables, columns and rows are read. `only` is the full name of the one table to read.
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
            if _ways_to_exclude(table, column) & left_out or not is_text(column):
                continue
            first = VALUES_PER_COLUMN if cap is None else cap
            values = _distinct(database, schema, table, column, first, policy)
            if cap is None and len(values) == VALUES_PER_COLUMN and NAMING.search(column.name):
                most = min(VALUES_PER_COLUMN + room, NAMES_PER_COLUMN)
                more = _distinct(database, schema, table, column, most, policy)
                if are_many(more) and (len(more) < most or most == NAMES_PER_COLUMN):
                    values, room = more, room - beyond(more)
            if values:
                yield table, column, values


def _ways_to_exclude(table: Table, column: Column) -> set[str]:
    owners = {table.name, table.full_name}
    names = {column.name, *(f"{owner}.{part}" for owner in owners for part in (column.name, "*"))}
    return {name.lower() for name in names}


def unknown_exclusions(exclude: Iterable[str], schema: Schema) -> dict[str, str]:
    """What `exclude` names that no column of the schema is called, with the nearest name there is, empty for none."""
    known = {way for table in schema.tables for column in table.columns for way in _ways_to_exclude(table, column)}
    strange = [name.strip() for name in exclude if name.strip() and name.strip().lower() not in known]
    return {name: next(iter(get_close_matches(name.lower(), sorted(known), n=1)), "") for name in strange}


def are_all(values: Sequence[str], cap: int | None = None) -> bool:
    """Whether the values that were read of a column under a cap are all that it has."""
    if cap is not None:
        return len(values) < cap
    return len(values) < NAMES_PER_COLUMN and len(values) != VALUES_PER_COLUMN


def are_many(values: Sequence[str]) -> bool:
    """Whether a column holds more values than are read of most columns."""
    return len(values) > VALUES_PER_COLUMN


def beyond(values: Sequence[str]) -> int:
    """How many of a column's values are read because it names things."""
    return max(0, len(values) - VALUES_PER_COLUMN)


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
