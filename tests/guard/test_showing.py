"""SQL for MySQL, SQL Server, Oracle, Snowflake and BigQuery: shown and read back, never executed."""

from __future__ import annotations

from datetime import date

import pytest
import sqlglot
from guard_cases import HERE, attacks

from mnemosyne import guard
from mnemosyne.guard import Refusal, ShownQuery
from mnemosyne.guard.showing import FOREIGN, Foreign
from mnemosyne.schema import Schema

CASES = {
    "the first day of a month": (
        "SELECT DATE_TRUNC('month', test_date)::date AS m, COUNT(*) / 7 FROM results GROUP BY 1",
        {
            "mysql": "STR_TO_DATE(CONCAT(YEAR(test_date), ' ', MONTH(test_date), ' 1'), '%Y %c %e')",
            "tsql": "DATETRUNC(MONTH, test_date)",
            "oracle": "TRUNC(test_date, 'MONTH')",
            "snowflake": "DATE_TRUNC('MONTH', test_date)",
            "bigquery": "DATE_TRUNC(test_date, MONTH)",
        },
    ),
    "days before today": (
        "SELECT sample_id FROM samples WHERE received_date >= CURRENT_DATE - INTERVAL '30 days'",
        {
            "mysql": "DATE_ADD(CURRENT_DATE, INTERVAL -30 DAY)",
            "tsql": "DATEADD(DAY, -30, CAST(GETDATE() AS DATE))",
            "oracle": "CURRENT_DATE - INTERVAL '30' DAY",
            "snowflake": "CURRENT_DATE - INTERVAL '30 DAY'",
            "bigquery": "CURRENT_DATE - INTERVAL '30' DAY",
        },
    ),
    "days between": (
        "SELECT reported_date - received_date FROM samples",
        {
            "mysql": "DATEDIFF(reported_date, received_date)",
            "tsql": "DATEDIFF(DAY, received_date, reported_date)",
            "oracle": "reported_date - received_date",
            "snowflake": "reported_date - received_date",
            "bigquery": "DATE_DIFF(reported_date, received_date, DAY)",
        },
    ),
    "FILTER": (
        "SELECT COUNT(*) FILTER (WHERE matrix ILIKE '%water%') FROM samples",
        {
            "mysql": "COUNT(CASE WHEN LOWER(matrix) LIKE LOWER('%water%') THEN 1 END)",
            "tsql": "COUNT_BIG(CASE WHEN LOWER(matrix) LIKE LOWER('%water%') THEN 1 END)",
            "oracle": "COUNT(CASE WHEN LOWER(matrix) LIKE LOWER('%water%') THEN 1 END)",
            "snowflake": "COUNT(CASE WHEN matrix ILIKE '%water%' THEN 1 END)",
            "bigquery": "COUNT(CASE WHEN LOWER(matrix) LIKE LOWER('%water%') THEN 1 END)",
        },
    ),
    "the first rows": (
        "SELECT sample_id FROM samples ORDER BY sample_id LIMIT 3",
        {"mysql": "LIMIT 3", "tsql": "TOP 3", "oracle": "FETCH FIRST 3 ROWS ONLY", "snowflake": "LIMIT 3",
         "bigquery": "LIMIT 3"},
    ),
    "the first row of each": (
        "SELECT DISTINCT ON (client_id) client_id, sample_id FROM samples ORDER BY client_id, received_date DESC",
        dict.fromkeys(FOREIGN, "WHERE each_row.first_of_each = 1 ORDER BY "),
    ),
}  # fmt: skip


