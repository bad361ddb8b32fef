"""Reads the stored values that patterns draw from, within the privacy limits of the person who asks for pairs.

A column may be kept out altogether, or look-alikes stand for its values (`disguise.py`). Only values of columns
that the lexicon speaks of are read at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from mnemosyne import guard
from mnemosyne.databases import Database, Limits
from mnemosyne.guard.query import SafeQuery
from mnemosyne.results import Result
from mnemosyne.schema import Schema
from mnemosyne.synthesis.lexicon import ColumnWords, Lexicon
from mnemosyne.synthesis.world import Pool, Pools

MAX_VALUES = 300
"""Distinct texts read from one column, the frequent ones first."""

MAX_CHARACTERS = 60
"""Longer texts are prose; nobody asks for them by their wording."""

_LIMITS = Limits(timeout_seconds=20, max_rows=MAX_VALUES)


@dataclass(frozen=True, slots=True)
class Privacy:
    """What may be read of a database and be written into pairs."""

    exclude: frozenset[str] = frozenset()
    """`table.column` or bare column names whose values are never read."""
    disguise: frozenset[str] = frozenset()
    """`table.column` or bare column names whose values are replaced by look-alikes; `*` means every text column."""

    def leaves_out(self, table: str, column: str) -> bool:
        """Whether a column's values are never read."""
        return _listed(table, column, self.exclude)

    def names(self, table: str, column: str) -> bool:
        """Whether `disguise` names a column itself; `*` does not."""
        return _listed(table, column, self.disguise)


def _listed(table: str, column: str, names: Iterable[str]) -> bool:
    return any(name.lower() in (column.lower(), f"{table}.{column}".lower()) for name in names)


def read_pools(database: Database, schema: Schema, lexicon: Lexicon, privacy: Privacy = Privacy()) -> Pools:
    """What is stored in every column that the lexicon speaks of. Queries pass the guard and run read-only.

    Values come as they are: what is to be disguised is disguised when a population is written.
    """
    reader = _Reader(database, schema)
    pools: dict[tuple[str, str], Pool] = {}
    for table in lexicon.tables.values():
        for column in table.columns.values():
            if not privacy.leaves_out(table.name, column.name):
                pools[table.name, column.name] = reader.pool(column)
    return pools


class _Reader:
    """Asks one database about its columns."""

    def __init__(self, database: Database, schema: Schema) -> None:
        self.database, self.schema = database, schema

    def rows(self, sql: str) -> list[Sequence[object]]:
        """The rows of a query, none when it is refused or fails."""
        checked = guard.check(sql, self.schema, target=self.database.dialect)
        if not isinstance(checked, SafeQuery):
            return []
        outcome = self.database.run(checked, _LIMITS)
        return list(outcome.rows) if isinstance(outcome, Result) else []

    def pool(self, column: ColumnWords) -> Pool:
        """What one column stores."""
        name, table = _quote(column.name), _quote(column.table)
        counts = self.rows(f"SELECT COUNT(*), COUNT({name}), COUNT(DISTINCT {name}) FROM {table}")
        if not counts or not counts[0][0]:
            return Pool()
        total, filled, distinct = (int(str(n)) for n in counts[0])
        nulls = filled < total
        if column.kind == "date":
            return Pool(span=self._span(name, table), nulls=nulls, distinct=distinct)
        if column.kind == "number":
            return Pool(quantiles=self._quantiles(name, table, filled), nulls=nulls, distinct=distinct)
        if column.kind in ("name", "category", "text", "id"):
            return Pool(values=self._texts(name, table), nulls=nulls, distinct=distinct)
        return Pool(nulls=nulls, distinct=distinct)

    def _texts(self, name: str, table: str) -> tuple[str, ...]:
        rows = self.rows(
            f"SELECT {name}, COUNT(*) FROM {table} WHERE {name} IS NOT NULL "
            f"GROUP BY {name} ORDER BY COUNT(*) DESC, {name} LIMIT {MAX_VALUES}"
        )
        texts = [row[0] if isinstance(row[0], str) else str(row[0]) for row in rows]
        return tuple(t for t in texts if 0 < len(t.strip()) <= MAX_CHARACTERS and "\n" not in t)

    def _span(self, name: str, table: str) -> tuple[date, date] | None:
        rows = self.rows(f"SELECT MIN({name}), MAX({name}) FROM {table}")
        ends = [_date(value) for value in rows[0]] if rows else []
        return (ends[0], ends[1]) if len(ends) == 2 and ends[0] and ends[1] else None

    def _quantiles(self, name: str, table: str, filled: int) -> tuple[float, ...]:
        """0, 10, ... 100 %, by position in the sorted column."""
        if not filled:
            return ()
        found: list[float] = []
        for tenth in range(11):
            offset = min(filled - 1, filled * tenth // 10)
            rows = self.rows(
                f"SELECT {name} FROM {table} WHERE {name} IS NOT NULL ORDER BY {name} LIMIT 1 OFFSET {offset}"
            )
            if (rows and isinstance(rows[0][0], int | float)) or (rows and _numeric(rows[0][0])):
                found.append(float(str(rows[0][0])))
        return tuple(found)


def _numeric(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True


def _date(value: object) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        return None


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
