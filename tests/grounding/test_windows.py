"""What words of time mean, told to the model as conditions; measured against queries that people wrote."""

import gzip
import json
from datetime import date
from importlib.resources import files

import pytest
import sqlglot

from mnemosyne.grounding import Grounder
from mnemosyne.grounding.days import bounds_of
from mnemosyne.grounding.windows import Window, is_dated, windows
from mnemosyne.schema import Schema

LAB = Schema.from_ddl((files("mnemosyne.data") / "lims" / "schema.sql").read_text(encoding="utf-8"))
TODAY = date(2026, 6, 15)
YEAR = "DATE_TRUNC('year', CURRENT_DATE)"


def days(window: Window) -> tuple[date | None, date | None]:
    tree = sqlglot.parse_one(f"SELECT 1 FROM t WHERE {window.condition}", read="postgres")
    [bounds] = bounds_of(tree, TODAY).values()
    return bounds.start, bounds.end


@pytest.mark.parametrize(
    ("question", "start", "end"),
    [
        ("Samples received in the last 30 days?", "2026-05-16", None),
        ("since the first day of last month", "2026-05-01", None),
        ("last 12 months of this client's projects", "2025-06-15", None),
        ("the last 3 months of Marlborough Dairy", "2026-03-15", None),
        ("more than half of this year's samples", "2026-01-01", None),
        ("samples taken at the spring last month", "2026-05-01", "2026-05-31"),
        ("Hatherleigh Spring last year", "2025-01-01", "2025-12-31"),
        ("last year's Winter Hill samples", "2025-01-01", "2025-12-31"),
        ("samples per month before last year", None, "2024-12-31"),
        ("between the start of this year and today", "2026-01-01", None),
        ("tested in the past two weeks", "2026-06-01", None),
        ("over the past fortnight", "2026-06-01", None),
        ("the last 12 mths", "2025-06-15", None),
        ("Failures this year, by month", "2026-01-01", None),
        ("this month's receipts", "2026-06-01", None),
        ("before the current month", None, "2026-05-31"),
        ("since the start of the year", "2026-01-01", None),
        ("year to date", "2026-01-01", None),
        ("How many last month?", "2026-05-01", "2026-05-31"),
        ("last year's failures", "2025-01-01", "2025-12-31"),
        ("results from last year", "2025-01-01", "2025-12-31"),
        ("over the last full calendar year", "2025-01-01", "2025-12-31"),
        ("since 1 January last year", "2025-01-01", None),
        ("registered this year or last year", "2025-01-01", None),
        ("last quarter", "2026-01-01", "2026-03-31"),
        ("what came in yesterday?", "2026-06-14", "2026-06-14"),
        ("samples received today", "2026-06-15", "2026-06-15"),
        ("tested more than a fortnight ago", None, "2026-05-31"),
        ("worksheets older than 30 days", None, "2026-05-15"),
        ("collected in March 2025", "2025-03-01", "2025-03-31"),
        ("collected since Nov 2025", "2025-11-01", None),
        ("December 2025 only", "2025-12-01", "2025-12-31"),
        ("in Q2 2025", "2025-04-01", "2025-06-30"),
        ("the fourth quarter of 2025", "2025-10-01", "2025-12-31"),
        ("second half of 2025", "2025-07-01", "2025-12-31"),
    ],
)
def test_words_of_time_are_days(question: str, start: str | None, end: str | None) -> None:
    [window] = windows(question)
    wanted = tuple(date.fromisoformat(day) if day else None for day in (start, end))
    assert days(window) == wanted
    assert window.words in question.lower()
    assert window.hint == f"{window.words}: {window.condition}"


@pytest.mark.parametrize(
    "question",
    [
        "samples received in Q1 last year",  # parts of a period
        "samples of the first half of last year",
        "first quarter of this year",
        "last year's Q3",
        "samples at the start of last year",
        "since the end of last year",
        "summer last year",
        "samples of the spring of last year",
        "how many in the winter last year",
        "at the first day of last month",
        "the rest of this month",
        "this time last year",  # a part of another
        "this quarter last year",
        "the same month last year",
        "last year and the year before",  # more than one
        "the year before last year",
        "the last 3 months of 2024",
        "received by March 2024",
        "How many samples?",
        "over the last year",  # the calendar year or the last 365 days
        "Samples of 2025 by month, with the previous month beside it",
        "collected between 1 March 2025 and 4 April 2025",
        "June and July 2025",
        "from May 2025 to July 2025",
        "the first ten days of June 2026",
        "April this year",
        "yesterday and the day before",
        "yesterday's stocktake",
        "turnaround of more than three days",
        "until last year",
        "2025's last quarter",
    ],
)
def test_what_could_be_read_in_two_ways_is_left_to_the_model(question: str) -> None:
    assert windows(question) == ()


def test_a_day_is_a_range_where_columns_hold_times_of_day() -> None:
    yesterday, today = "samples received yesterday", "samples received today"
    assert [w.condition for w in windows(yesterday)] == ["date = CURRENT_DATE - INTERVAL '1 day'"]
    for question, condition in (
        (yesterday, "date >= CURRENT_DATE - INTERVAL '1 day' AND date < CURRENT_DATE"),
        (today, "date >= CURRENT_DATE AND date < CURRENT_DATE + INTERVAL '1 day'"),
    ):
        assert [w.condition for w in windows(question, moments=True)] == [condition]
        timed = Grounder(Schema.from_ddl("CREATE TABLE samples (sample_id INTEGER, received_at TIMESTAMP);"))
        [hint] = timed.hints(question)
        assert hint.endswith(condition)


def test_two_windows_are_told_in_the_order_of_the_question_and_each_once() -> None:
    found = windows("Samples received last year and those of this month, this month by matrix")
    assert [window.words for window in found] == ["last year", "this month"]
    assert found[0].condition == f"date >= {YEAR} - INTERVAL '1 year' AND date < {YEAR}"


def test_windows_agree_with_the_queries_that_people_wrote() -> None:
    """lab-written: of the windows told, at most one in twenty has other days than the written query."""
    right = wrong = 0
    for line in gzip.decompress((files("mnemosyne.data") / "sets" / "lab-written.jsonl.gz").read_bytes()).splitlines():
        row = json.loads(line)
        found = windows(row["question"])
        if not found:
            continue
        places = list(bounds_of(sqlglot.parse_one(row["sql"], read="postgres"), TODAY).values())
        starts, ends = {place.start for place in places}, {place.end for place in places}
        for window in found:
            start, end = days(window)
            good = (start is None or start in starts) and (end is None or end in ends)
            right, wrong = right + good, wrong + (not good)
    assert right > 400
    assert wrong / (right + wrong) < 0.05, (right, wrong)


def test_a_grounder_tells_windows_after_values_and_only_of_schemas_with_dates() -> None:
    grounder = Grounder(LAB)
    question = "How many samples did we receive last month?"
    [hint] = grounder.hints(question)
    assert hint.startswith("last month: date >= DATE_TRUNC('month', CURRENT_DATE)")
    assert grounder.ground(question).hints == (hint,)
    assert grounder.ground(question, hints=False).hints == ()
    undated = Schema.from_ddl("CREATE TABLE products (name TEXT, price NUMERIC)")
    assert not is_dated(undated)
    assert Grounder(undated).hints("Which products are new last month?") == ()


def test_a_long_question_is_read_quickly() -> None:
    assert len(windows("june or july of the last 3 days in march 2025 to " * 200)) <= 3
