"""What `create` leaves alone: --force replaces a demo laboratory and nothing else. What an engine cannot do is said."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import date
from pathlib import Path

import duckdb
import psycopg
import pytest

from mnemosyne import lims
from mnemosyne.errors import DatabaseError, DatabaseUnreachable
from mnemosyne.lims import writers
from mnemosyne.lims.contract import TABLES

TODAY = date(2026, 6, 15)
CHANGES = [
    ("CREATE TABLE payroll (name TEXT, salary INT)", "it has a table payroll"),
    ("CREATE VIEW open_samples AS SELECT * FROM samples", "it has a view open_samples"),
    ("DROP TABLE worksheet_samples", "it has no table worksheet_samples"),
    ("ALTER TABLE clients ADD COLUMN vat_number TEXT", "clients has other columns"),
    ("ALTER TABLE clients RENAME COLUMN city TO town", "clients has other columns"),
    ("DROP TABLE worksheet_samples; CREATE VIEW worksheet_samples AS SELECT 1 AS a", "worksheet_samples is a view"),
]


def make(url: str, force: bool = False) -> None:
    lims.create(url, seed=7, today=TODAY, scale=0.01, force=force)


def change(engine: str, file: Path, sql: str) -> None:
    connect = sqlite3.connect if engine == "sqlite" else duckdb.connect
    with closing(connect(str(file))) as connection:
        for statement in sql.split(";"):
            connection.execute(statement)
        connection.commit()  # DuckDB has committed already, and says nothing


@pytest.mark.parametrize("engine", ["sqlite", "duckdb"])
def test_a_laboratory_is_replaced_only_when_that_is_asked_for(engine: str, tmp_path: Path) -> None:
    file = tmp_path / "lab 1[a]?%.db"
    url = f"{engine}:///{tmp_path}/lab 1[a]?%25.db"
    make(url)
    before = file.read_bytes()
    with pytest.raises(DatabaseError, match="exists already"):
        make(url)
    assert file.read_bytes() == before
    lims.create(url, seed=8, today=TODAY, scale=0.01, force=True)
    assert file.read_bytes() != before
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


@pytest.mark.parametrize("engine", ["sqlite", "duckdb"])
@pytest.mark.parametrize(("sql", "found"), CHANGES, ids=[found for _, found in CHANGES])
def test_force_replaces_no_file_that_is_more_or_less_than_the_laboratory(
    engine: str, sql: str, found: str, tmp_path: Path
) -> None:
    file = tmp_path / "lab.db"
    make(f"{engine}:///{file}")
    if engine == "duckdb" and sql.startswith("ALTER"):  # DuckDB alters no table that others refer to
        sql = "DROP INDEX worksheet_samples_sample; " + sql.replace("clients", "worksheet_samples")
        sql = sql.replace("COLUMN city", "COLUMN position")
        found = found.replace("clients", "worksheet_samples")
    change(engine, file, sql)
    before = file.read_bytes()
    with pytest.raises(DatabaseError, match=f"is not the demo laboratory, so nothing was touched: {found}"):
        make(f"{engine}:///{file}", force=True)
    assert file.read_bytes() == before


def test_force_replaces_no_file_of_another_kind(tmp_path: Path) -> None:
    letter, empty, other, folder = (tmp_path / name for name in ("letter.txt", "empty.db", "lab.duckdb", "folder"))
    letter.write_text("Dear laboratory,\n" * 100)
    empty.touch()
    make(f"duckdb:///{other}")
    folder.mkdir()
    before = [path.read_bytes() for path in (letter, empty, other)]
    for path in (letter, empty, other, folder):
        with pytest.raises(DatabaseError, match="is not the demo laboratory, so nothing was touched"):
            make(f"sqlite:///{path}", force=True)
    assert [path.read_bytes() for path in (letter, empty, other)] == before
    assert len(list(tmp_path.iterdir())) == 4


def test_force_sees_what_stands_in_the_write_ahead_log_only(tmp_path: Path) -> None:
    file = tmp_path / "lab.db"
    make(f"sqlite:///{file}")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE payroll (name TEXT)")
        connection.commit()
        assert b"payroll" not in file.read_bytes()
        with pytest.raises(DatabaseError, match="it has a table payroll"):
            make(f"sqlite:///{file}", force=True)


def test_a_file_that_appears_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "lab.db"

    def somebody(table: str, rows: int) -> None:
        file.write_text("precious")

    for force in (False, True):
        file.unlink(missing_ok=True)
        with pytest.raises(DatabaseError, match=r"exists already|nothing was touched"):
            lims.create(f"sqlite:///{file}", scale=0.01, force=force, progress=somebody)
        assert file.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [file]


def test_force_replaces_the_laboratory_of_a_server_and_leaves_other_tables(
    postgres_server: Callable[[str], str],
) -> None:
    url = postgres_server("replaced")
    with psycopg.connect(url, autocommit=True) as server:
        server.execute("CREATE TABLE payroll AS SELECT 1 AS salary")
        make(url)
        with pytest.raises(DatabaseError, match="already has a table clients, a table analysts"):
            make(url)
        server.execute("UPDATE clients SET city = 'Elsewhere'")
        make(url, force=True)
        assert server.execute("SELECT COUNT(*) FROM clients WHERE city = 'Elsewhere'").fetchone() == (0,)
        assert server.execute("SELECT salary FROM payroll").fetchall() == [(1,)]


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("CREATE TABLE samples (barcode TEXT)", "it has no table clients"),
        (
            "; ".join(f"CREATE TABLE {table} (id INT)" for table in TABLES),
            "clients has other columns, analysts has other columns, methods has other columns, and 5 more",
        ),
        ("CREATE TABLE everything (a INT); CREATE VIEW samples AS SELECT a FROM everything", "samples is a view"),
    ],
    ids=["one table", "eight other tables", "a view"],
)
def test_force_drops_no_table_of_a_real_laboratory(
    sql: str, found: str, postgres_server: Callable[[str], str], request: pytest.FixtureRequest
) -> None:
    url = postgres_server(request.node.name)
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(sql)
        names = "SELECT relname, oid FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY oid"
        before = server.execute(names).fetchall()
        with pytest.raises(DatabaseError, match="nothing was touched") as caught:
            make(url, force=True)
        assert found in str(caught.value)
        assert server.execute(names).fetchall() == before


def test_force_drops_nothing_that_others_depend_on(postgres_server: Callable[[str], str]) -> None:
    url = postgres_server("depended_on")
    make(url)
    with psycopg.connect(url, autocommit=True) as server:
        server.execute("CREATE VIEW mine AS SELECT client_id FROM clients")
        with pytest.raises(DatabaseError, match=r"nothing was changed: cannot drop table .* \(view mine depends"):
            make(url, force=True)
        assert server.execute("SELECT COUNT(*) > 0 FROM mine").fetchone() == (True,)


@pytest.mark.parametrize("engine", ["sqlite", "duckdb"])
def test_a_place_where_nothing_can_be_written(engine: str) -> None:
    with pytest.raises(DatabaseError, match=r"^/proc/x\.db cannot be written: ") as caught:
        make(f"{engine}:////proc/x.db")
    assert ".part" not in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("url", ["sqlite:///:memory:", "sqlite:///a%00b.db", "duckdb:///"])
def test_a_url_of_no_file(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatabaseError, match="is not the URL of a database that can be made"):
        make(url)
    assert not list(tmp_path.iterdir())


def test_a_user_who_may_create_nothing(postgres_server: Callable[[str], str]) -> None:
    url = postgres_server("guarded")
    with psycopg.connect(url, autocommit=True) as server:
        server.execute("CREATE USER reader; REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    with pytest.raises(DatabaseError, match="nothing was changed: permission denied for schema public") as caught:
        make(url.replace("postgres@", "reader:pass-word@"))
    assert "pass-word" not in str(caught.value)
    assert "right to create tables" in caught.value.hint


def test_a_server_that_accepts_and_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket
    import time

    monkeypatch.setattr(writers, "CONNECT_SECONDS", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        with pytest.raises(DatabaseUnreachable, match="timeout"):
            make(f"postgresql://u:pw@127.0.0.1:{silent.getsockname()[1]}/lab")
        assert time.monotonic() - started < 30


def test_a_url_that_libpq_cannot_read() -> None:
    with pytest.raises(DatabaseError) as caught:
        make("postgresql://u:pass-word@127.0.0.1:port/lab")
    assert "pass-word" not in str(caught.value)
