"""Times of day that a table holds, in sums: PostgreSQL and DuckDB give the same; SQLite says that it has none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import psycopg
import pytest

from mnemosyne import guard
from mnemosyne.databases import open_database
from mnemosyne.guard import Refusal, SafeQuery
from mnemosyne.results import Result, same

DDL = "CREATE TABLE visits (visit_id INTEGER PRIMARY KEY, day DATE, moment TIMESTAMP, opens TIME, closes TIME)"
ROWS = """INSERT INTO visits VALUES (1, '2026-01-31', '2026-01-31 23:00:00', '08:30', '17:00:30'),
    (2, '2026-02-28', '2026-02-28 00:00:00', '00:00', '23:59:59'), (3, NULL, NULL, NULL, '12:00')"""
SUMS = [
    "moment + opens",
    "opens + moment",
    "moment - opens",
    "day + opens",
    "opens + day",
    "day - opens",
    "(day + 1) + opens",
    "(day + INTERVAL '1 month') - opens",
    "closes - opens",
    "closes - TIME '06:00'",
    "opens + INTERVAL '1 hour'",
    "moment::date + moment::time",
    "(day + opens) + INTERVAL '1 day'",
    "EXTRACT(EPOCH FROM (closes - opens))",
]


@pytest.mark.parametrize("written", SUMS)
def test_a_sum_with_a_time_of_day_is_the_same_in_duckdb(written: str, visits: dict[str, str]) -> None:
    answers = {}
    for dialect, url in visits.items():
        database = open_database(url)
        checked = guard.check(f"SELECT visit_id, {written} FROM visits", database.schema(), target=database.dialect)
        assert isinstance(checked, SafeQuery), checked
        outcome = database.run(checked)
        assert isinstance(outcome, Result), f"{outcome}: {checked.sql}"
        answers[dialect] = outcome
        database.close()
    assert same(answers["postgres"], answers["duckdb"]), answers


def test_a_column_of_times_is_refused_in_sqlite_with_the_way_to_write_it(visits: dict[str, str]) -> None:
    database = open_database(visits["duckdb"])
    refused = guard.check("SELECT moment + opens FROM visits", database.schema(), target="sqlite")
    database.close()
    assert isinstance(refused, Refusal)
    assert "opens is a time of day" in refused.reason
    assert "TIME '10:00'" in refused.hint


@pytest.fixture(scope="module")
def visits(postgres_server: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The same table in both engines that know times of day: engine to URL."""
    url, file = postgres_server("visits"), Path(tmp_path_factory.mktemp("visits")) / "visits.duckdb"
    with psycopg.connect(url, autocommit=True) as server:
        server.execute("DROP TABLE IF EXISTS visits")  # a worker may come back to this module for one test
        server.execute(DDL)
        server.execute(ROWS)
    with duckdb.connect(str(file)) as connection:
        connection.execute(DDL)
        connection.execute(ROWS)
    return {"postgres": url, "duckdb": f"duckdb:///{file}"}
