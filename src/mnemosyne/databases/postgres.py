"""PostgreSQL through psycopg, read-only. Every query has a transaction of its own that is always rolled back.

The walls: `BEGIN READ ONLY`; time-outs for the statement, for locks and for an idle transaction; one statement by
the extended protocol, described before it runs, so that only what returns rows runs; a superuser becomes
`pg_read_all_data` for the time of the query, so that no file and no program of the server can be reached; rows are
streamed up to the caps; and a client that cancels, and in the end hangs up, when the server stops answering.
Not covered: one cell of up to 1 GB is received whole before the byte cap can see it.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import threading
import time
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any, cast

from mnemosyne.databases import Limits
from mnemosyne.databases.cells import capped, interval_text, require
from mnemosyne.databases.deadline import Deadline
from mnemosyne.databases.places import Place
from mnemosyne.errors import DatabaseError, DatabaseNotFound, DatabaseUnreachable, DatabaseUnreadable, MissingExtra
from mnemosyne.guard.query import Dialect, SafeQuery
from mnemosyne.results import Failure, Result
from mnemosyne.schema import Schema

if TYPE_CHECKING:
    import psycopg
    from psycopg.pq.abc import PGresult

_CONNECT_SECONDS = 10
_LOCK_SECONDS = 5.0
_GRACE_SECONDS = 0.5
"""How much later than the server's own time-out the client acts."""
_HANG_UP_AFTER = 40
"""Asked to stop so many times (2 seconds), a server that is still silent is hung up on."""
_BATCH = 100
"""Rows that libpq hands over at once."""
_AS_TEXT = ("date", "time", "timetz", "timestamp", "timestamptz", "json", "jsonb", "uuid", "inet", "cidr")


class PostgresDatabase:
    """One database of a PostgreSQL server."""

    dialect: Dialect = "postgres"

    def __init__(self, place: Place) -> None:
        self.url = place.url
        self._place = place
        self._lock = threading.Lock()
        self._connection = _connect(place)

    def schema(self) -> Schema:
        """Tables, views, columns, keys, CHECK lists and comments that this user may read. Raises DatabaseError."""
        import psycopg

        from mnemosyne.databases.postgres_schema import introspect

        with self._lock:
            try:
                self._revive()
                with _reading(self._connection, Limits(), demote=False):
                    return introspect(self._connection)
            except psycopg.Error as error:
                raise DatabaseUnreadable(f"The schema of {self.url} cannot be read: {_words(error)}") from None

    def run(self, query: SafeQuery, limits: Limits = Limits()) -> Result | Failure:
        """The rows of a checked query, or how it failed."""
        sql = require(query, self.dialect).sql
        with self._lock:
            start = time.perf_counter()
            try:
                self._revive()
            except DatabaseError as error:
                return Failure("crash", str(error), time.perf_counter() - start)
            return self._run(sql, limits, start)

    def _run(self, sql: str, limits: Limits, start: float) -> Result | Failure:
        import psycopg

        connection = self._connection
        with Deadline(limits.timeout_seconds + _GRACE_SECONDS, lambda n: _stop(connection, n)) as deadline:
            try:
                with _reading(connection, limits, demote=True):
                    columns = _describe(connection, sql)
                    cursor = connection.cursor()
                    stream = cast("Generator[tuple[object, ...]]", cursor.stream(sql.encode(), size=_BATCH))
                    with contextlib.closing(stream):
                        rows, truncated = capped(stream, limits.max_rows, limits.max_bytes)
                return Result(columns, rows, truncated, time.perf_counter() - start)
            except (psycopg.Error, UnicodeError, ValueError, MemoryError) as error:
                return _failure(error, time.perf_counter() - start, timed_out=deadline.fired, limits=limits)

    def _revive(self) -> None:
        """A new connection when the old one is lost. Raises DatabaseUnreachable."""
        if self._connection.closed or not _answers(self._connection):
            self._connection.close()
            self._connection = _connect(self._place)

    def close(self) -> None:
        """Close the connection. Safe to call twice."""
        self._connection.close()


def _answers(connection: psycopg.Connection[Any]) -> bool:
    """False when the server has hung up since the last query; asks nothing of it."""
    import select

    readable, _, _ = select.select([connection.fileno()], [], [], 0)
    if not readable:
        return True
    import psycopg

    try:
        connection.execute("SELECT 1")
    except psycopg.Error:
        return False
    return True


@contextlib.contextmanager
def _reading(connection: psycopg.Connection[Any], limits: Limits, *, demote: bool) -> Iterator[None]:
    """A read-only transaction with every time-out, rolled back whatever happens."""
    import psycopg

    milliseconds = max(1, round(limits.timeout_seconds * 1000))
    lock = max(1, min(milliseconds, round(_LOCK_SECONDS * 1000)))
    settings = [
        "BEGIN READ ONLY",
        f"SET LOCAL statement_timeout = {milliseconds}",
        f"SET LOCAL lock_timeout = {lock}",
        f"SET LOCAL idle_in_transaction_session_timeout = {milliseconds + 10_000}",
        "SET LOCAL standard_conforming_strings = on",
        "SET LOCAL DateStyle = 'ISO, YMD'",
        "SET LOCAL IntervalStyle = 'postgres'",
    ]
    if demote and connection.info.parameter_status("is_superuser") == "on" and connection.info.server_version >= 140000:
        # row_security off: a policy that would now hide rows is an error, not a wrong answer
        settings += ["SET LOCAL row_security = off", "SET LOCAL ROLE pg_read_all_data"]
    try:
        connection.execute("; ".join(settings))
        yield
    finally:
        with contextlib.suppress(psycopg.Error):
            connection.execute("ROLLBACK")
        if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            connection.close()


