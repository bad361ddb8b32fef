"""What is written and what runs, in pairs; and that what runs means itself when it is read again."""

from __future__ import annotations

from datetime import date

import pytest
from guard_cases import blocks

from mnemosyne import guard
from mnemosyne.guard import Refusal, SafeQuery
from mnemosyne.guard.query import Dialect
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
        ("SELECT status, COUNT(*) FROM samples GROUP BY ROLLUP (status)", "sqlite", "ROLLUP"),
        ("SELECT client_id FROM samples EXCEPT ALL SELECT client_id FROM clients", "sqlite", "EXCEPT ALL"),
        ("SELECT sample_id FROM samples ORDER BY received_date FETCH FIRST 3 ROWS WITH TIES", "duckdb", "WITH TIES"),
        ("SELECT INITCAP(matrix) FROM samples", "duckdb", "INITCAP"),
        ("SELECT EXTRACT(DAY FROM reported_date - received_date) FROM samples", "sqlite", "already in days"),
        ("SELECT sample_id FROM samples WHERE reported_date - received_date > INTERVAL '3 days'", "sqlite",
         "interval"),
        ("SELECT sample_id FROM samples WHERE received_date > 'soon'", "sqlite", "YYYY-MM-DD"),
    ],
)  # fmt: skip
def test_what_has_no_equal_is_refused_by_name(sql: str, target: Dialect, words: str, lab: Schema) -> None:
    verdict = guard.check(sql, lab, target=target)
    assert isinstance(verdict, Refusal)
    assert verdict.code == "not-translatable"
    assert words in verdict.reason
