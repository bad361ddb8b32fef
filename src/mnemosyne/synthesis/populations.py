"""Populations to verify on: thinned copies of a person's database, or invented rows where there are none.

A copy lies in its own DuckDB file and holds rows that `copying.py` read through the guard, without excluded columns and
with look-alikes for disguised ones. The first population holds all of them, the others a different part each. The
database asked is never written to.
"""

from __future__ import annotations

import json
import math
import random
import tempfile
from datetime import date, datetime, time, timedelta
from pathlib import Path

from mnemosyne.schema import Column, Schema, Table
from mnemosyne.schema.writing import type_name
from mnemosyne.synthesis.copying import Copy, quote
from mnemosyne.synthesis.references import Key, Rows, key_of, references
from mnemosyne.synthesis.thinning import thin

INVENTED = 150
"""Rows of a table that is filled with invented ones; tables that many refer to get fewer."""

_TYPES = {
    "INTEGER": "BIGINT", "FLOAT": "DOUBLE", "NUMERIC": "DOUBLE", "BOOLEAN": "BOOLEAN", "DATE": "DATE",
    "TIMESTAMP": "TIMESTAMP", "TIME": "TIME",
}  # fmt: skip


def make(copy: Copy, schema: Schema, path: Path, *, keep: float, seed: int, today: date) -> Rows:
    """One population in a DuckDB file: about a share of a copy's rows, and invented rows for tables that have none."""
    rows = thin(copy.rows, copy.references, keep, seed)
    whole = invented(schema, seed=seed, today=today, given=rows)
    _write(path, schema, whole)
    return whole


def invented(schema: Schema, *, seed: int, today: date, given: Rows | None = None) -> Rows:
    """Invented rows for every table that is not given, satisfying keys and value lists."""
    return _Inventor(schema, seed, today, given or {}).made


class _Inventor:
    """Invents rows, parents before children; keys that go in circles are NULL."""

    def __init__(self, schema: Schema, seed: int, today: date, given: Rows) -> None:
        self.seed, self.today = seed, today
        self.scale = 1 + 0.3 * (seed % 3)
        self.tables = {table.name: table for table in schema.tables}
        self.keys: dict[tuple[str, str], list[object]] = {}
        self.made: Rows = {}
        self.given = given
        self.references = references(schema)
        for table in schema.tables:
            if table.name in given:
                self._keep(table, given[table.name])
        for table in schema.tables:
            self._table(table, ())

    def _keep(self, table: Table, rows: list[list[object]]) -> None:
        self.made[table.name] = rows
        for place, column in enumerate(table.columns):
            self.keys[table.name, column.name] = [row[place] for row in rows if row[place] is not None]

    def _table(self, table: Table, path: tuple[str, ...]) -> None:
        if table.name in self.made or table.name in path:
            return
        for key in table.foreign_keys:
            if key.table in self.tables:
                self._table(self.tables[key.table], (*path, table.name))
        rng = random.Random(f"{self.seed}:{table.name}")
        depth = len(table.foreign_keys)
        count = max(4, round((INVENTED * (0.25 if depth == 0 else 1 if depth < 3 else 2)) * self.scale))
        rows: list[list[object]] = []
        seen: set[tuple[object, ...]] = set()
        unique = [i for i, c in enumerate(table.columns) if c.name in table.primary_key]
        asked = self._asked(table)
        for number in range(1, max(count, len(asked)) + 1):
            row = self._row(table, number, rng)
            for place, cell in asked[number - 1] if number <= len(asked) else ():
                row[place] = cell
            identity = tuple(row[i] for i in unique)
            if not unique or identity not in seen:
                seen.add(identity)
                rows.append(row)
        self._keep(table, rows)

    def _asked(self, table: Table) -> list[list[tuple[int, object]]]:
        """Cells that given rows refer to: the keys of the rows that cannot be read."""
        found: dict[tuple[tuple[int, ...], Key], list[tuple[int, object]]] = {}
        for key in self.references:
            for row in self.given.get(key.child, ()) if key.parent == table.name else ():
                if (name := key_of(row, key.places)) is not None:
                    found[key.targets, name] = [
                        (at, row[place]) for at, place in zip(key.targets, key.places, strict=True)
                    ]
        return list(found.values())

    def _row(self, table: Table, number: int, rng: random.Random) -> list[object]:
        linked: dict[str, object] = {}
        for key in table.foreign_keys:
            references = key.references or (self.tables[key.table].primary_key if key.table in self.tables else ())
            pools = [self.keys.get((key.table, reference), []) for reference in references]
            if pools and all(pools):
                # Favourites: the square root of a uniform draw leans to one end, as popular parents do.
                at = int(len(pools[0]) * rng.random() ** 1.6)
                for name, pool in zip(key.columns, pools, strict=False):
                    linked[name] = pool[min(at, len(pool) - 1)]
            else:
                linked.update(dict.fromkeys(key.columns))
        made = []
        for column in table.columns:
            if column.name in linked:
                empty = column.nullable and column.name not in table.primary_key and rng.random() < 0.1
                made.append(None if empty else linked[column.name])
            elif column.nullable and column.name not in table.primary_key and rng.random() < 0.1:
                made.append(None)
            else:
                made.append(self._cell(table, column, number, rng))
        return made

    def _cell(self, table: Table, column: Column, number: int, rng: random.Random) -> object:
        kind, name = type_name(column.type), column.name.lower()
        if column.values:
            return rng.choice(column.values)
        match kind:
            case "INTEGER":
                return (
                    number
                    if column.name in table.primary_key
                    else int(rng.lognormvariate(3, 1)) + ("year" in name) * 1990
                )
            case "FLOAT" | "NUMERIC":
                return round(rng.lognormvariate(2, 1), 2)
            case "BOOLEAN":
                return rng.random() < 0.75
            case "DATE" | "TIMESTAMP":
                day = self.today - timedelta(days=int(900 * rng.random() ** 1.5))
                return (
                    day
                    if kind == "DATE"
                    else datetime(day.year, day.month, day.day, rng.randrange(7, 19), rng.randrange(60))
                )
            case "UUID":
                return f"{rng.getrandbits(128):032x}"
            case "JSON":
                return "{}"
            case _:
                return self._text(table, column, number, rng)

    def _text(self, table: Table, column: Column, number: int, rng: random.Random) -> str:
        name = column.name.lower()
        if column.name in table.primary_key or "code" in name or "number" in name:
            return f"{table.name[:3].upper()}-{number:04d}"
        if "mail" in name:
            return f"{rng.choice(_WORDS).lower()}{number}@example.org"
        if any(part in name for part in ("status", "type", "category", "level", "priority", "unit", "state")):
            return rng.choice(_KINDS)
        if "description" in name or "comment" in name or "note" in name:
            return " ".join(rng.choice(_WORDS) for _ in range(8))
        if "country" in name or "city" in name:
            return rng.choice(_PLACES)
        return f"{rng.choice(_WORDS)} {rng.choice(_WORDS)} {number}"


