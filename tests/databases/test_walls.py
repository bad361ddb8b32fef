"""The walls behind the guard: each query here is one that the guard would refuse, made by hand to get past it.

A database must not believe that a `SafeQuery` is safe.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import psycopg
import pytest

from mnemosyne.databases import Database, Limits, open_database
from mnemosyne.databases.deadline import Deadline
from mnemosyne.errors import SettingsError
from mnemosyne.guard.query import Dialect, SafeQuery
from mnemosyne.results import Failure, Result

WRITES = [
    "INSERT INTO clients (client_id, client_name) VALUES (999, 'x')",
    "UPDATE clients SET client_name = 'x'",
    "DELETE FROM worksheet_samples",
    "DROP TABLE worksheet_samples",
    "CREATE TABLE stolen AS SELECT * FROM clients",
    "CREATE TEMP TABLE stolen (a INT)",
    "ALTER TABLE clients ADD COLUMN x INT",
    "SELECT 1; DELETE FROM worksheet_samples",
    "DELETE FROM worksheet_samples RETURNING *",
    "BEGIN",
    "COMMIT",
    "",
    ";",
]
SQLITE_TRICKS = [
    "ATTACH DATABASE '{folder}/stolen.db' AS other",
    "VACUUM INTO '{folder}/stolen.db'",
    "PRAGMA query_only = OFF",
    "PRAGMA writable_schema = ON",
    "PRAGMA table_info(clients)",
    "SELECT load_extension('x')",
    "SELECT writefile('{folder}/stolen', 'x')",
    "SELECT readfile('/etc/passwd')",
    "SELECT * FROM sqlite_master",
    "SELECT * FROM sqlite_schema",
    "SELECT * FROM pragma_table_info('clients')",
    "SELECT * FROM pragma_database_list",
    "SELECT randomblob(10)",
    "SELECT zeroblob(1000000000)",
    "SELECT fts3_tokenizer('simple')",
    "SAVEPOINT a",
    "REINDEX",
    "ANALYZE",
]
DUCKDB_TRICKS = [
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM read_parquet('https://example.org/x.parquet')",
    "COPY clients TO '{folder}/stolen.csv'",
    "EXPORT DATABASE '{folder}/stolen'",
    "ATTACH '{folder}/stolen.db'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "SET memory_limit = '100GB'",
    "PRAGMA database_list",
    "CALL pragma_version()",
    "EXPLAIN SELECT * FROM clients",
    "CREATE SECRET s (TYPE s3)",
]
POSTGRES_TRICKS = [
    "COPY clients TO '{folder}/stolen.csv'",
    "COPY clients TO PROGRAM 'cat'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_ls_dir('/')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT set_config('transaction_read_only', 'off', false)",
    "SET TRANSACTION READ WRITE",
    "SET statement_timeout = 0",
    "RESET ROLE",
    "DO $$ BEGIN DELETE FROM worksheet_samples; END $$",
    "CALL stolen()",
    "LOCK TABLE clients",
    "SELECT * FROM clients FOR UPDATE",
    "WITH gone AS (DELETE FROM worksheet_samples RETURNING *) SELECT * FROM gone",
    "SELECT nextval('clients_client_id_seq')",
    "SELECT setval('clients_client_id_seq', 1)",
    "SELECT pg_terminate_backend(pg_backend_pid())",
    "SELECT pg_sleep(60)",
    "NOTIFY x",
    "PREPARE p AS SELECT 1",
    "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
    "COMMIT AND CHAIN",
    "ALTER SYSTEM SET work_mem = '1GB'",
]


def forged(sql: str, dialect: Dialect) -> SafeQuery:
    """What an attacker who got past the guard would hold."""
    return SafeQuery(sql, dialect, sql)


def run(database: Database, sql: str, **limits: float) -> Result | Failure:
    return database.run(forged(sql, database.dialect), Limits(**{"timeout_seconds": 5.0, **limits}))  # type: ignore[arg-type]


@pytest.fixture
def sqlite_copy(lab_sqlite: str, tmp_path: Path) -> Path:
    return Path(shutil.copy(lab_sqlite.removeprefix("sqlite:///"), tmp_path / "lab.db"))


@pytest.fixture
def duckdb_copy(lab_duckdb: str, tmp_path: Path) -> Path:
    return Path(shutil.copy(lab_duckdb.removeprefix("duckdb:///"), tmp_path / "lab.duckdb"))


@pytest.fixture(params=["sqlite", "duckdb", "postgres"])
def database(request: pytest.FixtureRequest, lab_sqlite: str, lab_duckdb: str, lab_postgres: str) -> Iterator[Database]:
    urls = {"sqlite": lab_sqlite, "duckdb": lab_duckdb, "postgres": lab_postgres}
    opened = open_database(urls[request.param])
    yield opened
    opened.close()


@pytest.mark.parametrize("sql", [*WRITES, *SQLITE_TRICKS])
def test_a_sqlite_file_is_not_one_byte_different_after_an_attack(sql: str, sqlite_copy: Path) -> None:
    before = sqlite_copy.read_bytes()
    opened = open_database(f"sqlite:///{sqlite_copy}")
    outcome = run(opened, sql.format(folder=sqlite_copy.parent))
    opened.close()
    assert isinstance(outcome, Failure), outcome
    assert sqlite_copy.read_bytes() == before
    assert [path.name for path in sqlite_copy.parent.iterdir()] == ["lab.db"]


@pytest.mark.parametrize("sql", [*WRITES, *DUCKDB_TRICKS])
def test_a_duckdb_file_is_not_one_byte_different_after_an_attack(sql: str, duckdb_copy: Path) -> None:
    before = duckdb_copy.read_bytes()
    opened = open_database(f"duckdb:///{duckdb_copy}")
    outcome = run(opened, sql.format(folder=duckdb_copy.parent))
    opened.close()
    assert isinstance(outcome, Failure), outcome
    assert duckdb_copy.read_bytes() == before
    assert [path.name for path in duckdb_copy.parent.iterdir()] == ["lab.duckdb"]


@pytest.fixture(scope="module")
def victim(postgres_server: Callable[[str], str]) -> str:
    """A laboratory that the attacks may try to harm, opened by the superuser: the worst case."""
    from datetime import date

    from mnemosyne import lims

    url = postgres_server("victim")
    lims.create(url, seed=7, scale=0.01, today=date(2026, 6, 15))
    return url


def fingerprint(url: str) -> list[object]:
    """All rows, tables and sequences of the laboratory."""
    with psycopg.connect(url) as server:
        tables = [row[0] for row in server.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        rows = [server.execute(f"SELECT md5(array_agg(t ORDER BY t)::text) FROM {t} t").fetchone() for t in tables]
        states = server.execute("SELECT schemaname, sequencename, last_value FROM pg_sequences ORDER BY 2").fetchall()
        return [tables, rows, states]


@pytest.mark.parametrize("sql", [*WRITES, *POSTGRES_TRICKS])
def test_a_postgresql_database_is_the_same_after_an_attack(sql: str, victim: str, tmp_path: Path) -> None:
    before = fingerprint(victim)
    opened = open_database(victim)
    outcome = run(opened, sql.format(folder=tmp_path), timeout_seconds=1.0)
    still = run(opened, "SELECT COUNT(*) FROM clients")
    opened.close()
    assert isinstance(still, Result)
    assert isinstance(outcome, Failure), outcome
    assert fingerprint(victim) == before
    assert not list(tmp_path.iterdir())


def test_only_what_the_guard_made_runs(database: Database) -> None:
    with pytest.raises(TypeError, match=r"only what guard\.check returns"):
        database.run("SELECT 1")  # type: ignore[arg-type]
    other: Dialect = "duckdb" if database.dialect != "duckdb" else "sqlite"
    with pytest.raises(ValueError, match="printed for"):
        database.run(forged("SELECT 1", other))


def test_a_slow_query_is_interrupted_in_time(database: Database) -> None:
    slow = "SELECT COUNT(*) FROM results a, results b, results c WHERE a.numeric_value < b.numeric_value + c.result_id"
    outcome = run(database, slow, timeout_seconds=0.3)
    assert isinstance(outcome, Failure)
    assert outcome.kind == "timeout"
    assert "0.3 seconds" in outcome.message
    assert outcome.seconds < 2.0
    assert isinstance(run(database, "SELECT 1"), Result), "the connection lives on"


def test_a_slow_stream_of_rows_is_interrupted_too(database: Database) -> None:
    stream = "SELECT a.result_id, b.result_id FROM results a, results b"
    outcome = run(database, stream, timeout_seconds=0.3, max_rows=10**9, max_bytes=10**12)
    assert isinstance(outcome, Failure)
    assert outcome.kind == "timeout"


def test_a_watch_that_began_a_moment_earlier_means_a_timeout_too(
    lab_sqlite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = Deadline.__enter__

    def early(watch: Deadline) -> Deadline:
        begin(watch)
        time.sleep(0.2)
        return watch

    monkeypatch.setattr(Deadline, "__enter__", early)
    opened = open_database(lab_sqlite)
    outcome = run(opened, "SELECT COUNT(*) FROM results a, results b, results c", timeout_seconds=0.3)
    opened.close()
    assert isinstance(outcome, Failure)
    assert outcome.kind == "timeout", outcome.message


def test_the_row_cap_cuts_and_says_so(database: Database) -> None:
    cut = run(database, "SELECT sample_id FROM samples ORDER BY sample_id", max_rows=10)
    assert isinstance(cut, Result)
    assert len(cut.rows) == 10
    assert cut.truncated
    whole = run(database, "SELECT client_id FROM clients", max_rows=40)
    assert isinstance(whole, Result)
    assert len(whole.rows) == 40
    assert not whole.truncated, "a result of exactly the cap is whole"


def test_the_byte_cap_cuts_and_says_so(database: Database) -> None:
    cut = run(database, "SELECT sample_id, sampling_point FROM samples", max_bytes=1_000)
    assert isinstance(cut, Result)
    assert cut.truncated
    assert 5 < len(cut.rows) < 100
    assert sum(len(str(cell)) for row in cut.rows for cell in row) <= 1_000


def test_memory_is_limited_in_duckdb(lab_duckdb: str) -> None:
    opened = open_database(lab_duckdb)
    greedy = "SELECT list(a.sample_id || b.sample_id || c.result_id) FROM samples a, samples b, results c"
    outcome = run(opened, greedy, timeout_seconds=20.0)
    opened.close()
    assert isinstance(outcome, Failure)
    assert outcome.kind in ("memory", "timeout")


def memory(database: Database, limits: Limits) -> object:
    """What DuckDB itself says of its memory limit while it answers."""
    outcome = database.run(forged("SELECT current_setting('memory_limit')", "duckdb"), limits)
    assert isinstance(outcome, Result), outcome
    return outcome.rows[0][0]


def test_the_memory_setting_holds_in_duckdb(duckdb_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MNEMOSYNE_MEMORY_MB", "64")
    opened = open_database(f"duckdb:///{duckdb_copy}")
    assert memory(opened, Limits()) == "64.0 MiB"
    assert isinstance(run(opened, "SET memory_limit = '100GB'"), Failure)
    assert memory(opened, Limits()) == "64.0 MiB"
    opened.close()


def test_the_memory_limit_of_one_query_holds_for_this_query(duckdb_copy: Path) -> None:
    opened, other = open_database(f"duckdb:///{duckdb_copy}"), open_database(f"duckdb:///{duckdb_copy}")
    for limit in (64, 2_048):
        assert memory(opened, Limits(memory_mb=limit)) == {64: "64.0 MiB", 2_048: "2.0 GiB"}[limit]
        assert memory(opened, Limits()) == memory(other, Limits()) == "1.0 GiB"
    greedy = "SELECT list(a.sample_id || b.sample_id) FROM samples a, samples b"
    outcome = run(opened, greedy, timeout_seconds=20.0, memory_mb=16)
    assert isinstance(outcome, Failure)
    assert outcome.kind == "memory"
    assert memory(opened, Limits()) == "1.0 GiB"
    opened.close()
    other.close()


def test_no_memory_setting_means_no_limit_at_all(duckdb_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for written in ("-1", "0"):
        monkeypatch.setenv("MNEMOSYNE_MEMORY_MB", written)
        with pytest.raises(SettingsError, match="has no meaning"):
            open_database(f"duckdb:///{duckdb_copy}")
    monkeypatch.delenv("MNEMOSYNE_MEMORY_MB")
    opened = open_database(f"duckdb:///{duckdb_copy}")
    assert memory(opened, Limits(memory_mb=-5)) == "1.0 GiB"  # limits that do not say: the setting's
    opened.close()


COSTLY = "mn_regexp(mn_repeat('a', 28) || 'b' || sample_id, '(a|aa)+$')"
"""A pattern that tries very many ways to fit: tenths of a second for one text."""


@pytest.mark.parametrize("query", [f"SELECT COUNT(*) FROM samples WHERE {COSTLY}", f"SELECT {COSTLY} FROM samples"])
def test_slow_functions_are_stopped_in_time_in_sqlite(query: str, lab_sqlite: str) -> None:
    opened = open_database(lab_sqlite)
    start = time.perf_counter()
    outcome = run(opened, query, timeout_seconds=1.0)
    seconds = time.perf_counter() - start
    still = run(opened, "SELECT mn_left('abc', 2)")
    opened.close()
    assert isinstance(outcome, Failure)
    assert outcome.kind == "timeout"
    assert seconds < 30.0
    assert isinstance(still, Result), "the time of one query is not that of the next"


def test_one_slow_call_is_a_time_out_too(lab_sqlite: str) -> None:
    opened = open_database(lab_sqlite)
    outcome = run(opened, "SELECT mn_regexp(mn_repeat('a', 60) || 'b', '(a|aa)+$')", timeout_seconds=0.2)
    opened.close()
    assert isinstance(outcome, Failure)
    assert outcome.kind == "timeout"


def test_one_huge_text_is_refused_by_sqlite(lab_sqlite: str) -> None:
    opened = open_database(lab_sqlite)
    outcome = run(opened, "SELECT replace(printf('%10000000d', 1), ' ', 'xxxxxxxxxx')")
    opened.close()
    assert isinstance(outcome, Failure)
    assert outcome.kind == "memory"


def test_values_come_out_the_same_from_every_engine(database: Database) -> None:
    outcome = run(
        database,
        "SELECT client_id, client_name, registered_date, active, NULL, 1.5 FROM clients ORDER BY client_id LIMIT 1",
    )
    assert isinstance(outcome, Result)
    [(number, name, day, active, nothing, half)] = outcome.rows
    assert number == 1
    assert isinstance(name, str)
    assert isinstance(day, str)
    assert len(day) == 10
    assert active in (0, 1)
    assert nothing is None
    assert half == 1.5


def test_a_writer_is_never_kept_out_for_long(sqlite_copy: Path) -> None:
    opened = open_database(f"sqlite:///{sqlite_copy}")
    assert isinstance(run(opened, "SELECT COUNT(*) FROM clients"), Result)
    writer = sqlite3.connect(sqlite_copy, timeout=1)
    writer.execute("DELETE FROM worksheet_samples WHERE position = 1")
    writer.commit()
    writer.close()
    opened.close()


def test_an_error_is_said_in_the_words_of_the_database(database: Database) -> None:
    outcome = run(database, "SELECT nothing_like_this FROM clients")
    assert isinstance(outcome, Failure)
    assert outcome.kind == "error"
    assert "nothing_like_this" in outcome.message
    assert "\n" not in outcome.message


def test_closing_twice_is_safe(database: Database) -> None:
    database.close()
    database.close()


def test_two_readers_of_one_duckdb_file(lab_duckdb: str) -> None:
    first, second = open_database(lab_duckdb), open_database(lab_duckdb)
    assert isinstance(run(first, "SELECT 1"), Result)
    assert isinstance(run(second, "SELECT 1"), Result)
    first.close()
    second.close()


def test_a_database_that_was_made_in_duckdb_can_still_be_written_by_its_owner(duckdb_copy: Path) -> None:
    opened = open_database(f"duckdb:///{duckdb_copy}")
    run(opened, "SELECT COUNT(*) FROM clients")
    opened.close()
    with duckdb.connect(str(duckdb_copy)) as owner:
        owner.execute("DELETE FROM worksheet_samples")
