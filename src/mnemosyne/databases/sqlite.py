"""SQLite, read-only. The walls: `mode=ro`, `query_only`, an authorizer, limits, a heap limit and a deadline.

Defensive mode is on from Python 3.12 on; 3.11 cannot switch it on, and what it forbids (writing to shadow
tables, `writable_schema`) is already impossible on a read-only connection. `trusted_schema` is off.
Not covered: one call of one function runs to its end before an interrupt is heeded; the limits on length keep
such calls short, and the functions registered here look at the deadline themselves.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

from mnemosyne.databases import Limits, sqlite_clock, sqlite_wal
from mnemosyne.databases.cells import capped, require
from mnemosyne.databases.deadline import Deadline
from mnemosyne.databases.places import Place
from mnemosyne.errors import DatabaseUnreadable
from mnemosyne.guard.query import Dialect, SafeQuery
from mnemosyne.results import Failure, Result
from mnemosyne.schema import Schema

_HEAP_BYTES = 1 << 30
"""SQLite's heap limit holds for the whole process and can only be lowered, so it is one constant."""
_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 20_000_000,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 1_000_000,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 500,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 100,
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 100,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 500,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
_STEPS = 2_000
"""Steps of the virtual machine between two looks at the clock: well under a millisecond, without slow functions."""
_PAUSE_SECONDS = 0.02
_LOCK_WAIT_SECONDS = 5.0
_HARMLESS_BUILTINS = frozenset(
    name
    for line in (
        "abs avg ceil ceiling changes char coalesce count cume_dist current_date current_time current_timestamp date",
        "datetime dense_rank exp first_value floor format glob group_concat hex ifnull iif instr json json_array",
        "json_array_length json_extract json_group_array json_group_object json_object json_quote json_type json_valid",
        "julianday lag last_value lead length like likelihood likely ln log log10 log2 lower ltrim max min mod",
        "nth_value ntile nullif percent_rank pi pow power printf quote radians degrees rank replace round",
        "row_number rtrim sign sqrt strftime substr substring subtype sum time timediff total trim trunc typeof",
        "unhex unicode unixepoch unlikely upper acos asin atan atan2 cos sin tan -> ->> concat concat_ws",
        "string_agg octet_length match",
    )
    for name in line.split()
)


class SQLiteDatabase:
    """One SQLite file."""

    dialect: Dialect = "sqlite"

    def __init__(self, place: Place) -> None:
        assert place.path is not None
        self.url = place.url
        self._path = place.path
        self._lock = threading.Lock()
        sqlite_wal.remember(self._path)
        self._open()

    def _open(self) -> None:
        mark = sqlite_wal.mark(self._path)
        self._connection, self._immutable = _opened(self._path)
        self._mark = mark
        self._connection.execute(
            "SELECT value FROM json_each('[]')"
        ).fetchall()  # made once, which the authorizer forbids
        self._connection.set_authorizer(_authorizer(_functions(self._connection)))

    def schema(self) -> Schema:
        """Tables, views, columns, keys, CHECK lists and comments. Raises DatabaseUnreadable."""
        from mnemosyne.databases.sqlite_schema import introspect

        connection, _ = _opened(self._path)
        try:
            return introspect(connection)
        except sqlite3.Error as error:
            raise DatabaseUnreadable(f"The schema of {self.url} cannot be read: {error}.") from None
        finally:
            connection.close()

    def run(self, query: SafeQuery, limits: Limits = Limits()) -> Result | Failure:
        """The rows of a checked query, or how it failed."""
        sql = require(query, self.dialect).sql
        with self._lock:
            if self._immutable and (failure := self._caught_up()):
                return failure
            with Deadline(limits.timeout_seconds, self._interrupt) as deadline:
                outcome = self._run(sql, limits, deadline)
            if self._immutable and sqlite_wal.mark(self._path) != self._mark:
                return Failure("error", "The database was written to while the query ran. Ask again.", outcome.seconds)
            return outcome

    def _caught_up(self) -> Failure | None:
        """Open the file again when somebody has written to it: an immutable connection does not look."""
        if sqlite_wal.mark(self._path) == self._mark:
            return None
        before = self._connection
        try:
            self._open()
        except DatabaseUnreadable as error:
            return Failure("error", str(error))
        before.close()
        return None

    def _interrupt(self, _: int) -> None:
        with contextlib.suppress(sqlite3.Error):  # closed meanwhile
            self._connection.interrupt()

    def _run(self, sql: str, limits: Limits, watch: Deadline) -> Result | Failure:
        start = time.perf_counter()
        deadline = start + limits.timeout_seconds
        self._connection.set_progress_handler(lambda: time.perf_counter() > deadline, _STEPS)
        cursor = self._connection.cursor()
        try:
            with sqlite_clock.until(deadline):
                self._execute(cursor, sql, min(deadline, start + _LOCK_WAIT_SECONDS))
                if cursor.description is None:
                    return Failure("error", "The statement returns no rows.", time.perf_counter() - start)
                columns = tuple(str(column[0]) for column in cursor.description)
                rows, truncated = capped(cursor, limits.max_rows, limits.max_bytes)
                return Result(columns, rows, truncated, time.perf_counter() - start)
        except (sqlite3.Error, sqlite3.Warning, UnicodeEncodeError, ValueError, MemoryError) as error:
            seconds = time.perf_counter() - start
            timed_out = watch.fired or time.perf_counter() > deadline  # the watch began a moment earlier
            return _failure(error, seconds, timed_out=timed_out, limits=limits)
        finally:
            cursor.close()
            self._connection.set_progress_handler(None, 0)

    @staticmethod
    def _execute(cursor: sqlite3.Cursor, sql: str, give_up: float) -> None:
        """Start the query; while a writer holds the file, try again."""
        while True:
            try:
                cursor.execute(sql)
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.perf_counter() > give_up:
                    raise
                time.sleep(_PAUSE_SECONDS)

    def close(self) -> None:
        """Close the connection. Safe to call twice."""
        self._connection.close()
        sqlite_wal.tidy(self._path)


