"""What analysts and models write for general databases returns the same rows on three engines, or is refused."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from guard_cases import HERE, cases
from test_engines_agree import assert_agreement

from mnemosyne import guard
from mnemosyne.databases import Limits, open_database
from mnemosyne.databases.sqlite_functions import register
from mnemosyne.guard import Refusal, SafeQuery
from mnemosyne.guard.query import Dialect
from mnemosyne.results import Failure, Result
from mnemosyne.schema import Schema

POPULATION = [
    text.strip() for text in (HERE / "analysts_population.sql").read_text(encoding="utf-8").split(";\n") if text.strip()
]
SCHEMA = Schema.from_ddl(";\n".join(text for text in POPULATION if text.startswith("CREATE")) + ";")
QUERIES = cases("analysts.sql")

UNEQUAL: list[tuple[str, Dialect, str]] = [
    ("SELECT AVG(year)::text FROM concert", "sqlite", "ROUND"),
    ("SELECT 'mean ' || AVG(price) FROM concert", "sqlite", "ROUND"),
    ("SELECT CONCAT(price / 3, ' EUR') FROM concert", "duckdb", "ROUND"),
    ("SELECT country, name, COUNT(*) FROM singer GROUP BY ROLLUP (country)", "sqlite", "neither a key"),
    ("SELECT (ARRAY_AGG(name))[singer_id] FROM singer GROUP BY singer_id", "sqlite", "one written number"),
    ("SELECT country, UNNEST(ARRAY_AGG(name)) FROM singer GROUP BY country", "duckdb", "belong into FROM"),
    ("SELECT SUBSTRING(code FROM '(a)?b') FROM ticket", "duckdb", "left out"),
    ("SELECT name FROM singer ORDER BY rating OFFSET 1 ROW FETCH FIRST 1 ROW WITH TIES", "sqlite", "WITH TIES"),
    ("SELECT s.name, x.fee FROM singer s CROSS JOIN LATERAL (SELECT fee FROM singer_in_concert c"
     " WHERE c.singer_id = s.singer_id ORDER BY fee LIMIT 2) x", "sqlite", "LATERAL"),
]  # fmt: skip


@pytest.fixture(scope="module")
def databases(postgres_server: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The population in three engines."""
    import duckdb
    import psycopg

    folder = tmp_path_factory.mktemp("analysts")
    urls: dict[Dialect, str] = {
        "postgres": postgres_server("analysts"),
        "duckdb": f"duckdb:///{folder}/analysts.duckdb",
        "sqlite": f"sqlite:///{folder}/analysts.db",
    }
    connections: list[Any] = [
        psycopg.connect(urls["postgres"], autocommit=True),
        duckdb.connect(str(folder / "analysts.duckdb")),
        sqlite3.connect(folder / "analysts.db", isolation_level=None),
    ]
    for connection in connections:
        for statement in POPULATION:
            connection.execute(statement)
        connection.close()
    opened = {dialect: open_database(url) for dialect, url in urls.items()}
    yield opened
    for database in opened.values():
        database.close()


@pytest.mark.parametrize(("name", "sql"), QUERIES, ids=[name for name, _ in QUERIES])
def test_a_good_query_returns_the_same_rows_on_three_engines(
    name: str, sql: str, databases: dict[Dialect, Any]
) -> None:
    answers: dict[Dialect, Result] = {}
    for dialect, database in databases.items():
        checked = guard.check(sql, SCHEMA, target=dialect)
        assert isinstance(checked, SafeQuery), f"{dialect} refuses: {checked}"
        outcome = database.run(checked)
        assert isinstance(outcome, Result), f"{dialect}: {outcome}\n{checked.sql}"
        answers[dialect] = outcome
    assert answers["postgres"].columns
    assert_agreement(answers, sql)


def test_nearly_all_of_them_find_something(databases: dict[Dialect, Any]) -> None:
    empty = 0
    for _, sql in QUERIES:
        checked = guard.check(sql, SCHEMA)
        assert isinstance(checked, SafeQuery)
        outcome = databases["postgres"].run(checked)
        empty += isinstance(outcome, Failure) or not outcome.rows
    assert len(QUERIES) >= 200
    assert empty <= 2


@pytest.mark.parametrize(("sql", "target", "said"), UNEQUAL, ids=[sql for sql, *_ in UNEQUAL])
def test_what_would_differ_is_refused(sql: str, target: Dialect, said: str) -> None:
    refused = guard.check(sql, SCHEMA, target=target)
    assert isinstance(refused, Refusal)
    assert said in refused.reason


@pytest.fixture
def many(tmp_path: Path) -> Iterator[Any]:
    """A table of 20,000 rows in SQLite."""
    path = tmp_path / "many.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE ticket (ticket_id INTEGER PRIMARY KEY, paid DOUBLE PRECISION)")
    connection.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
        " INSERT INTO ticket SELECT i, i % 977 + 0.25 FROM n"
    )
    connection.commit()
    connection.close()
    database = open_database(f"sqlite:///{path}")
    yield database
    database.close()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT ticket_id FROM ticket WHERE paid >= ALL (SELECT paid FROM ticket)",
        "SELECT COUNT(*) FROM ticket WHERE NOT paid < ANY (SELECT paid FROM ticket WHERE ticket_id > 5)",
        "SELECT MAX(s) FROM (SELECT STDDEV(paid) OVER (ORDER BY ticket_id) AS s FROM ticket) t",
        "SELECT MAX(c) FROM (SELECT CORR(paid, ticket_id) OVER (ORDER BY ticket_id) AS c FROM ticket) t",
    ],
)
def test_sqlite_takes_time_by_the_row_and_not_by_the_pair_of_rows(sql: str, many: Any) -> None:
    checked = guard.check(sql, SCHEMA, target="sqlite")
    assert isinstance(checked, SafeQuery)
    start = time.process_time()
    outcome = many.run(checked, Limits(timeout_seconds=300))
    assert isinstance(outcome, Result), outcome
    assert outcome.rows
    assert time.process_time() - start < 5


def test_a_row_that_leaves_a_moving_frame_leaves_no_trace() -> None:
    connection = sqlite3.connect(":memory:")
    register(connection)
    rows = connection.execute(
        "SELECT mn_stddev_samp(x) OVER (ORDER BY i ROWS 1 PRECEDING) FROM"
        " (SELECT 1 AS i, 1e15 AS x UNION SELECT 2, 0.1 UNION SELECT 3, 0.1 UNION SELECT 4, 0.3)"
    ).fetchall()
    assert rows[2] == (0.0,)
    assert rows[3][0] == pytest.approx(0.1414213562373095, rel=1e-12)
