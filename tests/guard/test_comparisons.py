"""A date beside a number: PostgreSQL and DuckDB refuse it, so it is refused for SQLite, which would answer."""

from __future__ import annotations

from typing import Any

import pytest

from mnemosyne import guard
from mnemosyne.guard import Refusal, SafeQuery
from mnemosyne.guard.query import Dialect
from mnemosyne.results import Failure
from mnemosyne.schema import Schema

MIXED = [
    "SELECT sample_id FROM samples WHERE received_date >= 2025",
    "SELECT sample_id FROM samples WHERE received_date - collection_date >= DATE_TRUNC('year', CURRENT_DATE)",
    "SELECT sample_id FROM samples WHERE reported_date - received_date > reported_date",
    "SELECT sample_id FROM samples WHERE collection_date BETWEEN 1 AND 30",
    "SELECT sample_id FROM samples WHERE client_id IN (SELECT received_date FROM samples)",
    "SELECT sample_id FROM samples WHERE (EXTRACT(YEAR FROM received_date)) = CURRENT_DATE",
    "SELECT client_id FROM samples GROUP BY client_id HAVING COUNT(*) > MAX(received_date)",
    "SELECT c.client_name FROM clients c JOIN samples s ON c.client_id = s.received_date",
]

FIT = [
    "SELECT sample_id FROM samples WHERE received_date >= '2025-01-01'",
    "SELECT sample_id FROM samples WHERE received_date - collection_date > 2",
    "SELECT sample_id FROM samples WHERE received_date > collection_date + 2",
    "SELECT sample_id FROM samples WHERE EXTRACT(YEAR FROM received_date) IN (2024, 2025)",
    "SELECT sample_id FROM samples WHERE received_date = (SELECT MAX(received_date) FROM samples)",
    "SELECT sample_id FROM samples WHERE received_date BETWEEN CURRENT_DATE - 30 AND CURRENT_DATE - INTERVAL '1 day'",
]


@pytest.mark.parametrize("sql", MIXED)
def test_a_date_beside_a_number_is_refused(sql: str, lab: Schema) -> None:
    refusal = guard.check(sql, lab, target="sqlite")
    assert isinstance(refusal, Refusal)
    assert refusal.code == "types"
    assert "number" in refusal.reason
    assert refusal.place


@pytest.mark.parametrize("sql", MIXED)
@pytest.mark.parametrize("engine", ["postgres", "duckdb"])
def test_the_other_engines_refuse_it_themselves(
    sql: str, engine: Dialect, lab: Schema, engines: dict[Dialect, Any]
) -> None:
    query = guard.check(sql, lab, target=engine)
    assert isinstance(query, SafeQuery)
    assert isinstance(engines[engine].run(query), Failure)


@pytest.mark.parametrize("sql", FIT)
def test_dates_beside_dates_pass(sql: str, lab: Schema) -> None:
    assert isinstance(guard.check(sql, lab, target="sqlite"), SafeQuery)