_WORDS = (
    "Amber Birch Cedar Delta Ember Fjord Grove Harbour Indigo Juniper Kestrel Lagoon Maple Nimbus Orchid Pine Quartz "
    "Rowan Sable Tundra Umber Vale Willow Yarrow Zephyr"
).split()  # noqa: SIM905 - a list of words reads better as words
_KINDS = ("Standard", "Express", "Internal", "External", "Pending", "Closed")
_PLACES = ("Northport", "Eastvale", "Southmere", "Westbury", "Midford")


def _write(path: Path, schema: Schema, rows: Rows) -> None:
    """A DuckDB file with every table of the schema, without constraints; it appears whole or not at all."""
    import duckdb

    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    with duckdb.connect(str(partial)) as connection, tempfile.TemporaryDirectory() as folder:
        connection.execute("SET enable_progress_bar = false")
        for table in schema.tables:
            columns = ", ".join(f"{quote(c.name)} {_TYPES.get(type_name(c.type), 'VARCHAR')}" for c in table.columns)
            connection.execute(f"CREATE TABLE {quote(table.name)} ({columns})")
            found = [
                [_text(cell, column) for cell, column in zip(row, table.columns, strict=True)]
                for row in rows.get(table.name, [])
            ]
            if not found:
                continue
            file = Path(folder) / "rows.jsonl"
            with file.open("w", encoding="utf-8") as out:
                for row in found:
                    out.write(json.dumps({f"c{n}": cell for n, cell in enumerate(row)}) + "\n")
            kinds = ", ".join(
                f"c{n}: '{_TYPES.get(type_name(c.type), 'VARCHAR')}'" for n, c in enumerate(table.columns)
            )
            connection.execute(
                f"INSERT INTO {quote(table.name)} SELECT * FROM read_json('{file}', format = 'newline_delimited', "
                f"columns = {{{kinds}}})"
            )
    partial.replace(path)


def _text(cell: object, column: Column) -> str | None:
    """A cell as text; what does not fit the column's type becomes NULL."""
    if cell is None:
        return None
    kind = _TYPES.get(type_name(column.type), "VARCHAR")
    text = str(cell)
    try:
        if kind == "BIGINT":
            return _integer(text)
        if kind == "DOUBLE":
            return str(float(text)) if math.isfinite(float(text)) else None
        if kind == "BOOLEAN":
            return "true" if text.lower() in ("true", "1", "t", "yes", "y") else "false"
        if kind == "DATE":
            return date.fromisoformat(text[:10]).isoformat()
        if kind == "TIMESTAMP":
            return datetime.fromisoformat(text).isoformat(sep=" ")
        if kind == "TIME":
            return time.fromisoformat(text).replace(tzinfo=None).isoformat()
    except (ValueError, OverflowError):
        return None
    return text


def _integer(text: str) -> str | None:
    """A whole number to its last digit, None beyond 64 bits. Raises ValueError, OverflowError when it is no number."""
    try:
        number = int(text)
    except ValueError:
        number = int(float(text))
    return str(number) if -(2**63) <= number < 2**63 else None
