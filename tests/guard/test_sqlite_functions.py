"""The functions of PostgreSQL that are registered in SQLite: exactly those that a translation may call, and bounded."""

from __future__ import annotations

import sqlite3
import time

import pytest

from mnemosyne.databases import sqlite_functions
from mnemosyne.guard.words import OURS


@pytest.fixture
def connection() -> sqlite3.Connection:
    made = sqlite3.connect(":memory:")
    sqlite_functions.register(made)
    return made


def test_what_is_registered_is_what_the_guard_lists(connection: sqlite3.Connection) -> None:
    rows = connection.execute("SELECT DISTINCT name FROM pragma_function_list WHERE name LIKE 'mn!_%' ESCAPE '!'")
    assert {name for (name,) in rows} == OURS


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("mn_split_part('a-b-c', '-', 2)", "b"),
        ("mn_split_part('a-b-c', '-', -1)", "c"),
        ("mn_split_part('a-b-c', '-', 9)", ""),
        ("mn_initcap('raw milk, full-fat')", "Raw Milk, Full-Fat"),
        ("mn_regexp_replace('Raw Milk', '([A-Z])', '<\\1>', 'g')", "<R>aw <M>ilk"),
        ("mn_regexp_substr('S-2026-17', '[0-9]+')", "2026"),
        ("mn_similar('Raw Milk', '%(Milk|Meat)')", 1),
        ("mn_like('50%', '50\\%')", 1),
        ("mn_ilike('ÉCOLE', 'é%')", 1),
        ("mn_fixed(12.345, 2)", "12.35"),
        ("mn_round_even(2.5)", 2.0),
        ("mn_mod(7.5, 2)", 1.5),
        ("mn_date_add('2026-01-31', 1, 0)", "2026-02-28"),
        ("mn_age('2026-03-01', '2026-01-31')", "1 1 0"),
        ("mn_to_char('2026-06-05', 'FMDDth Mon YYYY')", "5th Jun 2026"),
        ("mn_to_char_number(1234.5, 'FM9,999.00')", "1,234.50"),
        ("mn_greatest(NULL, 2, 3)", 3),
        ("mn_left(NULL, 2)", None),
    ],
)
def test_a_function_answers_as_postgresql_does(sql: str, expected: object, connection: sqlite3.Connection) -> None:
    assert connection.execute(f"SELECT {sql}").fetchone()[0] == expected


@pytest.mark.parametrize(
    "sql",
    [
        "mn_repeat('x', 100000000)",
        "mn_lpad('x', 100000000, 'y')",
        "mn_regexp('" + "a" * 30_000 + "', 'a', '')",
        "mn_split_part('a', 'b', 0)",
        "mn_to_date('tomorrow', 'YYYY-MM-DD')",
    ],
)
def test_what_makes_no_sense_or_too_much_is_an_error(sql: str, connection: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.OperationalError):
        connection.execute(f"SELECT {sql}").fetchone()


def test_a_bad_pattern_ends_after_a_second(connection: sqlite3.Connection) -> None:
    start = time.perf_counter()
    with pytest.raises(sqlite3.OperationalError):
        connection.execute("SELECT mn_regexp(?, '^(a|b|ab)*c$', '')", ("ab" * 5_000 + "!c!",)).fetchone()
    assert time.perf_counter() - start < 10


def test_aggregates_work_over_windows(connection: sqlite3.Connection) -> None:
    rows = connection.execute(
        "SELECT mn_stddev_pop(x) OVER (ORDER BY x ROWS 1 PRECEDING) FROM (SELECT 1 AS x UNION SELECT 3 UNION SELECT 7)"
    ).fetchall()
    assert rows == [(0.0,), (1.0,), (2.0,)]
