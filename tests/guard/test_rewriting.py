"""What is written and what runs, in pairs; and that what runs means itself when it is read again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
from guard_cases import blocks

from mnemosyne import guard
from mnemosyne.databases import Database, open_database
from mnemosyne.guard import Refusal, SafeQuery
from mnemosyne.guard.query import Dialect
from mnemosyne.results import Result
from mnemosyne.schema import Schema

DIALECTS: tuple[Dialect, ...] = ("postgres", "duckdb", "sqlite")
TODAY = date(2026, 6, 15)
PAIRS = [
    (block[0].removeprefix("-- "), block[1], dict(line.removeprefix("-- ").split(": ", 1) for line in block[2:]))
    for block in blocks("rewriting.sql")
]


@pytest.mark.parametrize(("name", "written", "expected"), PAIRS, ids=[name for name, _, _ in PAIRS])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_is_written_becomes_what_runs(
    name: str, written: str, expected: dict[str, str], dialect: Dialect, lab: Schema
) -> None:
    verdict = guard.check(written, lab, target=dialect, today=TODAY)
    assert isinstance(verdict, SafeQuery), verdict
    assert verdict.sql == expected[dialect]
    assert verdict.source == written


@pytest.mark.parametrize(("name", "written", "expected"), PAIRS, ids=[name for name, _, _ in PAIRS])
def test_what_runs_on_postgresql_is_a_fixed_point(
    name: str, written: str, expected: dict[str, str], lab: Schema
) -> None:
    again = guard.check(expected["postgres"], lab, target="postgres", written="postgres", today=TODAY)
    assert isinstance(again, SafeQuery), again
    assert again.sql == expected["postgres"]


def test_a_query_tells_what_it_reads(lab: Schema) -> None:
    verdict = guard.check("SELECT c.client_name FROM clients c WHERE EXISTS (SELECT 1 FROM samples s "
                          "WHERE s.client_id = c.client_id)", lab)  # fmt: skip
    assert isinstance(verdict, SafeQuery)
    assert verdict.tables == ("clients", "samples")
    assert set(verdict.columns) == {("clients", "client_name"), ("clients", "client_id"), ("samples", "client_id")}


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT * FROM sample", "samples"),
        ("SELECT sample_idd FROM samples", "samples.sample_id"),
        ("SELECT s.recieved_date FROM samples s", "samples.received_date"),
        ("SELECT client_name FROM samples", "clients.client_name"),
        ("SELECT determinand FROM determinands", "determinands.determinand_name"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest_ones(sql: str, words: str, lab: Schema) -> None:
    verdict = guard.check(sql, lab)
    assert isinstance(verdict, Refusal)
    assert verdict.code in {"unknown-table", "unknown-column"}
    assert words in verdict.hint


@pytest.mark.parametrize(
    ("sql", "target", "words"),
    [
        ("SELECT 1 FROM clients c CROSS JOIN LATERAL (SELECT s.sample_id FROM samples s "
         "WHERE s.client_id = c.client_id LIMIT 2) AS x", "sqlite", "LATERAL"),
        ("SELECT status, matrix, COUNT(*) FROM samples GROUP BY ROLLUP (status)", "sqlite", "ROLLUP"),
        ("SELECT DISTINCT matrix FROM samples ORDER BY matrix FETCH FIRST 3 ROWS WITH TIES", "duckdb", "WITH TIES"),
        ("SELECT WIDTH_BUCKET(client_id, 10, 1, 3) FROM samples", "duckdb", "WIDTH_BUCKET"),
        ("SELECT EXTRACT(DAY FROM reported_date - received_date) FROM samples", "sqlite", "already in days"),
        ("SELECT sample_id FROM samples WHERE reported_date - received_date > INTERVAL '3 days'", "sqlite",
         "interval"),
        ("SELECT sample_id FROM samples WHERE received_date > 'soon'", "sqlite", "YYYY-MM-DD"),
        ("SELECT DATE_TRUNC('month', received_date) + 1 FROM samples", "sqlite", "timestamp and number"),
        ("SELECT received_date + CAST(matrix AS TIME) FROM samples", "sqlite", "time of day"),
        ("SELECT matrix COLLATE \"RTRIM\" FROM samples", "duckdb", "RTRIM"),
        ("SELECT '2026-06-02' - '2026-06-01'", "sqlite", "is text"),
        ("SELECT sample_id - 1 FROM samples", "sqlite", "sample_id is text"),
        ("SELECT ROUND(numeric_value::numeric, analyst_id) FROM results", "sqlite", "written number of digits"),
        ("SELECT regexp_matches(matrix, 'a') FROM samples", "duckdb", "regexp_matches"),
        ("SELECT TO_TIMESTAMP(matrix, 'YYYY-MM-DD') FROM samples", "sqlite", "TO_TIMESTAMP of a text"),
        ("SELECT DATE_BIN('15 minutes', received_date, DATE '2026-01-01') FROM samples", "sqlite", "DATE_BIN"),
    ],
)  # fmt: skip
def test_what_has_no_equal_is_refused_by_name(sql: str, target: Dialect, words: str, lab: Schema) -> None:
    verdict = guard.check(sql, lab, target=target)
    assert isinstance(verdict, Refusal)
    assert verdict.code == "not-translatable"
    assert words in verdict.reason


def test_a_query_that_was_refused_because_of_its_texts_can_be_said_with_casts(texts: Database) -> None:
    sql = "SELECT CAST(reported AS DATE) - CAST(received AS DATE), CAST(due_by AS DATE) - due, size - 1 FROM v"
    verdict = guard.check(sql, texts.schema(), target="sqlite", today=TODAY)
    assert isinstance(verdict, SafeQuery), verdict
    outcome = texts.run(verdict)
    assert isinstance(outcome, Result), outcome
    assert outcome.rows == ((10, -9, 6), (2, 0, 1))


@pytest.mark.parametrize(
    ("expression", "column"),
    [
        ("CURRENT_DATE - received", "received"),
        ("received - due", "received"),
        ("reported - received", "reported"),
        ("received - 30", "received"),
        ("size - received", "received"),
        ("received + INTERVAL '10 days'", "received"),
        ("AVG(due - received)", "received"),
        ("EXTRACT(DAY FROM received + INTERVAL '1 day')", "received"),
        ("due_by - due", "due_by"),
        ("due_by - due_by", "due_by"),
        ("due - size", "size"),
        ("MAX(due_by) - MIN(due_by)", "x"),
    ],
)
def test_texts_are_no_dates_in_sqlite(expression: str, column: str, texts: Database) -> None:
    verdict = guard.check(f"SELECT {expression} FROM v", texts.schema(), target="sqlite", today=TODAY)
    assert isinstance(verdict, Refusal), verdict
    assert verdict.code == "not-translatable"
    assert f"CAST({column} AS DATE)" in verdict.hint


@pytest.mark.parametrize("expression", ["size - 1", "size - size", "size + '3'", "due - NULL", "due - '2026-05-01'"])
def test_what_may_be_a_number_is_subtracted(expression: str, texts: Database) -> None:
    verdict = guard.check(f"SELECT {expression} FROM v", texts.schema(), target="sqlite", today=TODAY)
    assert isinstance(verdict, SafeQuery), verdict
    assert isinstance(texts.run(verdict), Result)


@pytest.fixture
def texts(tmp_path: Path) -> Iterator[Database]:
    """A SQLite database whose dates are texts, but for `due`, and a view without types."""
    path = tmp_path / "texts.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            """
            CREATE TABLE samples (received TEXT, reported TEXT, due DATE, size);
            INSERT INTO samples VALUES ('2026-05-01', '2026-05-11', '2026-05-20', 7);
            INSERT INTO samples VALUES ('2026-05-31', '2026-06-02', '2026-06-10', 2);
            CREATE VIEW v AS SELECT *, DATE(received, '+10 days') AS due_by FROM samples;
            """
        )
    database = open_database(f"sqlite:///{path}")
    yield database
    database.close()
