"""What a query takes the question to mean, in tables, values and days."""

from datetime import date
from importlib.resources import files

import pytest

from mnemosyne import guard
from mnemosyne.grounding import understand
from mnemosyne.guard.query import SafeQuery
from mnemosyne.schema import Schema

LAB = Schema.from_ddl((files("mnemosyne.data") / "lims" / "schema.sql").read_text(encoding="utf-8"))
TODAY = date(2026, 6, 15)


def line(sql: str, today: date = TODAY) -> str:
    checked = guard.check(sql, LAB, target="sqlite", today=today)
    assert isinstance(checked, SafeQuery), checked
    return understand(checked, today).line


@pytest.mark.parametrize(
    ("condition", "window"),
    [
        ("received_date >= CURRENT_DATE - INTERVAL '30 days'", "received_date from 2026-05-16"),
        ("received_date > CURRENT_DATE - 30", "received_date from 2026-05-17"),
        (
            "received_date >= DATE_TRUNC('month', CURRENT_DATE) - INTERVAL '1 month' "
            "AND received_date < DATE_TRUNC('month', CURRENT_DATE)",
            "received_date 2026-05-01 to 2026-05-31",
        ),
        (
            "DATE_TRUNC('year', received_date) = DATE_TRUNC('year', CURRENT_DATE)",
            "received_date 2026-01-01 to 2026-12-31",
        ),
        ("DATE_TRUNC('quarter', received_date) = DATE '2026-04-01'", "received_date 2026-04-01 to 2026-06-30"),
        ("EXTRACT(YEAR FROM received_date) = 2024", "received_date 2024-01-01 to 2024-12-31"),
        ("received_date BETWEEN '2024-02-01' AND DATE '2024-02-29'", "received_date 2024-02-01 to 2024-02-29"),
        ("DATE '2025-01-01' <= received_date", "received_date from 2025-01-01"),
        ("received_date = CURRENT_DATE - 1", "received_date 2026-06-14"),
        ("received_date > '2026-01-01' AND received_date < '2025-01-01'", "received_date in no day at all"),
    ],
)
def test_windows_are_told_in_days(condition: str, window: str) -> None:
    assert line(f"SELECT COUNT(*) FROM samples WHERE {condition}") == f"samples · {window}"


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("received_date = '9999-12-31'", " · received_date 9999-12-31"),
        ("received_date >= '0001-01-01'", " · received_date from 0001-01-01"),
        ("received_date <= '9999-12-31'", " · received_date until 9999-12-31"),
        ("EXTRACT(YEAR FROM received_date) = 9999", " · received_date 9999-01-01 to 9999-12-31"),
        ("received_date > '9999-12-31'", ""),
        ("received_date < '0001-01-01'", ""),
        ("received_date > CURRENT_DATE - 9999999", ""),
        ("received_date > CURRENT_DATE - INTERVAL '3000 years'", ""),
        ("DATE_TRUNC('hour', received_date) = '2026-01-01'", ""),
    ],
)
def test_the_ends_of_the_calendar_are_no_accident(condition: str, said: str) -> None:
    assert line(f"SELECT COUNT(*) FROM samples WHERE {condition}") == f"samples{said}"


def test_the_end_of_a_long_month_is_not_overrun() -> None:
    sql = "SELECT COUNT(*) FROM samples WHERE received_date >= CURRENT_DATE - INTERVAL '1 month'"
    assert line(sql, date(2026, 3, 31)) == "samples · received_date from 2026-02-28"


def test_tables_and_values_come_first() -> None:
    sql = (
        "SELECT COUNT(*) FROM results r JOIN samples s ON s.sample_id = r.sample_id "
        "WHERE s.matrix IN ('Raw Milk', 'Raw Meat') AND r.pass_fail = 'F'"
        " AND s.status NOT IN ('Cancelled') AND s.sampling_point LIKE 'Borehole%'"
    )
    assert line(sql) == (
        "results, samples · matrix in ('Raw Milk', 'Raw Meat') · pass_fail = 'F' · status not in ('Cancelled') · "
        "sampling_point like 'Borehole%'"
    )


def test_two_windows_beside_each_other_stay_two() -> None:
    sql = (
        "SELECT COUNT(*) FILTER (WHERE test_date >= DATE_TRUNC('year', CURRENT_DATE)), "
        "COUNT(*) FILTER (WHERE test_date < DATE_TRUNC('year', CURRENT_DATE)) FROM results"
    )
    assert line(sql) == "results · test_date from 2026-01-01 · test_date until 2025-12-31"