def _describe(connection: psycopg.Connection[Any], sql: str) -> tuple[str, ...]:
    """The columns of the one statement in `sql`, without running it. Raises psycopg.Error.

    The server refuses to prepare two statements, and what returns no columns (COPY, SET, DO, UPDATE) ends here.
    """
    import psycopg

    pgconn = connection.pgconn
    _check(pgconn.prepare(b"", sql.encode()))
    described = _check(pgconn.describe_prepared(b""))
    if described.nfields == 0:
        raise psycopg.ProgrammingError("The statement returns no rows.")
    return tuple((described.fname(n) or b"").decode("utf-8", "replace") for n in range(described.nfields))


def _check(result: PGresult) -> PGresult:
    """The result if it is no error. Raises psycopg.Error."""
    from psycopg import errors, pq

    if result.status not in (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK):
        raise errors.error_from_result(result, encoding="utf-8")
    return result


def _stop(connection: psycopg.Connection[Any], count: int) -> None:
    """Ask the server to stop; when it stays silent, hang up, which wakes the waiting client."""
    import psycopg

    if count == 0:
        with contextlib.suppress(psycopg.Error, OSError):
            connection.cancel_safe(timeout=1.0)
    elif count == _HANG_UP_AFTER:
        with contextlib.suppress(psycopg.Error, OSError):
            duplicate = socket.socket(fileno=os.dup(connection.fileno()))
            with duplicate:
                duplicate.shutdown(socket.SHUT_RDWR)


def _failure(error: Exception, seconds: float, *, timed_out: bool, limits: Limits) -> Failure:
    import psycopg

    state = getattr(error, "sqlstate", None) or ""
    if state == "57014" or timed_out:
        stopped_by_time = timed_out or "timeout" in str(error)
        if stopped_by_time:
            return Failure("timeout", f"The query was stopped after {limits.timeout_seconds:g} seconds.", seconds)
        return Failure("cancelled", "The query was cancelled.", seconds)
    if state == "55P03":
        return Failure("timeout", "The query waited too long for a table that someone is changing.", seconds)
    if state in ("53200", "53400") or isinstance(error, MemoryError):
        return Failure("memory", _words(error), seconds)
    if state.startswith(("57P", "08")) or (isinstance(error, psycopg.OperationalError) and not state):
        return Failure("crash", _words(error), seconds)
    return Failure("error", _words(error), seconds)


def _words(error: Exception) -> str:
    """The server's words: message, detail and hint, without the quoted line of SQL."""
    diagnosis = getattr(error, "diag", None)
    if diagnosis is None or not diagnosis.message_primary:
        return " ".join(str(error).split())
    text = str(diagnosis.message_primary)
    if diagnosis.message_detail:
        text += f" DETAIL: {diagnosis.message_detail}"
    if diagnosis.message_hint:
        text += f" HINT: {diagnosis.message_hint}"
    return " ".join(text.split())


def _connect(place: Place) -> psycopg.Connection[Any]:
    """A connection in autocommit, with dates, intervals and JSON as text. Raises DatabaseError and its kin."""
    try:
        import psycopg
    except ImportError:
        raise MissingExtra("postgres", "A PostgreSQL database") from None
    options: dict[str, Any] = {"client_encoding": "utf8", "application_name": "mnemosyne"}
    if "connect_timeout" not in place.conninfo:
        options["connect_timeout"] = _CONNECT_SECONDS
    try:
        connection = psycopg.connect(place.conninfo, autocommit=True, prepare_threshold=None, **options)
    except (psycopg.Error, UnicodeError) as error:
        raise _explained(place, " ".join(str(error).split())) from None
    _register(connection)
    return connection


def _register(connection: psycopg.Connection[Any]) -> None:
    from psycopg.adapt import Buffer, Loader
    from psycopg.types.numeric import FloatLoader

    class Text(Loader):
        """The server's own text: it knows infinity and years before Christ, Python's dates do not."""

        def load(self, data: Buffer) -> str:
            return bytes(data).decode("utf-8", "replace")

    class Interval(Loader):
        """An interval with its months, which Python's timedelta would lose."""

        def load(self, data: Buffer) -> str:
            return interval_text(bytes(data).decode())

    for name in _AS_TEXT:
        connection.adapters.register_loader(name, Text)
    connection.adapters.register_loader("interval", Interval)
    connection.adapters.register_loader("numeric", FloatLoader)


_CAUSES: tuple[tuple[str, type[DatabaseError], str, str], ...] = (
    (
        r"password authentication failed|no password supplied|role .* does not exist|Peer authentication|pg_hba",
        DatabaseUnreachable,
        "does not accept this name or password",
        "Check both; a password may also stand in ~/.pgpass or PGPASSWORD.",
    ),
    (
        r"database .* does not exist",
        DatabaseNotFound,
        "has no such database",
        "`psql -l` lists the databases of a server.",
    ),
    (
        r"permission denied for database|too many c|not currently accepting|starting up|shutting down",
        DatabaseUnreachable,
        "does not let this connection in",
        "Its administrator can change that, or wait and try again.",
    ),
    (
        r"refused|could not translate|No such file|timeout|timed out|unreachable|resolve|No route|closed the conn",
        DatabaseUnreachable,
        "does not answer",
        "Is the server running, and are host and port right?",
    ),
)


def _explained(place: Place, message: str) -> DatabaseError:
    """What a failed connection means for the person."""
    message = place.scrub(message)
    for pattern, kind, meaning, hint in _CAUSES:
        if re.search(pattern, message):
            return kind(f"The server of {place.url} {meaning}: {message}", hint=hint)
    return DatabaseUnreachable(f"{place.url} cannot be opened: {message}", hint="Is the URL right?")
