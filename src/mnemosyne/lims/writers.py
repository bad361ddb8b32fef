"""Write the laboratory's columns into SQLite, DuckDB or PostgreSQL, set by set, whole or not at all.

What is there already is replaced only when that is asked for, and only when it is this laboratory and nothing else.
"""

from __future__ import annotations

import glob
import os
import re
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, unquote

import numpy as np

from mnemosyne.databases import open_database
from mnemosyne.databases.places import Place, parse
from mnemosyne.errors import DatabaseError, DatabaseUnreachable, MissingExtra
from mnemosyne.lims.contract import TABLES, ddl, schema
from mnemosyne.lims.population import Columns

CONNECT_SECONDS = 10
"""How long a PostgreSQL server may take to answer, unless its URL says so itself."""
INDEXES = (
    "CREATE INDEX samples_client ON samples (client_id)",
    "CREATE INDEX samples_collected ON samples (collection_date)",
    "CREATE INDEX results_sample ON results (sample_id)",
    "CREATE INDEX results_determinand ON results (determinand_id)",
    "CREATE INDEX results_tested ON results (test_date)",
    "CREATE INDEX worksheet_samples_sample ON worksheet_samples (sample_id)",
)


class Writer(Protocol):
    """A new, empty laboratory that is being filled."""

    url: str
    """Where it will be."""

    def write(self, table: str, columns: Columns) -> None:
        """Append rows to a table."""
        ...


@contextmanager
def open_writer(url: str, *, force: bool) -> Iterator[Writer]:
    """A writer of the laboratory at `url`; what it wrote appears when the block ends well, and not otherwise."""
    kind, _, rest = url.partition("://")
    kind = kind.split("+")[0]
    if kind in ("sqlite", "duckdb") and re.fullmatch("/[^\0]+", unquote(rest)) and rest != "/:memory:":
        with _file(kind, Path(unquote(rest[1:])), url, force) as writer:
            yield writer
    elif kind in ("postgresql", "postgres"):
        with _postgres(url, force) as writer:
            yield writer
    else:
        raise DatabaseError(
            f"{url!r} is not the URL of a database that can be made.",
            hint="Examples: sqlite:///lab.db, duckdb:///lab.duckdb, postgresql://user@host/lab",
        )


@contextmanager
def _file(kind: str, path: Path, url: str, force: bool) -> Iterator[Writer]:
    """The writer of a SQLite or DuckDB file. What the engine cannot do is raised as a DatabaseError."""
    failures: type[Exception] = sqlite3.Error
    if kind == "duckdb":
        import duckdb

        failures = duckdb.Error
    with _new_file(kind, path, force) as fresh:
        try:
            opened = sqlite3.connect(fresh, isolation_level=None) if kind == "sqlite" else duckdb.connect(str(fresh))
            with closing(opened) as connection:
                writer = SqliteWriter(connection, url) if kind == "sqlite" else DuckdbWriter(connection, url)
                yield writer
                writer.finish()
        except failures as error:
            words = " ".join(str(error).split()).replace(str(fresh), str(path)).rstrip(".")
            raise DatabaseError(
                f"{path} cannot be written: {words}.",
                hint="Is there room on the disk, and may this user write in that folder?",
            ) from None


@contextmanager
def _new_file(kind: str, path: Path, force: bool) -> Iterator[Path]:
    """A file beside `path` that takes its place at the end."""
    _check_place(kind, path, force)
    if not path.parent.is_dir():
        raise DatabaseError(f"There is no folder {path.parent}.", hint="Create it first, or choose another place.")
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        yield fresh
        _check_place(kind, path, force)  # again: somebody else may have put a file there meanwhile
        os.replace(fresh, path)
        for leftover in ("-wal", "-shm", "-journal", ".wal"):  # of the file that was replaced
            path.with_name(path.name + leftover).unlink(missing_ok=True)
    finally:
        for part in fresh.parent.glob(glob.escape(fresh.name) + "*"):
            part.unlink()


def _check_place(kind: str, path: Path, force: bool) -> None:
    """Nothing is there, or a laboratory that may be replaced. Raises DatabaseError."""
    if not path.exists():
        return
    if not force:
        raise DatabaseError(
            f"{path} exists already.", hint="Choose another name, or replace a demo laboratory with --force."
        )
    try:
        with closing(open_database(f"{kind}:///{quote(str(path.absolute()))}")) as database:
            tables = database.schema().tables
    except DatabaseError as error:
        raise _not_ours(str(path), str(error)) from None
    found = [
        _Found(table.full_name, "view" if table.is_view else "table", tuple(column.name for column in table.columns))
        for table in tables
    ]
    reasons = [f"it has a {one.kind} {one.name}" for one in found if one.name not in TABLES] + _strange(found)
    if reasons:
        raise _not_ours(str(path), _some(reasons))