def test_comparisons_of_columns_are_no_windows() -> None:
    assert line("SELECT COUNT(*) FROM samples WHERE reported_date > received_date") == "samples"


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("matrix NOT LIKE 'Dr%'", "matrix not like 'Dr%'"),
        ("NOT matrix ILIKE 'dr%'", "matrix not like 'dr%'"),
        ("NOT (matrix NOT LIKE 'Dr%')", "matrix like 'Dr%'"),
        ("NOT (matrix = 'Raw Milk')", "matrix <> 'Raw Milk'"),
        ("NOT NOT matrix = 'Raw Milk'", "matrix = 'Raw Milk'"),
        ("(matrix = 'Raw Milk') IS NOT TRUE", "matrix <> 'Raw Milk'"),
        ("(matrix = 'Raw Milk') = FALSE", "matrix <> 'Raw Milk'"),
        ("NOT COALESCE(matrix = 'Raw Milk', FALSE)", "matrix <> 'Raw Milk'"),
        ("'Raw Milk' <> matrix", "matrix <> 'Raw Milk'"),
        ("NOT (matrix IN ('Raw Milk', 'Raw Meat'))", "matrix not in ('Raw Milk', 'Raw Meat')"),
        ("LOWER(matrix) NOT LIKE '%milk%'", "matrix not like '%milk%'"),
        ("NOT (matrix = 'Raw Milk' OR priority = 'Urgent')", "matrix <> 'Raw Milk' · priority <> 'Urgent'"),
        ("NOT (matrix = 'Raw Milk' AND priority = 'Urgent')", "matrix <> 'Raw Milk' or priority <> 'Urgent'"),
    ],
)
def test_what_is_ruled_out_is_said_as_ruled_out(condition: str, said: str) -> None:
    assert line(f"SELECT COUNT(*) FROM samples WHERE {condition}") == f"samples · {said}"


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("received_date NOT BETWEEN '2026-05-01' AND '2026-05-31'", "received_date not 2026-05-01 to 2026-05-31"),
        ("NOT (received_date >= '2026-05-01')", "received_date until 2026-04-30"),
        ("NOT received_date < '2026-05-01'", "received_date from 2026-05-01"),
        ("received_date <> '2026-05-01'", "received_date not 2026-05-01"),
        ("NOT (EXTRACT(YEAR FROM received_date) = 2025)", "received_date not 2025-01-01 to 2025-12-31"),
        ("NOT (received_date > '0001-01-01')", "received_date until 0001-01-01"),
        (
            "NOT (received_date >= '2026-01-01' AND received_date < '2026-05-01')",
            "received_date until 2025-12-31 or received_date from 2026-05-01",
        ),
        (
            "received_date >= '2026-01-01' AND received_date NOT BETWEEN '2026-02-01' AND '2026-02-28'",
            "received_date from 2026-01-01 · received_date not 2026-02-01 to 2026-02-28",
        ),
    ],
)
def test_days_that_are_ruled_out_are_not_told_as_wanted(condition: str, said: str) -> None:
    assert line(f"SELECT COUNT(*) FROM samples WHERE {condition}") == f"samples · {said}"


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        (
            "received_date >= '2026-05-01' OR received_date < '2026-01-01'",
            "received_date from 2026-05-01 or received_date until 2025-12-31",
        ),
        (
            "(received_date >= '2026-05-01' AND received_date < '2026-06-01') OR received_date = '2026-01-01'",
            "received_date 2026-05-01 to 2026-05-31 or received_date 2026-01-01",
        ),
        ("matrix = 'Raw Milk' OR status = 'Cancelled'", "matrix = 'Raw Milk' or status = 'Cancelled'"),
        ("matrix = 'Raw Milk' OR temperature_c > 5", "matrix = 'Raw Milk' or …"),
        (
            "(matrix = 'Raw Milk' OR priority = 'Urgent' AND received_date >= '2026-05-01') AND status = 'Reported'",
            "matrix = 'Raw Milk' or (priority = 'Urgent' and received_date from 2026-05-01) · status = 'Reported'",
        ),
        ("temperature_c > 5 OR temperature_c IS NULL", ""),
    ],
)
def test_alternatives_are_joined_by_or(condition: str, said: str) -> None:
    sql = f"SELECT COUNT(*) FROM samples WHERE {condition}".replace("temperature_c", "sample_id")
    assert line(sql) == " · ".join(("samples", said) if said else ("samples",))


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        (
            "EXTRACT(MONTH FROM received_date) = 5 AND EXTRACT(YEAR FROM received_date) = 2026",
            "received_date 2026-05-01 to 2026-05-31",
        ),
        (
            "EXTRACT(YEAR FROM received_date) = 2026 AND EXTRACT(QUARTER FROM received_date) = 2",
            "received_date 2026-04-01 to 2026-06-30",
        ),
        (
            "EXTRACT(YEAR FROM received_date) = EXTRACT(YEAR FROM CURRENT_DATE) "
            "AND EXTRACT(MONTH FROM received_date) = EXTRACT(MONTH FROM CURRENT_DATE - INTERVAL '1 month')",
            "received_date 2026-05-01 to 2026-05-31",
        ),
        ("EXTRACT(MONTH FROM received_date) = 5", "month of received_date = 5"),
        ("EXTRACT(MONTH FROM received_date) IN (6, 7)", "month of received_date in (6, 7)"),
        ("NOT (EXTRACT(MONTH FROM received_date) = 5)", "month of received_date <> 5"),
        (
            "EXTRACT(YEAR FROM received_date) = 2026 AND EXTRACT(MONTH FROM received_date) BETWEEN 2 AND 4",
            "month of received_date between 2 and 4 · received_date 2026-01-01 to 2026-12-31",
        ),
        (
            "EXTRACT(YEAR FROM received_date) = 2026 AND EXTRACT(DOW FROM received_date) NOT IN (0, 6)",
            "dow of received_date not in (0, 6) · received_date 2026-01-01 to 2026-12-31",
        ),
        (
            "received_date >= '2026-03-01' AND EXTRACT(MONTH FROM received_date) = 5",
            "month of received_date = 5 · received_date from 2026-03-01",
        ),
        ("EXTRACT(YEAR FROM received_date) IN (2025, 2026)", "year of received_date in (2025, 2026)"),
    ],
)
def test_parts_of_a_date_are_told(condition: str, said: str) -> None:
    assert line(f"SELECT COUNT(*) FROM samples WHERE {condition}") == f"samples · {said}"


