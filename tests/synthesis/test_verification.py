"""A pair is kept only when the data tell it apart from what a careless reader would have written."""

from __future__ import annotations

from random import Random

import pytest
import sqlglot
from sqlglot import exp

from mnemosyne.databases import Database
from mnemosyne.schema import Schema
from mnemosyne.synthesis.neighbours import neighbours
from mnemosyne.synthesis.style import print_sql
from mnemosyne.synthesis.verify import Verifier


def tree(sql: str) -> exp.Expression:
    return sqlglot.parse_one(sql, read="postgres")  # type: ignore[return-value]


def near(sql: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for neighbour in neighbours(tree(sql)):
        found.setdefault(neighbour.kind, []).append(print_sql(neighbour.tree))
    return found


def test_each_condition_is_dropped_once() -> None:
    found = near("SELECT sample_id FROM samples WHERE matrix = 'Raw Milk' AND priority = 'Urgent'")
    assert found["dropped condition"] == [
        "SELECT sample_id FROM samples WHERE priority = 'Urgent'",
        "SELECT sample_id FROM samples WHERE matrix = 'Raw Milk'",
    ]


@pytest.mark.parametrize(
    ("sql", "kind", "other"),
    [
        ("SELECT COUNT(*) FROM results WHERE pass_fail = 'F'", "other verdict",
         "SELECT COUNT(*) FROM results WHERE pass_fail = 'P'"),
        ("SELECT DISTINCT matrix FROM samples", "missing DISTINCT", "SELECT matrix FROM samples"),
        ("SELECT COUNT(DISTINCT matrix) FROM samples", "missing DISTINCT", "SELECT COUNT(matrix) FROM samples"),
        ("SELECT AVG(turnaround_days) FROM methods", "other aggregate",
         "SELECT MAX(turnaround_days) FROM methods"),
        ("SELECT method_id FROM methods ORDER BY method_id LIMIT 3", "other LIMIT",
         "SELECT method_id FROM methods ORDER BY method_id LIMIT 4"),
        ("SELECT COUNT(*) FROM methods WHERE turnaround_days > 5", "other bound",
         "SELECT COUNT(*) FROM methods WHERE turnaround_days > 11"),
        ("SELECT method_id FROM methods ORDER BY method_id LIMIT 3", "other direction",
         "SELECT method_id FROM methods ORDER BY method_id DESC LIMIT 3"),
        ("SELECT COUNT(w.worksheet_id) FROM analysts a LEFT JOIN worksheets w ON w.analyst_id = a.analyst_id",
         "INNER for LEFT",
         "SELECT COUNT(w.worksheet_id) FROM analysts a JOIN worksheets w ON w.analyst_id = a.analyst_id"),
        ("SELECT COUNT(*) FILTER (WHERE pass_fail = 'F') FROM results", "dropped condition",
         "SELECT COUNT(*) FROM results"),
    ],
)  # fmt: skip
def test_the_neighbours_of_a_query(sql: str, kind: str, other: str) -> None:
    assert other in near(sql)[kind]


def test_the_link_of_a_subquery_to_its_outer_query_is_never_dropped() -> None:
    sql = (
        "SELECT c.client_name FROM clients c WHERE NOT EXISTS (SELECT 1 FROM samples s WHERE s.client_id = c.client_id)"
    )
    assert [text for text in near(sql)["dropped condition"] if "EXISTS" in text] == []


def test_a_query_that_says_something_is_kept(verifier: Verifier) -> None:
    verdict = verifier.judge(tree("SELECT COUNT(*) FROM results WHERE pass_fail = 'F'"), Random(0))
    assert verdict.reason == ""
    assert verdict.told_apart == {"dropped condition": 1, "other verdict": 1}


def test_a_condition_that_changes_nothing_gives_the_pair_away(verifier: Verifier) -> None:
    sql = "SELECT COUNT(*) FROM samples WHERE sample_id <> 'no such sample'"
    assert verifier.judge(tree(sql), Random(0)).reason == "not told apart: dropped condition"


def test_a_limit_beyond_the_rows_there_are_gives_the_pair_away(verifier: Verifier) -> None:
    sql = "SELECT matrix, COUNT(*) FROM samples GROUP BY matrix ORDER BY COUNT(*) DESC, matrix LIMIT 500"
    assert verifier.judge(tree(sql), Random(0), ordered=True).reason == "not told apart: other LIMIT"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT sample_id FROM samples WHERE matrix = 'Cheese'",
        "SELECT COUNT(*) FROM samples WHERE matrix = 'Cheese'",
        "SELECT MAX(reported_date) FROM samples WHERE matrix = 'Cheese'",
    ],
)
def test_an_answer_with_nothing_in_it_is_not_kept(verifier: Verifier, sql: str) -> None:
    assert verifier.judge(tree(sql), Random(0)).reason == "empty"