@dataclass(frozen=True, slots=True)
class _Found:
    """A table, or what stands in its place."""

    name: str
    kind: str
    columns: tuple[str, ...]


def _strange(found: list[_Found]) -> list[str]:
    """What tells the tables of the laboratory's names from the laboratory's tables; nothing when they are the same."""
    ours = {table.name: tuple(column.name for column in table.columns) for table in schema().tables}
    known = [one for one in found if one.name in ours]
    return [
        *(f"{one.name} is a {one.kind}" for one in known if one.kind != "table"),
        *(f"{one.name} has other columns" for one in known if one.kind == "table" and one.columns != ours[one.name]),
        *(f"it has no table {name}" for name in TABLES if name not in {one.name for one in known}),
    ]


def _some(reasons: list[str], most: int = 3) -> str:
    rest = len(reasons) - most
    return ", ".join(reasons[:most]) + (f", and {rest} more such things" if rest > 0 else "") + "."


def _not_ours(place: str, found: str) -> DatabaseError:
    """The refusal to replace something."""
    return DatabaseError(
        f"{place} is not the demo laboratory, so nothing was touched: {found}",
        hint="--force replaces a demo laboratory and nothing else. Choose another place.",
    )


class SqliteWriter:
    """Declares the column types of the contract; dates are ISO text, booleans 0 and 1."""

    def __init__(self, connection: Any, url: str) -> None:
        self.url = url
        self.connection = connection
        self.connection.execute("PRAGMA journal_mode = OFF")
        self.connection.execute("PRAGMA synchronous = OFF")
        self.connection.execute("PRAGMA foreign_keys = OFF")  # checked at once, at the end
        self.connection.execute("BEGIN")
        for statement in statements(ddl().replace("SERIAL PRIMARY KEY", "INTEGER PRIMARY KEY")):
            self.connection.execute(statement)

    def write(self, table: str, columns: Columns) -> None:
        """Append rows."""
        marks = ", ".join("?" * len(columns))
        self.connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows_of(columns))

    def finish(self) -> None:
        """Index, check and commit."""
        for statement in INDEXES:
            self.connection.execute(statement)
        broken = self.connection.execute("PRAGMA foreign_key_check").fetchone()
        if broken is not None:
            raise DatabaseError(f"A row of {broken[0]} refers to a row of {broken[2]} that does not exist.")
        self.connection.execute("ANALYZE")
        self.connection.execute("COMMIT")


class DuckdbWriter:
    """FLOAT of the contract is DOUBLE here, because DuckDB's FLOAT has 32 bits."""

    def __init__(self, connection: Any, url: str) -> None:
        self.url = url
        self.connection = connection
        text = ddl().replace("SERIAL PRIMARY KEY", "INTEGER PRIMARY KEY").replace(" FLOAT", " DOUBLE")
        for statement in statements(text):
            self.connection.execute(statement)

    def write(self, table: str, columns: Columns) -> None:
        """Append rows."""
        # DuckDB reads microseconds, not days, and takes NaN for a number.
        batch = {name: v.astype("datetime64[us]") if v.dtype.kind == "M" else v for name, v in columns.items()}
        values = [f"nullif({name}, 'NaN')" if v.dtype.kind == "f" else name for name, v in columns.items()]
        self.connection.register("batch", batch)
        self.connection.execute(f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} FROM batch")
        self.connection.unregister("batch")

    def finish(self) -> None:
        """Index and write everything to the file."""
        for statement in INDEXES:
            self.connection.execute(statement)
        self.connection.execute("CHECKPOINT")


class PostgresWriter:
    """Copies rows inside the transaction that created the tables."""

    def __init__(self, connection: Any, url: str) -> None:
        self.url = url
        self.connection = connection
        for statement in statements(ddl()):
            connection.execute(statement)

    def write(self, table: str, columns: Columns) -> None:
        """Append rows."""
        with (
            self.connection.cursor() as cursor,
            cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy,
        ):
            for row in rows_of(columns):
                copy.write_row(row)

    def finish(self) -> None:
        """Index, and let the serial columns go on after the last id."""
        for statement in INDEXES:
            self.connection.execute(statement)
        for table in ("clients", "analysts", "methods", "determinands", "results", "worksheets"):
            key = f"{table.rstrip('s')}_id"
            self.connection.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', '{key}'), (SELECT max({key}) FROM {table}))"
            )
        self.connection.execute("ANALYZE")


