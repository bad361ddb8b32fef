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
