"""DuckDB, read-only. The walls: `read_only`, no external access, no extensions, locked settings, and a deadline.

Memory and threads are limited and nothing is spilled to disk. Of the locked settings only the memory limit can
still change, for the time of one query that has a limit of its own.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from mnemosyne.databases import Limits
from mnemosyne.databases.cells import capped, interval_text, require
from mnemosyne.databases.deadline import Deadline
from mnemosyne.databases.places import Place
from mnemosyne.errors import DatabaseError, DatabaseUnreadable
from mnemosyne.guard.query import Dialect, SafeQuery
from mnemosyne.results import Failure, Result
from mnemosyne.schema import Schema

_THREADS = 2
_AS_TEXT = ("WITH TIME ZONE", "INTERVAL", "TIMESTAMP_NS", "TIMETZ")
_BATCH = 250
"""Rows fetched at once: the caps are looked at after each batch."""


class DuckDBDatabase:
    """One DuckDB file. `memory_mb` is what a query may use whose limits do not say."""

    dialect: Dialect = "duckdb"

    def __init__(self, place: Place, memory_mb: int = 1_024) -> None:
        assert place.path is not None
        self.url = place.url
        self._memory_mb = max(memory_mb, 1)  # DuckDB takes less for no limit
        self._lock = threading.Lock()
        self._connection = _connect(place.path, self._memory_mb)

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
        """The rows of a checked query, or how it failed."""
        import duckdb

        sql = require(query, self.dialect).sql
        with self._lock, self._connection.cursor() as cursor:
            try:
                with self._memory(cursor, limits.memory_mb):
                    return _run(cursor, sql, limits)
            except duckdb.Error as error:
                return _failure(error, 0.0, timed_out=False, limits=limits)

    @contextlib.contextmanager
    def _memory(self, cursor: Any, memory_mb: int) -> Iterator[None]:
        """Another memory limit for a while, when one is asked for. Raises duckdb.Error when it cannot be had."""
        fixed = memory_mb > self._memory_mb and not _can_except_settings()
        if memory_mb <= 0 or memory_mb == self._memory_mb or fixed:
            yield
            return
        cursor.execute(f"SET memory_limit = '{int(memory_mb)}MiB'")
        try:
            yield
        finally:
            cursor.execute(f"SET memory_limit = '{self._memory_mb}MiB'")

    def close(self) -> None:
        """Close the connection. Safe to call twice."""
        self._connection.close()


_INITCAP = r"""CREATE OR REPLACE TEMP MACRO mn_initcap(x) AS array_to_string([upper(word[1]) || lower(word[2:])
    FOR word IN regexp_extract_all(x, '[\p{L}\p{N}]+|[^\p{L}\p{N}]+')], '')"""
"""INITCAP, which DuckDB lacks; a cursor sees only what it made itself."""


def _run(cursor: Any, sql: str, limits: Limits) -> Result | Failure:
    import duckdb

    start = time.perf_counter()
    with Deadline(limits.timeout_seconds, lambda _: cursor.interrupt()) as deadline:
        try:
            if "MN_INITCAP" in sql:
                cursor.execute(_INITCAP)
            columns, cells = _start(cursor, sql)
            rows, truncated = capped(_rows(cursor, cells, deadline), limits.max_rows, limits.max_bytes)
            return Result(columns, rows, truncated, time.perf_counter() - start)
        except (duckdb.Error, MemoryError, RuntimeError, ValueError) as error:
            return _failure(error, time.perf_counter() - start, timed_out=deadline.fired, limits=limits)


def _start(cursor: Any, sql: str) -> tuple[tuple[str, ...], list[Callable[[object], object]]]:
    """Start a query; its columns, and what is still to be done to the cells of each. Raises duckdb.Error, ValueError.

    Intervals and times with a zone are turned to text inside DuckDB: Python's own types would lose months,
    and would need `pytz`.
    """
    import duckdb

    sql.encode()  # a lone surrogate is a ValueError here and a TypeError inside DuckDB
    statements = cursor.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise duckdb.InvalidInputException("Exactly one SELECT can run.")
    sql = sql.strip().rstrip(";")
    described = cursor.execute(f"DESCRIBE (\n{sql}\n)").fetchall()
    columns = tuple(str(row[0]) for row in described)
    types = [str(row[1]) for row in described]
    as_text = [any(word in kind for word in _AS_TEXT) for kind in types]
    if any(as_text):
        picked = (f"CAST(#{n} AS VARCHAR)" if text else f"#{n}" for n, text in enumerate(as_text, 1))
        sql = f"SELECT {', '.join(picked)} FROM (\n{sql}\n)"
    cursor.execute(sql)
    return columns, [_interval if kind == "INTERVAL" else _as_is for kind in types]


def _interval(cell: object) -> object:
    return cell if cell is None else interval_text(str(cell))


def _as_is(cell: object) -> object:
    return cell


def _rows(cursor: Any, cells: list[Callable[[object], object]], deadline: Deadline) -> Iterator[Iterable[object]]:
    """Rows in batches; the deadline holds between them too, where there is nothing to interrupt."""
    import duckdb

    untouched = all(turn is _as_is for turn in cells)
    while batch := cursor.fetchmany(_BATCH):
        if deadline.fired:
            raise duckdb.InterruptException("Interrupted")
        for row in batch:
            yield row if untouched else [turn(cell) for turn, cell in zip(cells, row, strict=True)]


def _failure(error: Exception, seconds: float, *, timed_out: bool, limits: Limits) -> Failure:
    import duckdb

    match error:
        case duckdb.InterruptException() if timed_out:
            return Failure("timeout", f"The query was stopped after {limits.timeout_seconds:g} seconds.", seconds)
        case duckdb.InterruptException():
            return Failure("cancelled", "The query was interrupted.", seconds)
        case duckdb.OutOfMemoryException() | MemoryError():
            return Failure("memory", _plain(error), seconds)
        case duckdb.FatalException() | duckdb.InternalException():
            return Failure("crash", _plain(error), seconds)
        case _:
            return Failure("error", _plain(error), seconds)


def _plain(error: Exception) -> str:
    """The words of an error without its class, the quoted line of SQL, advice on settings and stack traces."""
    kept = []
    for line in str(error).splitlines():
        if line.startswith(("LINE ", "Stack Trace", "Possible solutions")):
            break
        if line.strip():
            kept.append(line.strip())
    return re.sub(r"^[A-Z][A-Za-z ]* Error: ", "", " ".join(kept))


@lru_cache(maxsize=1)
def _can_except_settings() -> bool:
    """Whether this DuckDB can lock all settings but one; older ones lock all, and the memory limit with them."""
    import duckdb

    with duckdb.connect() as connection:
        found = connection.execute("SELECT 1 FROM duckdb_settings() WHERE name = 'allowed_configs'").fetchone()
    return found is not None


def _lock(connection: Any) -> None:
    """Shut the world out and lock the settings, in this order, which a table of settings would not keep.

    Connections to one file share their settings, so another one may have done it. Raises duckdb.Error.
    """
    with _locking:
        if connection.execute("SELECT current_setting('lock_configuration')").fetchone()[0]:
            return
        connection.execute("SET enable_external_access = false")
        if _can_except_settings():
            connection.execute("SET allowed_configs = ['memory_limit']")
        connection.execute("SET lock_configuration = true")


_locking = threading.Lock()


def _connect(path: Path, memory_mb: int) -> Any:
    """A read-only connection with every setting made and locked. Raises DatabaseUnreadable."""
    import duckdb

    config: dict[str, Any] = {
        "autoload_known_extensions": False,
        "autoinstall_known_extensions": False,
        "allow_community_extensions": False,
        "allow_persistent_secrets": False,
        "python_enable_replacements": False,
        "python_scan_all_frames": False,
        "memory_limit": f"{memory_mb}MiB",
        "threads": _THREADS,
        "temp_directory": "",
    }
    try:
        connection = duckdb.connect(str(path), read_only=True, config=config)
        _lock(connection)
        return connection
    except (duckdb.Error, RuntimeError) as error:
        message = _plain(error)
        if "lock on file" in message or "different configuration" in message:
            raise DatabaseError(
                f"{path} is open for writing.",
                hint="DuckDB lets one writer or many readers in. Close the writer, or ask a copy of the file.",
            ) from None
        raise DatabaseUnreadable(f"{path} cannot be opened: {message}", hint="Is the file damaged?") from None