def _opened(path: Path) -> tuple[sqlite3.Connection, bool]:
    """A connection that has read the catalogue, and whether it takes the file for immutable. Raises DatabaseUnreadable.

    In WAL mode a reader makes files beside the database. Where it cannot and no log is there, the file alone is read.
    """
    connection = _connect(path)
    try:
        _check(connection)
        return connection, False
    except sqlite3.DatabaseError as error:
        connection.close()
        if getattr(error, "sqlite_errorcode", None) not in sqlite_wal.NO_FILES_BESIDE:
            raise _damaged(path, error) from None
    if not sqlite_wal.still(path):
        raise DatabaseUnreadable(
            f"{path} cannot be read: it is in WAL mode, its log {path.name}-wal is not empty or cannot be made, and "
            f"this user may not make or read {path.name}-shm beside it.",
            hint="Let somebody who may write to the folder open the database and close it, or copy the database with "
            "its -wal into a folder of your own.",
        )
    connection = _connect(path, "mode=ro&immutable=1")
    try:
        _check(connection)
        return connection, True
    except sqlite3.DatabaseError as error:
        connection.close()
        raise _damaged(path, error) from None


def _connect(path: Path, options: str = "mode=ro") -> sqlite3.Connection:
    """A read-only connection with every limit set. Raises DatabaseUnreadable."""
    uri = sqlite_wal.uri(path, options)
    try:
        connection = sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise DatabaseUnreadable(f"{path} cannot be opened: {error}.") from None
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    for category, limit in _LIMITS.items():
        connection.setlimit(category, limit)
    for pragma in ("query_only=ON", "trusted_schema=OFF", "cell_size_check=ON", "mmap_size=0"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute(f"PRAGMA hard_heap_limit={_HEAP_BYTES}")
    if hasattr(connection, "setconfig"):  # Python 3.12
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, True)  # type: ignore[attr-defined,unused-ignore]
    return connection


def _check(connection: sqlite3.Connection) -> None:
    """Read the catalogue once. Raises sqlite3.DatabaseError."""
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()


def _damaged(path: Path, error: sqlite3.Error) -> DatabaseUnreadable:
    return DatabaseUnreadable(
        f"{path} cannot be read as a SQLite database: {error}.",
        hint="The file is damaged, encrypted or in use. Restore it from a backup, or try again.",
    )


def _functions(connection: sqlite3.Connection) -> frozenset[str]:
    """Register the functions that the dialect needs; the names of all that a query may call.

    Functions that came with SQLite's extensions (`fts3_tokenizer` gives away addresses) stay closed.
    """
    from mnemosyne.databases.sqlite_functions import register

    before = _added(connection)
    register(connection)
    return _HARMLESS_BUILTINS | (_added(connection) - before)


def _added(connection: sqlite3.Connection) -> frozenset[str]:
    rows = connection.execute("SELECT name FROM pragma_function_list WHERE NOT builtin").fetchall()
    return frozenset(str(row[0]).lower() for row in rows)


def _authorizer(functions: frozenset[str]) -> Callable[[int, str | None, str | None, str | None, str | None], int]:
    """Allows SELECT, reading tables that are not SQLite's own, and known functions; nothing else."""

    def decide(action: int, first: str | None, second: str | None, _database: str | None, _inner: str | None) -> int:
        if action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE):
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_READ:
            internal = (first or "").lower().startswith(("sqlite_", "pragma_", "dbstat"))
            return sqlite3.SQLITE_DENY if internal else sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in functions:
            return sqlite3.SQLITE_OK
        return sqlite3.SQLITE_DENY

    return decide


def _failure(error: Exception, seconds: float, *, timed_out: bool, limits: Limits) -> Failure:
    message = str(error)
    interrupted = isinstance(error, sqlite3.OperationalError) and "interrupted" in message
    if timed_out and (interrupted or "user-defined" in message):  # a function that looked at the clock
        return Failure("timeout", f"The query was stopped after {limits.timeout_seconds:g} seconds.", seconds)
    if interrupted:
        return Failure("cancelled", "The query was interrupted.", seconds)
    if isinstance(error, MemoryError) or "out of memory" in message or "too big" in message:
        return Failure("memory", message or "out of memory", seconds)
    return Failure("error", message, seconds)
