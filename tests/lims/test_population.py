"""What the demo laboratory holds: the sizes and the odd cases that questions need."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from mnemosyne import lims
from mnemosyne.errors import DatabaseError
from mnemosyne.lims.population import batches

TODAY = "2026-06-15"


@pytest.fixture(scope="module")
def laboratory(lab_sqlite: str) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(f"file:{lab_sqlite.removeprefix('sqlite:///')}?mode=ro", uri=True)
    yield connection
    connection.close()


def one(laboratory: sqlite3.Connection, sql: str) -> Any:
    return laboratory.execute(sql).fetchone()[0]


@pytest.mark.parametrize(
    ("table", "about"),
    [
        ("clients", 40), ("analysts", 25), ("samples", 3_000), ("results", 12_000), ("worksheets", 600),
    ],
)  # fmt: skip
def test_the_sizes_are_those_of_a_small_laboratory(table: str, about: int, laboratory: sqlite3.Connection) -> None:
    assert about * 0.97 <= one(laboratory, f"SELECT COUNT(*) FROM {table}") <= about * 1.03


@pytest.mark.parametrize(
    ("what", "sql", "at_least"),
    [
        ("failed results", "SELECT COUNT(*) FROM results WHERE pass_fail = 'F'", 300),
        ("less-than results", "SELECT COUNT(*) FROM results WHERE qualifier = '<'", 500),
        ("pending results", "SELECT COUNT(*) FROM results WHERE numeric_value IS NULL", 10),
        ("unapproved results", "SELECT COUNT(*) FROM results WHERE approved_date IS NULL", 20),
        ("results without a judgement", "SELECT COUNT(*) FROM results WHERE pass_fail IS NULL", 100),
        ("cancelled samples", "SELECT COUNT(*) FROM samples WHERE status = 'Cancelled'", 20),
        ("open samples", "SELECT COUNT(*) FROM samples WHERE status NOT IN ('Reported', 'Cancelled')", 20),
        ("overdue samples", f"""SELECT COUNT(*) FROM samples WHERE reported_date IS NULL AND status <> 'Cancelled'
            AND received_date < date('{TODAY}', '-10 days')""", 3),
        ("late reports", """SELECT COUNT(*) FROM samples
            WHERE julianday(reported_date) - julianday(received_date) > 10""", 20),
        ("clients without samples", """SELECT COUNT(*) FROM clients
            WHERE client_id NOT IN (SELECT client_id FROM samples)""", 1),
        ("samples without results", """SELECT COUNT(*) FROM samples
            WHERE sample_id NOT IN (SELECT sample_id FROM results)""", 5),
        ("inactive clients", "SELECT COUNT(*) FROM clients WHERE NOT active", 1),
        ("clients without a city", "SELECT COUNT(*) FROM clients WHERE city IS NULL", 1),
        ("values above their limit", """SELECT COUNT(*) FROM results r JOIN determinands d USING (determinand_id)
            WHERE r.numeric_value > d.limit_value""", 100),
        ("days with equally many samples", """SELECT COUNT(*) - COUNT(DISTINCT n) FROM
            (SELECT COUNT(*) AS n FROM samples GROUP BY received_date)""", 100),
        ("samples of today", f"SELECT COUNT(*) FROM samples WHERE collection_date = '{TODAY}'", 1),
    ],
)  # fmt: skip
def test_the_odd_cases_are_there(what: str, sql: str, at_least: int, laboratory: sqlite3.Connection) -> None:
    assert one(laboratory, sql) >= at_least, what


@pytest.mark.parametrize(
    ("what", "sql"),
    [
        ("dates after today", f"SELECT COUNT(*) FROM samples WHERE max(collection_date, received_date) > '{TODAY}'"),
        ("received before collected", "SELECT COUNT(*) FROM samples WHERE received_date < collection_date"),
        ("reported before received", "SELECT COUNT(*) FROM samples WHERE reported_date < received_date"),
        ("reported and cancelled", """SELECT COUNT(*) FROM samples
            WHERE status = 'Cancelled' AND reported_date NOT NULL"""),
        ("reported without a date", "SELECT COUNT(*) FROM samples WHERE status = 'Reported' AND reported_date IS NULL"),
        ("tested before received", """SELECT COUNT(*) FROM results r JOIN samples s USING (sample_id)
            WHERE r.test_date < s.received_date"""),
        ("approved before tested", "SELECT COUNT(*) FROM results WHERE approved_date < test_date"),
        ("above the limit and passed", """SELECT COUNT(*) FROM results r JOIN determinands d USING (determinand_id)
            WHERE r.numeric_value > d.limit_value AND r.qualifier IS NOT '<' AND r.pass_fail = 'P'"""),
        ("tested by someone not yet hired", """SELECT COUNT(*) FROM results r JOIN analysts a USING (analyst_id)
            WHERE r.test_date < a.hire_date"""),
        ("samples before their client registered", """SELECT COUNT(*) FROM samples s JOIN clients c USING (client_id)
            WHERE s.collection_date < c.registered_date"""),
    ],
)  # fmt: skip
def test_nothing_contradicts_itself(what: str, sql: str, laboratory: sqlite3.Connection) -> None:
    assert one(laboratory, sql) == 0, what


def test_bathing_water_is_sampled_in_summer(laboratory: sqlite3.Connection) -> None:
    sql = "SELECT COUNT(*) FROM samples WHERE matrix = 'Bathing Water' AND strftime('%m', collection_date) IN ({})"
    assert one(laboratory, sql.format("'06','07','08'")) > 3 * one(laboratory, sql.format("'12','01','02'"))


def test_failures_come_in_waves(laboratory: sqlite3.Connection) -> None:
    """Outbreaks: the worst client and month of a determinand fails far more often than the average."""
    share = "AVG(CASE WHEN pass_fail = 'F' THEN 1.0 ELSE 0 END)"
    usual = one(laboratory, f"SELECT {share} FROM results WHERE pass_fail NOT NULL")
    worst = one(
        laboratory,
        f"""SELECT MAX(rate) FROM (SELECT {share} AS rate FROM results JOIN samples USING (sample_id)
        WHERE pass_fail NOT NULL GROUP BY client_id, determinand_id, strftime('%Y-%m', test_date)
        HAVING COUNT(*) >= 5)""",
    )
    assert worst > 5 * usual


def test_another_scale_is_a_larger_laboratory_and_not_the_same_rows_twice(tmp_path: Path) -> None:
    made = lims.create(f"sqlite:///{tmp_path}/lab.db", seed=7, scale=3, today=date(2026, 6, 15))
    assert 8_900 <= made.rows["samples"] <= 9_100
    assert 34_000 <= made.rows["results"] <= 38_000
    connection = sqlite3.connect(tmp_path / "lab.db")
    assert one(connection, "SELECT COUNT(*) - COUNT(DISTINCT sample_id) FROM samples") == 0
    connection.close()


def test_memory_is_bounded_by_a_block_at_any_scale() -> None:
    """A laboratory of 2.5 million samples comes in blocks of 30,000; the first ones are enough to see it."""
    from itertools import islice

    sizes = [len(next(iter(columns.values()))) for _, columns in islice(batches(7, 833.0, date(2026, 6, 15)), 12)]
    assert max(sizes) < 200_000


def test_dates_follow_today() -> None:
    def last(day: date) -> str:
        return max(str(c["collection_date"].max()) for t, c in batches(7, 1.0, day) if t == "samples")

    assert last(date(2026, 6, 15)) == "2026-06-15"
    assert last(date(2030, 2, 28)) == "2030-02-28"


@pytest.mark.parametrize("engine", ["sqlite", "duckdb"])
def test_what_is_interrupted_leaves_nothing_behind(engine: str, tmp_path: Path) -> None:
    def interrupted(table: str, rows: int) -> None:
        if table == "results":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lims.create(f"{engine}:///{tmp_path}/lab.db", seed=7, progress=interrupted)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("scale", [0.0, -1.0, 20_000.0, float("nan")])
def test_a_scale_without_meaning(scale: float, tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="scale"):
        lims.create(f"sqlite:///{tmp_path}/lab.db", scale=scale)