def test_what_the_guard_refuses_and_what_fails_is_not_kept(verifier: Verifier) -> None:
    assert verifier.judge(tree("SELECT secret FROM vault"), Random(0)).reason.startswith("refused")


def test_the_clock_of_a_verifier_is_frozen(laboratories: list[Database], schema: Schema) -> None:
    from datetime import date

    sql = tree("SELECT sample_id FROM samples WHERE received_date >= CURRENT_DATE - INTERVAL '30 days'")
    assert Verifier(laboratories, schema, date(2026, 6, 15)).judge(sql, Random(0)).reason == ""
    assert Verifier(laboratories, schema, date(2096, 6, 15)).judge(sql, Random(0)).reason == "empty"


def test_a_dropped_is_not_null_of_a_written_query_is_known_as_one() -> None:
    parsed = sqlglot.parse_one("SELECT a FROM t WHERE b IS NOT NULL AND c = 1 AND d IS NULL", read="postgres")
    dropped = {print_sql(n.tree): n.not_null for n in neighbours(parsed) if n.kind == "dropped condition"}
    assert dropped == {
        "SELECT a FROM t WHERE c = 1 AND d IS NULL": True,
        "SELECT a FROM t WHERE b IS NOT NULL AND d IS NULL": False,
        "SELECT a FROM t WHERE b IS NOT NULL AND c = 1": False,
    }


RATIOS = "SELECT AVG(r.numeric_value / d.limit_value) FROM results r JOIN determinands d USING (determinand_id) WHERE "


@pytest.mark.parametrize("guard", ["d.limit_value > 0", "d.limit_value <> 0", "0 < d.limit_value"])
def test_a_guard_of_a_divisor_need_not_show_in_the_rows(verifier: Verifier, guard: str) -> None:
    """PostgreSQL fails without it; the populations give NULL, which an average leaves out as the guard did."""
    verdict = verifier.judge(tree(f"{RATIOS} {guard} AND r.pass_fail = 'F'"), Random(0))
    assert (verdict.reason, verdict.tried["dropped condition"]) == ("", 2)
    assert verdict.told_apart["dropped condition"] == 1


def test_a_guard_that_keeps_rows_away_is_told_apart(verifier: Verifier) -> None:
    sql = "SELECT determinand_name, detection_limit / limit_value FROM determinands WHERE limit_value > 0"
    verdict = verifier.judge(tree(sql), Random(0))
    assert (verdict.reason, verdict.told_apart["dropped condition"]) == ("", 1)


@pytest.mark.parametrize(
    ("sql", "required"),
    [
        ("SELECT AVG(a / b) FROM t WHERE b > 0", False),
        ("SELECT AVG(a / b::numeric) FROM t WHERE NOT c AND b > 0.0", False),
        ("SELECT a % b FROM t WHERE b <> 0", False),
        ("SELECT AVG(a / b) FILTER (WHERE b > 0) FROM t", False),
        ("SELECT AVG(a) FROM t WHERE b > 0", True),
        ("SELECT AVG(a / c) FROM t WHERE b > 0", True),
        ("SELECT AVG(b / a) FROM t WHERE b > 0", True),
        ("SELECT AVG(a / b) FROM t WHERE b > 1", True),
        ("SELECT AVG(a / b) FROM t WHERE b >= 0", True),
        ("SELECT AVG(a / NULLIF(b, 0)) FROM t WHERE b > 0", True),
        ("SELECT AVG(a / b), COUNT(*) FILTER (WHERE b > 0) FROM t", True),
        ("SELECT x.a / x.b FROM (SELECT a, b FROM t WHERE b > 0) x", True),
        ("SELECT a / (SELECT MAX(u.b) FROM u WHERE u.b > 0) FROM t", True),
    ],
)
def test_only_what_keeps_zero_from_a_divisor_of_the_same_select_is_such_a_guard(sql: str, required: bool) -> None:
    last = [n for n in neighbours(tree(sql)) if n.kind == "dropped condition"][-1]
    assert last.required is required
