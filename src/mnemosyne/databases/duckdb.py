"""DuckDB, read-only. The walls: `read_only`, no external access, no extensions, locked settings, and a deadline.

Memory and threads are limited and nothing is spilled to disk. The memory limit is set when the file is
opened, because the locked settings can not change any more.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from mnemosyne.databases import Limits
from mnemosyne.databases.cells import capped, require
from mnemosyne.databases.places import Place
from mnemosyne.errors import DatabaseError, DatabaseUnreadable
from mnemosyne.guard.query import Dialect, SafeQuery
from mnemosyne.results import Failure, Result
from mnemosyne.schema import Schema

_THREADS = 2
_BATCH = 1_000
"""Rows fetched at once: the caps are looked at after each batch."""


class DuckDBDatabase:
    """One DuckDB file."""

    dialect: Dialect = "duckdb"

    def __init__(self, place: Place, memory_mb: int = Limits().memory_mb) -> None:
        assert place.path is not None
        self.url = place.url
        self._lock = threading.Lock()
        self._connection = _connect(place.path, memory_mb)

    def schema(self) -> Schema:
        """Tables, views, columns, keys, CHECK lists and comments. Raises DatabaseUnreadable."""
        import duckdb

        from mnemosyne.databases.duckdb_schema import introspect

        with self._lock, self._connection.cursor() as cursor:
            try:
                return introspect(cursor)
            except duckdb.Error as error:
                raise DatabaseUnreadable(f"The schema of {self.url} cannot be read: {_plain(error)}.") from None

    def run(self, query: SafeQuery, limits: Limits = Limits()) -> Result | Failure:
        """The rows of a checked query, or how it failed. `limits.memory_mb` was fixed when the file was opened."""
        sql = require(query, self.dialect).sql
        with self._lock, self._connection.cursor() as cursor:
            return _run(cursor, sql, limits)

    def close(self) -> None:
        """Close the connection. Safe to call twice."""
        self._connection.close()


def _run(cursor: Any, sql: str, limits: Limits) -> Result | Failure:
    import duckdb

    start = time.perf_counter()
    deadline = start + limits.timeout_seconds
    timer = threading.Timer(limits.timeout_seconds, cursor.interrupt)
    timer.daemon = True
    timer.start()
    try:
        statements = cursor.extract_statements(sql)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            return Failure("error", "Exactly one SELECT can run.", time.perf_counter() - start)
        cursor.execute(statements[0])
        columns = tuple(str(column[0]) for column in cursor.description or ())
        rows, truncated = capped(_rows(cursor, deadline), limits.max_rows, limits.max_bytes)
        return Result(columns, rows, truncated, time.perf_counter() - start)
    except (duckdb.Error, TimeoutError, MemoryError, RuntimeError, ValueError, UnicodeError) as error:
        return _failure(error, time.perf_counter() - start, limits)
    finally:
        timer.cancel()


def _rows(cursor: Any, deadline: float) -> Any:
    """Rows in batches; the deadline holds between them too, when the engine has nothing to interrupt."""
    while batch := cursor.fetchmany(_BATCH):
        yield from batch
        if time.perf_counter() > deadline:
            raise TimeoutError


def _failure(error: Exception, seconds: float, limits: Limits) -> Failure:
    import duckdb

    if isinstance(error, TimeoutError) or (
        isinstance(error, duckdb.InterruptException) and seconds >= limits.timeout_seconds
    ):
        return Failure("timeout", f"The query was stopped after {limits.timeout_seconds:g} seconds.", seconds)
    if isinstance(error, duckdb.InterruptException):
        return Failure("cancelled", "The query was interrupted.", seconds)
    if isinstance(error, duckdb.OutOfMemoryException | MemoryError):
        return Failure("memory", _plain(error), seconds)
    if isinstance(error, duckdb.FatalException | duckdb.InternalException):
        return Failure("crash", _plain(error), seconds)
    return Failure("error", _plain(error), seconds)


def _plain(error: Exception) -> str:
    """The words of an error without its class, the quoted line of SQL, advice on settings and stack traces."""
    kept = []
    for line in str(error).splitlines():
        if line.startswith(("LINE ", "Stack Trace", "Possible solutions")):
            break
        if line.strip():
            kept.append(line.strip())
    return " ".join(kept)


def _connect(path: Path, memory_mb: int) -> Any:
    """A read-only connection with every setting made and locked. Raises DatabaseUnreadable."""
    import duckdb

    config: dict[str, Any] = {
        "enable_external_access": False,
        "autoload_known_extensions": False,
        "autoinstall_known_extensions": False,
        "allow_community_extensions": False,
        "allow_persistent_secrets": False,
        "python_enable_replacements": False,
        "python_scan_all_frames": False,
        "memory_limit": f"{memory_mb}MiB",
        "threads": _THREADS,
        "temp_directory": "",
        "lock_configuration": True,
    }
    try:
        return duckdb.connect(str(path), read_only=True, config=config)
    except duckdb.IOException as error:
        message = _plain(error)
        if "lock" in message.lower():
            raise DatabaseError(
                f"{path} is open for writing in another process.",
                hint="DuckDB lets one writer or many readers in. Close the other process, or ask a copy of the file.",
            ) from None
        raise DatabaseUnreadable(f"{path} cannot be opened: {message}", hint="Is the file damaged?") from None
    except (duckdb.Error, RuntimeError) as error:
        raise DatabaseUnreadable(f"{path} cannot be opened: {_plain(error)}", hint="Is the file damaged?") from None
