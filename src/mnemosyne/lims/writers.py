"""Write the laboratory's columns into SQLite, DuckDB or PostgreSQL, set by set, whole or not at all."""

from __future__ import annotations

import os
import re
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote

import numpy as np

from mnemosyne.errors import DatabaseError, DatabaseUnreachable, MissingExtra
from mnemosyne.lims.contract import TABLES, ddl
from mnemosyne.lims.population import Columns

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
    if kind in ("sqlite", "duckdb") and rest.startswith("/") and len(rest) > 1:
        with _new_file(Path(unquote(rest[1:])), force) as fresh:
            opened = SqliteWriter(fresh, url) if kind == "sqlite" else DuckdbWriter(fresh, url)
            try:
                yield opened
                opened.finish()
            finally:
                opened.connection.close()
    elif kind in ("postgresql", "postgres"):
        with _postgres(url, force) as writer:
            yield writer
    else:
        raise DatabaseError(
            f"{url!r} is not the URL of a database that can be made.",
            hint="Examples: sqlite:///lab.db, duckdb:///lab.duckdb, postgresql://user@host/lab",
        )


@contextmanager
def _new_file(path: Path, force: bool) -> Iterator[Path]:
    """A file beside `path` that takes its place at the end."""
    if path.exists() and not force:
        raise DatabaseError(f"{path} exists already.", hint="Choose another name, or replace it with --force.")
    if not path.parent.is_dir():
        raise DatabaseError(f"There is no folder {path.parent}.", hint="Create it first, or choose another place.")
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        yield fresh
        os.replace(fresh, path)
        for leftover in ("-wal", "-shm", "-journal", ".wal"):  # of the file that was replaced
            path.with_name(path.name + leftover).unlink(missing_ok=True)
    finally:
        for part in fresh.parent.glob(fresh.name + "*"):
            part.unlink()


class SqliteWriter:
    """Declares the column types of the contract; dates are ISO text, booleans 0 and 1."""

    def __init__(self, path: Path, url: str) -> None:
        self.url = url
        self.connection = sqlite3.connect(path, isolation_level=None)
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

    def __init__(self, path: Path, url: str) -> None:
        import duckdb

        self.url = url
        self.connection: Any = duckdb.connect(str(path))
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
    try:
        import psycopg
    except ImportError:
        raise MissingExtra("postgres", "A PostgreSQL laboratory") from None
    try:
        connection = psycopg.connect("postgresql://" + url.partition("://")[2])
    except psycopg.OperationalError as error:
        raise DatabaseUnreachable(
            f"No connection to the PostgreSQL server: {str(error).strip()}",
            hint="Check host, port, database, name and password in the URL.",
        ) from None
    with connection:  # one transaction: committed at the end of the block, rolled back on any error
        present = [t for t in TABLES if connection.execute("SELECT to_regclass(%s)", (t,)).fetchone() != (None,)]
        if present and not force:
            raise DatabaseError(
                f"The database already has {'a table' if len(present) == 1 else 'tables'} {', '.join(present)}.",
                hint="Choose another database, or replace these tables with --force.",
            )
        for table in reversed(present):
            connection.execute(f"DROP TABLE {table}")
        writer = PostgresWriter(connection, url)
        yield writer
        writer.finish()


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