FAILED = "SELECT r.sample_id FROM results r WHERE r.pass_fail = 'F'"


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        (
            "WHERE EXISTS (SELECT 1 FROM results r WHERE r.sample_id = s.sample_id AND pass_fail = 'F')",
            "pass_fail = 'F'",
        ),
        (
            "WHERE NOT EXISTS (SELECT 1 FROM results r WHERE r.sample_id = s.sample_id AND pass_fail = 'F')",
            "without pass_fail = 'F'",
        ),
        (
            "WHERE NOT EXISTS (SELECT 1 FROM results r WHERE r.sample_id = s.sample_id AND pass_fail = 'F'"
            " AND test_date >= '2026-01-01')",
            "without (pass_fail = 'F' and test_date from 2026-01-01)",
        ),
        (
            "WHERE NOT EXISTS (SELECT 1 FROM results r WHERE r.sample_id = s.sample_id AND test_date >= '2026-01-01')",
            "without test_date from 2026-01-01",
        ),
        ("WHERE NOT EXISTS (SELECT 1 FROM results r WHERE r.sample_id = s.sample_id)", "without results"),
        (f"WHERE s.sample_id NOT IN ({FAILED})", "without pass_fail = 'F'"),
        (f"WHERE s.sample_id IN ({FAILED})", "pass_fail = 'F'"),
        (f"WHERE s.sample_id <> ALL ({FAILED})", "without pass_fail = 'F'"),
        (f"WHERE NOT s.sample_id = ANY ({FAILED})", "without pass_fail = 'F'"),
        (
            f"WHERE matrix = 'Raw Milk' OR s.sample_id NOT IN ({FAILED})",
            "matrix = 'Raw Milk' or without pass_fail = 'F'",
        ),
        (f"LEFT JOIN ({FAILED}) f ON f.sample_id = s.sample_id WHERE f.sample_id IS NULL", "without pass_fail = 'F'"),
        (
            "LEFT JOIN results r ON r.sample_id = s.sample_id AND r.pass_fail = 'F' WHERE r.result_id IS NULL",
            "without pass_fail = 'F'",
        ),
        (
            "LEFT JOIN results r ON r.sample_id = s.sample_id AND r.pass_fail = 'F' WHERE r.test_date IS NULL",
            "pass_fail = 'F'",
        ),
        (
            "LEFT JOIN results r ON r.sample_id = s.sample_id AND r.pass_fail = 'F' "
            "GROUP BY s.sample_id HAVING COUNT(r.result_id) = 0",
            "without pass_fail = 'F'",
        ),
        (
            "JOIN results r ON r.sample_id = s.sample_id GROUP BY s.sample_id "
            "HAVING SUM(CASE WHEN r.pass_fail = 'F' THEN 1 ELSE 0 END) = 0",
            "without pass_fail = 'F'",
        ),
        (
            "JOIN results r ON r.sample_id = s.sample_id GROUP BY s.sample_id "
            "HAVING COUNT(*) FILTER (WHERE r.pass_fail = 'F') > 0",
            "pass_fail = 'F'",
        ),
    ],
)
def test_what_no_row_may_be_is_said_with_without(rest: str, said: str) -> None:
    told = line(f"SELECT COUNT(*) FROM samples s {rest}")
    assert told.split(" · ", 1)[1] == said


def test_a_named_query_is_told_as_it_is_used() -> None:
    start = "WITH failed AS (SELECT sample_id FROM results WHERE pass_fail = 'F') SELECT COUNT(*) FROM samples s "
    without = " · without pass_fail = 'F'"
    assert line(start + "WHERE s.sample_id NOT IN (SELECT sample_id FROM failed)").endswith(without)
    assert line(
        start + "LEFT JOIN failed f ON f.sample_id = s.sample_id WHERE f.sample_id IS NULL AND s.matrix = 'Raw Milk'"
    ).endswith(without + " · matrix = 'Raw Milk'")
    assert line(start + "JOIN failed f ON f.sample_id = s.sample_id").endswith("s · pass_fail = 'F'")
    assert line(f"SELECT sample_id FROM samples EXCEPT {FAILED}").endswith(without)
