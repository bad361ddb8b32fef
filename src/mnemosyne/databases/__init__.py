"""SQLite, DuckDB and PostgreSQL, opened read-only: introspect, and run a `SafeQuery` under limits.

`open_database` opens one; every engine's walls are in its own file. Nothing heavy is imported here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mnemosyne.guard.query import Dialect, SafeQuery
from mnemosyne.results import Failure, Result
from mnemosyne.schema import Schema


@dataclass(frozen=True, slots=True)
class Limits:
    """What one query may use."""

    timeout_seconds: float = 30.0
    """Wall time; the query is interrupted, not only abandoned."""
    max_rows: int = 10_000
    """Rows returned at most, then `truncated`."""
    max_bytes: int = 50_000_000
    """Bytes of values returned at most, then `truncated`."""
    memory_mb: int = 0
    """Memory, where the engine has a limit (DuckDB); 0 for what the database was opened with."""


class Database(Protocol):
    """A database opened read-only."""

    url: str
    """The URL it was opened with, without its password."""
    dialect: Dialect
    """The dialect that `run` expects."""

    def schema(self) -> Schema:
        """Tables, views, columns, keys, CHECK lists and comments. Raises DatabaseUnreadable."""
        ...

    def run(self, query: SafeQuery, limits: Limits = Limits()) -> Result | Failure:
        """The rows of a checked query, or how it failed."""
        ...

    def close(self) -> None:
        """Close every connection. Safe to call twice."""
        ...


def open_database(url: str) -> Database:
    """The database at `url`, read-only: `sqlite:///file`, `duckdb:///file`, `postgresql://…`, or a file's path.

    The setting `memory_mb` says how much memory DuckDB may use.
    Raises DatabaseNotFound, DatabaseUnreachable, DatabaseUnreadable, MissingExtra, SettingsError.
    """
    from mnemosyne import settings
    from mnemosyne.databases.places import parse

    place = parse(url)
    match place.kind:
        case "sqlite":
            from mnemosyne.databases.sqlite import SQLiteDatabase

            return SQLiteDatabase(place)
        case "duckdb":
            from mnemosyne.databases.duckdb import DuckDBDatabase

            return DuckDBDatabase(place, settings.load().memory_mb)
        case "postgres":
            from mnemosyne.databases.postgres import PostgresDatabase

            return PostgresDatabase(place)
