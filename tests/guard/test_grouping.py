"""Columns of grouped queries: what PostgreSQL refuses is refused for SQLite, what its keys settle runs everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mnemosyne import guard
from mnemosyne.guard import Refusal, SafeQuery
from mnemosyne.guard.query import Dialect
from mnemosyne.results import Failure, Result, same
from mnemosyne.schema import Schema

JOINED = "FROM clients c JOIN samples s ON s.client_id = c.client_id"

MANY_VALUES = [
    "SELECT client_name, COUNT(*) FROM clients",
    "SELECT matrix, AVG(client_id) FROM samples",
    "SELECT client_name, COUNT(*) FROM clients GROUP BY client_type",
    f"SELECT c.client_name, s.matrix, COUNT(*) {JOINED} GROUP BY c.client_id, c.client_name",
    "SELECT matrix, COUNT(*) FROM samples GROUP BY matrix ORDER BY status",
    "SELECT matrix, COUNT(*) FROM samples GROUP BY matrix HAVING status = 'Reported'",
    "SELECT matrix, COUNT(*) * client_id FROM samples GROUP BY matrix",
    "SELECT EXTRACT(MONTH FROM received_date), COUNT(*) FROM samples GROUP BY EXTRACT(YEAR FROM received_date)",
    "WITH n AS (SELECT status, matrix, COUNT(*) AS k FROM samples GROUP BY matrix) SELECT * FROM n",
    "SELECT matrix, (SELECT COUNT(*) FROM samples) FROM samples WHERE status IN"
    " (SELECT status FROM samples GROUP BY matrix) ORDER BY 1",
    "SELECT matrix, COUNT(*), RANK() OVER (ORDER BY status) FROM samples GROUP BY matrix",
]

SETTLED = [
    f"SELECT c.client_name, c.city, COUNT(*) {JOINED} GROUP BY c.client_id",
    f"SELECT c.client_name, COUNT(*) AS n {JOINED} GROUP BY c.client_id HAVING c.city > 'D' ORDER BY c.city, n, 1",
    f"SELECT UPPER(c.client_name), c.client_type || ' ' || s.matrix, COUNT(*) {JOINED} GROUP BY c.client_id, s.matrix",
    "SELECT c.client_name, SUM(n.k) FROM clients c JOIN (SELECT client_id, COUNT(*) AS k FROM samples GROUP BY 1) n"
    " ON n.client_id = c.client_id GROUP BY c.client_id",
]

ONE_VALUE = [
    *SETTLED,
    "SELECT matrix AS kind, COUNT(*) AS status FROM samples GROUP BY kind ORDER BY status, kind",
    "SELECT DATE_TRUNC('month', s.received_date), COUNT(*) FROM samples s GROUP BY DATE_TRUNC('month', received_date)",
    "SELECT EXTRACT(YEAR FROM received_date) + 1, COUNT(*) FROM samples GROUP BY EXTRACT(YEAR FROM received_date)",
    "SELECT matrix, COUNT(*), SUM(COUNT(*)) OVER (), RANK() OVER (ORDER BY COUNT(*), matrix) FROM samples GROUP BY 1",
    "SELECT matrix, COUNT(*) FILTER (WHERE status = 'Reported') FROM samples GROUP BY matrix",
    "SELECT matrix, SUM(CASE WHEN status = 'Reported' THEN 1 ELSE 0 END) FROM samples GROUP BY (matrix)",
    "SELECT matrix, PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY client_id) FROM samples GROUP BY matrix",
    "SELECT matrix, status, COUNT(*) FROM samples GROUP BY (matrix, status)",
    "SELECT matrix, every(client_id > 0) FROM samples GROUP BY matrix",
    "SELECT every(client_id > 0) FROM samples",
    "SELECT COUNT(*), (SELECT MIN(status) FROM samples) FROM samples",
    "SELECT sample_id, LAG(status) OVER (ORDER BY sample_id) FROM samples ORDER BY 1 LIMIT 5",
    "SELECT matrix, (SELECT COUNT(*) FROM results r JOIN samples x ON x.sample_id = r.sample_id"
    " WHERE x.matrix = s.matrix) FROM samples s GROUP BY matrix",
]


@pytest.mark.parametrize("sql", MANY_VALUES)
def test_a_column_of_many_values_is_refused_for_sqlite_as_postgresql_itself_does(
    sql: str, lab: Schema, engines: dict[Dialect, Any]
) -> None:
    checked = guard.check(sql, lab)
    assert isinstance(checked, SafeQuery)
    outcome = engines["postgres"].run(checked)
    assert isinstance(outcome, Failure)
    assert "GROUP BY" in outcome.message
    refused = guard.check(sql, lab, target="sqlite")
    assert isinstance(refused, Refusal)
    assert refused.code == "grouping"
    assert "GROUP BY" in refused.hint


@pytest.mark.parametrize("sql", ONE_VALUE)
def test_a_column_of_one_value_returns_the_same_rows_on_three_engines(
    sql: str, ask_all: Callable[[str], dict[Dialect, Result]]
) -> None:
    answers = ask_all(sql)
    assert answers["postgres"].rows
    assert all(same(answers["postgres"], answer) for answer in answers.values())


@pytest.mark.parametrize("sql", SETTLED)
def test_what_a_primary_key_settles_is_added_to_group_by_for_duckdb(sql: str, lab: Schema) -> None:
    checked = guard.check(sql, lab, target="duckdb")
    assert isinstance(checked, SafeQuery)
    grouped = checked.sql.rpartition("GROUP BY")[2].partition("HAVING")[0].partition("ORDER BY")[0]
    assert "client_name" in grouped


def test_the_row_of_a_lone_extreme_is_what_sqlite_documents(lab: Schema, engines: dict[Dialect, Any]) -> None:
    checked = guard.check("SELECT client_name, MIN(client_id) FROM clients", lab, target="sqlite")
    assert isinstance(checked, SafeQuery)
    first = guard.check("SELECT client_name, client_id FROM clients ORDER BY client_id LIMIT 1", lab, target="sqlite")
    assert isinstance(first, SafeQuery)
    assert engines["sqlite"].run(checked).rows == engines["sqlite"].run(first).rows


def test_two_extremes_have_no_one_row(lab: Schema) -> None:
    refused = guard.check("SELECT client_name, MIN(client_id), MAX(client_id) FROM clients", lab, target="sqlite")
    assert isinstance(refused, Refusal)
    assert refused.code == "grouping"


@pytest.mark.parametrize(
    "condition", ["s.client_id = 3", "3 = s.client_id", "c.client_id = s.client_id AND c.client_id = 3"]
)
def test_a_column_that_a_condition_fixes_has_one_value(condition: str, lab: Schema) -> None:
    sql = f"SELECT s.client_id, c.client_name, COUNT(*) {JOINED} WHERE {condition}"
    assert isinstance(guard.check(sql, lab, target="sqlite"), SafeQuery)


def test_sqlite_s_own_text_keeps_sqlite_s_rule(lab: Schema) -> None:
    sql = "SELECT client_name, COUNT(*) FROM clients"
    assert isinstance(guard.check(sql, lab, target="sqlite", written="sqlite"), SafeQuery)