@pytest.mark.parametrize("dialect", FOREIGN)
def test_the_first_row_of_each_is_taken_before_the_limit_and_in_order(dialect: Foreign, lab: Schema) -> None:
    """The translation, read back and run in SQLite, has PostgreSQL's rows: the latest sample of the first clients."""
    import sqlite3

    latest = "SELECT DISTINCT ON (client_id) client_id, sample_id FROM samples ORDER BY client_id, received_date DESC"
    inner = f"{latest} LIMIT 3"
    shown = guard.show(f"SELECT COUNT(*), MAX(sample_id) FROM ({inner}) AS x", lab, dialect)
    assert isinstance(shown, ShownQuery), shown
    with sqlite3.connect(":memory:") as laboratory:
        laboratory.execute("CREATE TABLE samples (client_id, sample_id, received_date)")
        rows = [(c, f"S{c}{n}", f"2026-01-0{n}") for c in (4, 3, 2, 1) for n in (1, 2)]
        laboratory.executemany("INSERT INTO samples VALUES (?, ?, ?)", rows)
        sql = sqlglot.transpile(shown.sql, read=dialect, write="sqlite")[0]
        assert laboratory.execute(sql).fetchall() == [(3, "S32")]
    laboratory.close()


@pytest.mark.parametrize("dialect", FOREIGN)
@pytest.mark.parametrize(("sql", "expected"), CASES.values(), ids=CASES.keys())
def test_a_query_is_said_as_the_dialect_says_it(
    sql: str, expected: dict[str, str], dialect: Foreign, lab: Schema
) -> None:
    shown = guard.show(sql, lab, dialect)
    assert isinstance(shown, ShownQuery), shown
    assert expected[dialect] in shown.sql
    assert isinstance(sqlglot.parse_one(shown.sql, read=dialect), sqlglot.exp.Query)


@pytest.mark.parametrize("dialect", FOREIGN)
def test_it_says_that_it_was_not_executed(dialect: Foreign, lab: Schema) -> None:
    shown = guard.show("SELECT 1", lab, dialect)
    assert isinstance(shown, ShownQuery)
    assert "not executed here" in shown.note


@pytest.mark.parametrize("dialect", FOREIGN)
def test_no_attack_is_shown(dialect: Foreign, lab: Schema) -> None:
    shown = [one.text for one in attacks("postgres") if isinstance(guard.show(one.text, lab, dialect), ShownQuery)]
    assert not shown


@pytest.mark.parametrize(
    ("sql", "dialect"),
    [
        ("SELECT DISTINCT ON (client_id) sample_id FROM samples", "mysql"),
        ("SELECT d FROM generate_series(1, 3) AS d", "oracle"),
        ("SELECT PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY numeric_value) FROM results", "mysql"),
        ("SELECT sample_id FROM samples WHERE matrix ~ 'x'", "tsql"),
        ("SELECT AGE(reported_date, received_date) FROM samples", "snowflake"),
    ],
)
def test_what_a_dialect_does_not_have_is_refused_by_name(sql: str, dialect: Foreign, lab: Schema) -> None:
    verdict = guard.show(sql, lab, dialect)
    assert isinstance(verdict, Refusal)
    assert verdict.code == "not-translatable"


@pytest.mark.parametrize("dialect", FOREIGN)
def test_nearly_all_queries_of_the_laboratory_can_be_shown(dialect: Foreign, lab: Schema) -> None:
    from importlib.resources import files

    from mnemosyne.datasets.jsonl import read_examples

    golds = read_examples(str(files("mnemosyne") / "data" / "sets" / "lab-dev.jsonl"))
    shown = [guard.show(gold.sql, lab, dialect, today=date(2026, 6, 15)) for gold in golds]
    assert sum(isinstance(one, ShownQuery) for one in shown) >= 0.95 * len(golds)


def test_a_shown_query_is_nothing_that_a_database_takes(lab_sqlite: str, lab: Schema) -> None:
    from mnemosyne.databases import open_database

    database = open_database(lab_sqlite)
    with pytest.raises(TypeError, match="SafeQuery"):
        database.run(guard.show("SELECT 1", lab, "mysql"))  # type: ignore[arg-type]
    database.close()


def test_the_cases_have_a_word_for_every_dialect() -> None:
    assert all(set(expected) == set(FOREIGN) for _, expected in CASES.values())
    assert (HERE / "attacks").is_dir()
