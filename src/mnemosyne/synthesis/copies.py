"""The populations of an order, kept in a folder that is named after everything that decides what they hold.

Another database, or other privacy, schema, seed or day, makes other copies; those made before are removed, with the
blocks of pairs that were made from them, so that nothing stays behind that may not be read any more.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from mnemosyne import guard
from mnemosyne.databases import Database, Limits, open_database
from mnemosyne.databases.places import parse
from mnemosyne.guard.query import SafeQuery
from mnemosyne.results import Result
from mnemosyne.schema import Schema
from mnemosyne.synthesis.copying import Copy, Fate, quote, read_copy
from mnemosyne.synthesis.disguise import Columns, disguise, disguised, shown
from mnemosyne.synthesis.order import Order
from mnemosyne.synthesis.populations import make

KEEP = (1.0, 0.75, 0.55)
"""About the share of the copied rows that each population keeps; the first one keeps all."""

_FORMAT = 1
"""Goes up when the same database would give other copies."""

_KNOWN = 100_000
"""Stored values of a disguised column that its look-alikes are kept apart from."""

_OURS = re.compile(r"\.?(copies-[0-9a-f]{12}|population-\d+\.duckdb|[0-9a-f]{12})(\..*)?")
"""Names in the work folder that this module, or an earlier version of it, gave."""

_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Copies:
    """The populations of an order."""

    folder: Path
    """Where they lie; its name tells them from others."""
    files: tuple[Path, ...]
    """DuckDB files."""
    fates: tuple[Fate, ...]
    """What became of each table of the database."""

    def remarks(self) -> list[str]:
        """What a person should know of tables that are not there as they are, a sentence each."""
        return list(_remarks(self.fates))

    def page(self) -> str:
        """What the populations hold, as Markdown."""
        lines = ["## Populations", "", *(self.remarks() or ["Every table was read whole."])]
        lines += ["", "| table | rows read | |", "|---|---:|---|"]
        said = {"whole": "whole", "cut": "cut", "empty": "invented: it has no rows", "unread": "invented: not read"}
        lines += [f"| {fate.table} | {fate.rows:,} | {said[fate.kind]} |" for fate in self.fates]
        return "\n".join(lines) + "\n"


def _remarks(fates: tuple[Fate, ...]) -> Iterator[str]:
    cut = [f"{fate.table} ({fate.rows:,})" for fate in fates if fate.kind == "cut"]
    if cut:
        yield f"Cut to so many rows, with those that they refer to: {', '.join(cut)}."
    loose = [f"{fate.table} ({fate.loose:,})" for fate in fates if fate.loose]
    if loose:
        yield f"References that could not be followed and were cut: {', '.join(loose)}."
    empty = [fate.table for fate in fates if fate.kind == "empty"]
    if empty:
        yield f"Without rows, so invented: {', '.join(empty)}."
    unread: dict[str, list[str]] = defaultdict(list)
    for fate in fates:
        if fate.kind == "unread":
            unread[fate.why.rstrip(".")].append(fate.table)
    for why, tables in unread.items():
        yield f"Could not be read, so invented: {', '.join(tables)} ({why})."


def copies(order: Order, schema: Schema) -> Copies:
    """The populations of an order, made when there are none yet; those of other orders are removed."""
    database = open_database(order.url)
    try:
        folder = order.folder / "work" / f"copies-{digest(order, schema, database)}"
        _sweep(folder)
        if not folder.exists():
            _make(order, schema, database, folder)
    finally:
        database.close()
    fates = tuple(Fate(**fate) for fate in json.loads((folder / "tables.json").read_text("utf-8")))
    return Copies(folder, tuple(_files(folder)), fates)


def _files(folder: Path) -> list[Path]:
    return [folder / f"population-{number}.duckdb" for number in range(len(KEEP))]


def digest(order: Order, schema: Schema, database: Database) -> str:
    """12 digits of everything that decides what the populations hold."""
    parts = {
        "format": _FORMAT,
        "stamp": _stamp(order.url, schema, database),
        "schema": repr(schema),
        "exclude": sorted({name.lower() for name in order.privacy.exclude}),
        "disguise": sorted({name.lower() for name in order.privacy.disguise}),
        "today": order.clock.isoformat(),
        "seed": order.seed,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def _stamp(url: str, schema: Schema, database: Database) -> list[object]:
    """What changes when a database does: size and time of its files, or the number of rows of its tables."""
    path = parse(url).path
    if path is not None:
        # A log of zero bytes comes and goes with every reader.
        files = [path, *(path.with_name(path.name + end) for end in ("-wal", ".wal"))]
        found = [file.stat() for file in files if file.exists()]
        return [str(path.resolve()), *([stat.st_size, stat.st_mtime_ns] for stat in found if stat.st_size)]
    counts = [_run(database, schema, f"SELECT COUNT(*) FROM {quote(table.name)}", 1) for table in schema.tables]
    return [database.url, *(rows[0][0] if rows else None for rows in counts)]


def _run(database: Database, schema: Schema, sql: str, most: int) -> tuple[tuple[object, ...], ...]:
    """The rows of a query, none when it is refused or fails."""
    checked = guard.check(sql, schema, target=database.dialect)
    if not isinstance(checked, SafeQuery):
        return ()
    outcome = database.run(checked, Limits(timeout_seconds=_SECONDS, max_rows=most))
    return outcome.rows if isinstance(outcome, Result) else ()


def _sweep(folder: Path) -> None:
    """Remove what was made for other orders beside this folder."""
    for path in folder.parent.iterdir() if folder.parent.exists() else ():
        if path != folder and _OURS.fullmatch(path.name):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def _make(order: Order, schema: Schema, database: Database, folder: Path) -> None:
    """Read the database once and write every population; the folder appears whole or not at all."""
    copy = read_copy(database, schema, order.privacy)
    columns = disguised(order.privacy, schema)
    if columns:
        stored = _stored(copy, schema, columns, database, order)
        copy.rows = disguise(copy.rows, schema, columns, stored)
    partial = folder.with_name(f".{folder.name}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    for number, (keep, path) in enumerate(zip(KEEP, _files(partial), strict=True)):
        seed = order.seed * len(KEEP) + number
        make(copy, shown(schema, columns), path, keep=keep, seed=seed, today=order.clock)
    (partial / "tables.json").write_text(json.dumps([asdict(fate) for fate in copy.fates], indent=1) + "\n", "utf-8")
    partial.replace(folder)


def _stored(copy: Copy, schema: Schema, columns: Columns, database: Database, order: Order) -> set[str]:
    """Values of disguised columns that were not copied, or that the schema lists."""
    found: set[str] = set()
    cut = {fate.table for fate in copy.fates if fate.kind != "whole"}
    for table in schema.tables:
        for column in table.columns:
            if (table.name, column.name) not in columns:
                continue
            found |= set(map(str, column.values))
            if table.name in cut and not order.privacy.leaves_out(table.name, column.name):
                name = quote(column.name)
                sql = f"SELECT DISTINCT {name} FROM {quote(table.name)} WHERE {name} IS NOT NULL LIMIT {_KNOWN}"
                found |= {str(row[0]) for row in _run(database, schema, sql, _KNOWN)}
    return found
