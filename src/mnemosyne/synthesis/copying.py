"""The rows that populations are made of: at most a set number of each table, and every row that those refer to.

Tables are read through the guard, those that refer to others first, then the rows above them by their keys. A row
whose parent is in the database is never without it; where the database itself has no such row, nothing is made up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

from mnemosyne import guard
from mnemosyne.databases import Database, Limits
from mnemosyne.guard.query import SafeQuery
from mnemosyne.results import Failure, Result
from mnemosyne.schema import Schema, Table
from mnemosyne.synthesis.pools import Privacy
from mnemosyne.synthesis.references import Key, Reference, Rows, key_of, parents_first, references

ROWS = 3_000
"""Rows of a table that are chosen; those that other rows refer to come on top where they are more."""

ROUNDS = 50
"""How far keys are followed in circles; longer chains of rows are cut."""

_KEYS = 500
"""Cells of keys asked for in one query."""

_SECONDS = 30.0
_ORDERED_SECONDS = 10.0

Kind = Literal["whole", "cut", "empty", "unread"]


@dataclass(slots=True)
class Fate:
    """What became of one table."""

    table: str
    """Its name."""
    kind: Kind
    """Read whole, cut, without rows, or not to be read; rows are invented in the last two cases."""
    rows: int = 0
    """Rows that were read and kept."""
    why: str = ""
    """Why it could not be read."""
    loose: int = 0
    """References that were cut because the chain of rows is too long, or a parent could not be read."""


@dataclass(slots=True)
class Copy:
    """Rows of a database, closed over its foreign keys."""

    rows: Rows
    """Rows of every table that has any; excluded columns are NULL."""
    fates: list[Fate]
    """What became of each table, in the order of the schema."""
    references: list[Reference] = field(default_factory=list)
    """The foreign keys that hold in it."""


def read_copy(database: Database, schema: Schema, privacy: Privacy = Privacy(), most: int = ROWS) -> Copy:
    """At most so many rows of each table, the highest keys first, and the rows that they refer to."""
    return _Copier(database, schema, privacy, most).copy()


class _Copier:
    """Reads one database."""

    def __init__(self, database: Database, schema: Schema, privacy: Privacy, most: int) -> None:
        self.database, self.schema, self.privacy, self.most = database, schema, privacy, most
        self.tables = {table.name: table for table in schema.tables}
        self.fates = {name: Fate(name, "whole") for name in self.tables}
        self.rows: Rows = {name: [] for name in self.tables}
        self.references = references(schema, privacy)
        self.absent: dict[Reference, set[Key]] = {key: set() for key in self.references}

    def copy(self) -> Copy:
        first = {name: self._first(table) for name, table in self.tables.items()}
        self.references = [key for key in self.references if self.fates[key.parent].kind != "unread"]
        for name in reversed(parents_first(self.references, list(self.tables))):
            self._fill(name, first.pop(name))
            for key in self.references:
                if key.child == name and key.parent != name:
                    self._bring(key)
        for _ in range(ROUNDS):
            if not sum([self._bring(key) for key in self.references]):
                break
        self._loosen()
        for name, fate in self.fates.items():
            fate.rows = len(self.rows[name])
            if fate.kind == "whole" and not fate.rows:
                fate.kind = "empty"
            elif fate.kind == "cut" and not fate.rows:
                fate.kind, fate.why = "unread", "the rows that its rows refer to cannot be read"
        return Copy(
            {name: rows for name, rows in self.rows.items() if rows}, list(self.fates.values()), self.references
        )

    def _run(self, sql: str, most: int, seconds: float = _SECONDS) -> Result | str:
        """The rows of a query, or why there are none."""
        checked = guard.check(sql, self.schema, target=self.database.dialect)
        if not isinstance(checked, SafeQuery):
            return f"refused: {checked.reason}"
        outcome = self.database.run(checked, Limits(timeout_seconds=seconds, max_rows=most))
        return outcome.message if isinstance(outcome, Failure) else outcome

    def _select(self, table: Table) -> str:
        """`SELECT … FROM …` of the columns that may be read; empty when there is none."""
        names = [quote(c.name) for c in table.columns if not self.privacy.leaves_out(table.name, c.name)]
        return f"SELECT {', '.join(names)} FROM {quote(table.name)}" if names else ""

    def _widened(self, table: Table, rows: Iterable[Sequence[object]]) -> list[list[object]]:
        """Rows with NULL where a column was left out."""
        read = [not self.privacy.leaves_out(table.name, c.name) for c in table.columns]
        widened = []
        for row in rows:
            cells = iter(row)
            widened.append([next(cells) if there else None for there in read])
        return widened

    def _first(self, table: Table) -> list[list[object]]:
        """The rows with the highest primary keys; in whatever order, where sorting takes too long."""
        fate, select = self.fates[table.name], self._select(table)
        if not select:
            fate.kind, fate.why = "unread", "every column is excluded"
            return []
        outcome: Result | str = ""
        if table.primary_key and not any(self.privacy.leaves_out(table.name, name) for name in table.primary_key):
            order = ", ".join(f"{quote(name)} DESC" for name in table.primary_key)
            outcome = self._run(f"{select} ORDER BY {order} LIMIT {self.most + 1}", self.most, _ORDERED_SECONDS)
        if isinstance(outcome, str):
            outcome = self._run(f"{select} LIMIT {self.most + 1}", self.most)
        if isinstance(outcome, str):
            fate.kind, fate.why = "unread", outcome
            return []
        if outcome.truncated:
            fate.kind = "cut"
        return self._widened(table, outcome.rows)

    def _fill(self, name: str, first: list[list[object]]) -> None:
        """Rows that are not there yet, until there are as many as chosen."""
        there = set(map(tuple, self.rows[name]))
        fresh = (row for row in first if tuple(row) not in there)
        self.rows[name] += islice(fresh, max(0, self.most - len(self.rows[name])))

    def _missing(self, key: Reference) -> dict[Key, list[object]]:
        """What rows of the child refer to and the parent does not hold, though the database may."""
        if self.fates[key.parent].kind == "whole":
            return {}
        known = {key_of(row, key.targets) for row in self.rows[key.parent]} | self.absent[key]
        found: dict[Key, list[object]] = {}
        for row in self.rows[key.child]:
            wanted = key_of(row, key.places)
            if wanted is not None and wanted not in known:
                found[wanted] = [row[place] for place in key.places]
        return found

    def _bring(self, key: Reference) -> int:
        """Bring the parents of a child's rows; the number that came."""
        missing, table = self._missing(key), self.tables[key.parent]
        came = 0
        for part in _parts(missing, max(1, _KEYS // (1 if len(key.places) == 1 else 5 * len(key.places)))):
            condition = _condition([table.columns[place].name for place in key.targets], [missing[k] for k in part])
            outcome = self._run(f"{self._select(table)} WHERE {condition}", 20 * self.most) if condition else ""
            if isinstance(outcome, str):
                continue
            rows = self._widened(table, outcome.rows)
            self.rows[key.parent] += rows
            came += len(rows)
            if not outcome.truncated:
                self.absent[key] |= set(part) - {key_of(row, key.targets) for row in rows if row}
        return came

    def _loosen(self) -> None:
        """Cut what could not be brought: the reference becomes NULL, or the row goes when that is not allowed."""
        gone = True
        while gone:
            gone = False
            for key in self.references:
                missing, columns = self._missing(key), self.tables[key.child].columns
                if not missing:
                    continue
                may_be_null = all(columns[place].nullable for place in key.places)
                kept = []
                for row in self.rows[key.child]:
                    if key_of(row, key.places) in missing:
                        self.fates[key.child].loose += 1
                        if not may_be_null:
                            continue
                        row = [None if place in key.places else cell for place, cell in enumerate(row)]
                    kept.append(row)
                if len(kept) < len(self.rows[key.child]):
                    gone, self.fates[key.child].kind = True, "cut"
                self.rows[key.child] = kept


def _parts(keys: Iterable[Key], size: int) -> Iterator[list[Key]]:
    rest = iter(keys)
    while part := list(islice(rest, size)):
        yield part


def _condition(names: list[str], keys: list[list[object]]) -> str:
    """SQL for rows with one of these keys; empty when a cell cannot be written."""
    written = [[_literal(cell) for cell in key] for key in keys]
    if not all(all(cells) for cells in written):
        return ""
    if len(names) == 1:
        return f"{quote(names[0])} IN ({', '.join(cells[0] for cells in written)})"
    alike = (" AND ".join(f"{quote(n)} = {c}" for n, c in zip(names, cells, strict=True)) for cells in written)
    return " OR ".join(f"({one})" for one in alike)


def _literal(cell: object) -> str:
    """A cell in SQL; empty for bytes, which no literal of all engines writes."""
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, int | float):
        return repr(cell)
    return "'" + cell.replace("'", "''") + "'" if isinstance(cell, str) else ""


def quote(name: str) -> str:
    """A name in double quotes."""
    return '"' + name.replace('"', '""') + '"'
