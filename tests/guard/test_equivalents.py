"""Functions of other databases: read where that has one meaning, else refused with the PostgreSQL way to say it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from mnemosyne import guard
from mnemosyne.guard import Refusal, SafeQuery
from mnemosyne.guard.equivalents import OTHERWISE, way
from mnemosyne.guard.query import Dialect
from mnemosyne.results import Result
from mnemosyne.schema import Schema

TODAY = date(2026, 6, 15)

READ = [
    ("CURDATE()", "CURRENT_DATE"),
    ("IFNULL(status, 'x')", "COALESCE(status, 'x')"),
    ("NVL(status, 'x')", "COALESCE(status, 'x')"),
    ("ISNULL(status, 'x')", "COALESCE(status, 'x')"),
    ("YEAR(received_date)", "EXTRACT(YEAR FROM received_date)"),
    ("DATE_SUB(received_date, INTERVAL 7 DAY)", "received_date - INTERVAL '7 days'"),
    ("DATEDIFF(reported_date, received_date)", "reported_date - received_date"),
    ("DATEDIFF(day, received_date, reported_date)", "reported_date - received_date"),
    ("IIF(status = 'Reported', 1, 0)", "CASE WHEN status = 'Reported' THEN 1 ELSE 0 END"),
]
"""What means the same whoever reads it, and what it means."""

TOLD = [
    ("SYSDATE()", "CURRENT_DATE"),
    ("TODAY()", "CURRENT_DATE"),
    ("SYSDATE", "CURRENT_DATE"),
    ("DATE_DIFF('day', received_date, reported_date)", "later - earlier"),
    ("TIMESTAMPDIFF(MONTH, received_date, reported_date)", "later - earlier"),
    ("JULIANDAY(received_date)", "later - earlier"),
    ("DATE('now', '-7 days')", "CURRENT_DATE - INTERVAL '7 days'"),
    ("ADDDATE(received_date, 7)", "x + INTERVAL '7 days'"),
    ("SUBDATE(received_date, 7)", "x - INTERVAL '7 days'"),
    ("ADD_MONTHS(received_date, 1)", "x + INTERVAL '1 month'"),
    ("STRFTIME('%Y-%m', received_date)", "TO_CHAR(x, 'YYYY-MM')"),
    ("FORMAT(received_date, 'yyyy-MM')", "TO_CHAR(x, 'YYYY-MM')"),
    ("FORMAT_DATE('%Y', received_date)", "EXTRACT(YEAR FROM x)"),
    ("QUARTER(received_date)", "EXTRACT(QUARTER FROM x)"),
    ("WEEKOFYEAR(received_date)", "EXTRACT(WEEK FROM x)"),
    ("DAYOFWEEK(received_date)", "EXTRACT(DOW FROM x)"),
    ("UNIX_TIMESTAMP()", "EXTRACT(EPOCH FROM x)"),
    ("LISTAGG(status, ',')", "STRING_AGG(x, ', ')"),
    ("MID(status, 1, 2)", "SUBSTRING(x FROM 1 FOR 3)"),
    ("ISNUMERIC(status)", "x ~ '^[0-9.]+$'"),
    ("FIELD(status, 'a', 'b')", "CASE WHEN"),
    ("SPLIT(status, ',')", "SPLIT_PART(x, ',', 1)"),
    ("PERCENTILE(1, 2)", "PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY x)"),
    ("RANDOM()", "must not depend on chance"),
]


def _query(expression: str) -> str:
    return f"SELECT {expression} AS v FROM samples WHERE reported_date IS NOT NULL ORDER BY sample_id LIMIT 20"


@pytest.mark.parametrize("dialect", ["postgres", "duckdb", "sqlite"])
@pytest.mark.parametrize(("written", "meant"), READ)
def test_what_has_one_meaning_returns_the_rows_that_are_meant(
    written: str, meant: str, dialect: Dialect, engines: dict[Dialect, Any], lab: Schema
) -> None:
    rows = []
    for expression in (written, meant):
        query = guard.check_reply(_query(expression), lab, target=dialect, today=TODAY)
        assert isinstance(query, SafeQuery), query
        result = engines[dialect].run(query)
        assert isinstance(result, Result), result
        rows.append([str(row[0])[:10] for row in result.rows])  # a day, whether midnight is said or not
    assert len(rows[0]) == 20
    assert rows[0] == rows[1]


@pytest.mark.parametrize(("written", "told"), TOLD)
def test_what_is_refused_names_the_way(written: str, told: str, lab: Schema) -> None:
    verdict = guard.check_reply(_query(written), lab)
    assert isinstance(verdict, Refusal), verdict
    assert told in verdict.hint
    assert len(verdict.reason) + len(verdict.hint) < 200


def test_the_ways_are_ways_that_the_guard_lets_through(lab: Schema) -> None:
    for expression in (
        "CURRENT_DATE", "CURRENT_TIMESTAMP", "reported_date - received_date", "received_date + INTERVAL '7 days'",
        "received_date - INTERVAL '7 days'", "TO_CHAR(received_date, 'YYYY-MM')", "EXTRACT(DOW FROM received_date)",
        "EXTRACT(ISODOW FROM received_date)", "EXTRACT(DOY FROM received_date)", "EXTRACT(EPOCH FROM received_date)",
        "DATE_TRUNC('month', received_date) + INTERVAL '1 month' - INTERVAL '1 day'", "MAKE_DATE(2026, 1, 2)",
        "DATE '2026-01-31'", "CAST(status AS DATE)", "COALESCE(status, 'x')", "CASE WHEN TRUE THEN 1 ELSE 2 END",
        "POSITION('a' IN status)", "SUBSTRING(status FROM 1 FOR 3)", "SPLIT_PART(status, ',', 1)",
        "status ~ '^[0-9.]+$'",
        "EXTRACT(YEAR FROM AGE(reported_date, received_date)) * 12", "LENGTH(status)", "UPPER(status)",
        "1 / NULLIF(2, 0)",
    ):  # fmt: skip
        assert isinstance(guard.check(_query(expression), lab), SafeQuery), expression
    for aggregate in ("STRING_AGG(status, ', ')", "COUNT(*) FILTER (WHERE TRUE)", "STDDEV(1)", "VARIANCE(1)",
                      "PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY 1)"):  # fmt: skip
        assert isinstance(guard.check(f"SELECT {aggregate} FROM samples", lab), SafeQuery), aggregate


def test_a_function_without_a_common_equal_is_only_refused(lab: Schema) -> None:
    assert way("nosuch") == ""
    verdict = guard.check("SELECT NOSUCH(1)", lab)
    assert isinstance(verdict, Refusal)
    assert verdict.hint == OTHERWISE


@pytest.mark.parametrize("target", ["postgres", "sqlite", "duckdb"])
@pytest.mark.parametrize("lossy", ["DATE('now', '-7 days')", "DATE_DIFF('day', received_date, reported_date)"])
def test_a_reading_that_loses_a_part_of_the_text_is_none(lossy: str, target: Dialect, lab: Schema) -> None:
    """MySQL's DATE takes one value: read so, seven days ago would be today."""
    verdict = guard.check_reply(_query(lossy), lab, target=target)
    assert isinstance(verdict, Refusal), verdict.sql