@contextmanager
def _postgres(url: str, force: bool) -> Iterator[PostgresWriter]:
    """The writer of a PostgreSQL database. What the server refuses is raised as a DatabaseError."""
    try:
        import psycopg
    except ImportError:
        raise MissingExtra("postgres", "A PostgreSQL laboratory") from None
    place = parse("postgresql://" + url.partition("://")[2])
    try:
        with _connected(place) as connection:  # one transaction: committed at the end, rolled back on any error
            _make_room(connection, place, force)
            writer = PostgresWriter(connection, url)
            yield writer
            writer.finish()
    except psycopg.Error as error:
        raise DatabaseError(
            f"The server of {place.url} did not make the laboratory, and nothing was changed: {_words(error)}.",
            hint="The user in the URL needs the right to create tables there, and the server needs room on its disk.",
        ) from None


def _connected(place: Place) -> Any:
    """A connection, or DatabaseUnreachable after a while."""
    import psycopg

    options: dict[str, Any] = {} if "connect_timeout" in place.conninfo else {"connect_timeout": CONNECT_SECONDS}
    try:
        return psycopg.connect(place.conninfo, **options)
    except (psycopg.Error, UnicodeError) as error:
        raise DatabaseUnreachable(
            f"No connection to the PostgreSQL server: {place.scrub(' '.join(str(error).split()))}",
            hint="Check host, port, database, name and password in the URL.",
        ) from None


_KINDS = {
    "r": "table", "p": "partitioned table", "v": "view", "m": "materialised view", "f": "foreign table",
    "S": "sequence", "i": "index", "c": "type",
}  # fmt: skip
"""The letters of pg_class.relkind."""
_PRESENT = """
    SELECT t.name, c.relkind::text, ARRAY(
        SELECT a.attname::text FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum)
    FROM unnest(%s::text[]) WITH ORDINALITY AS t (name, place) JOIN pg_class c ON c.oid = to_regclass(t.name)
    ORDER BY t.place"""


def _make_room(connection: Any, place: Place, force: bool) -> None:
    """Drop the laboratory that is there, if it may be replaced. Raises DatabaseError when something else is there."""
    rows = connection.execute(_PRESENT, (list(TABLES),)).fetchall()
    present = [_Found(name, _KINDS.get(kind, "thing"), tuple(columns)) for name, kind, columns in rows]
    if not present:
        return
    if not force:
        raise DatabaseError(
            f"{place.url} already has {', '.join(f'a {one.kind} {one.name}' for one in present)}.",
            hint="Choose another database, or replace a demo laboratory with --force.",
        )
    reasons = _strange(present)
    if reasons:
        raise _not_ours(place.url, _some(reasons))
    for one in reversed(present):
        connection.execute(f"DROP TABLE {one.name}")


def _words(error: Any) -> str:
    """The server's words, without the quoted line of SQL."""
    said = error.diag.message_primary
    text = f"{said} ({error.diag.message_detail})" if said and error.diag.message_detail else said or str(error)
    return " ".join(text.split()).rstrip(".")


def statements(text: str) -> list[str]:
    """The statements of a DDL text, without comments."""
    return [part.strip() for part in re.sub(r"--[^\n]*", "", text).split(";") if part.strip()]


def rows_of(columns: Columns) -> Iterable[tuple[Any, ...]]:
    """Rows of plain Python values: None for NULL, ISO text for dates."""
    return zip(*(_plain(values) for values in columns.values()), strict=True)


def _plain(values: Any) -> list[Any]:
    if values.dtype.kind == "M":
        # Few distinct days: format each once.
        days, place = np.unique(values.astype(np.int64), return_inverse=True)
        names = np.datetime_as_string(days.astype("datetime64[D]")).astype(object)
        names[np.isnat(days.astype("datetime64[D]"))] = None
        return list(names[place])
    if values.dtype.kind == "f":
        plain = values.astype(object)
        plain[np.isnan(values)] = None
        return list(plain)
    return list(values.tolist())
