"""A PostgreSQL query returns the same rows on PostgreSQL, DuckDB and SQLite."""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pytest
from guard_cases import cases

from mnemosyne import guard
from mnemosyne.datasets.example import Example
from mnemosyne.datasets.jsonl import read_examples
from mnemosyne.guard import SafeQuery
from mnemosyne.guard.query import Dialect
from mnemosyne.results import Failure, Result, same
from mnemosyne.schema import Schema

Ask = Callable[[str], dict[Dialect, Result]]
LABORATORY = cases("laboratory.sql")


def _golds(name: str) -> list[Example]:
    return read_examples(str(files("mnemosyne") / "data" / "sets" / f"{name}.jsonl"))


def assert_agreement(answers: dict[Dialect, Result], sql: str) -> None:
    expected = answers["postgres"]
    for dialect, answer in answers.items():
        assert same(expected, answer), f"{dialect}: {answer.rows[:3]} is not {expected.rows[:3]}\n{sql}"


@pytest.mark.parametrize(("name", "size"), [("lab-dev", 150), ("lab-bench", 200)])
def test_every_gold_of_the_laboratory_returns_the_same_rows_on_three_engines(
    name: str, size: int, ask_all: Ask
) -> None:
    golds = _golds(name)
    assert len(golds) == size
    for gold in golds:
        assert_agreement(ask_all(gold.sql), f"{gold.id}: {gold.sql}")


@pytest.mark.parametrize(("name", "sql"), LABORATORY, ids=[name for name, _ in LABORATORY])
def test_a_query_of_the_laboratory_returns_the_same_rows_on_three_engines(name: str, sql: str, ask_all: Ask) -> None:
    answers = ask_all(sql)
    assert answers["postgres"].rows, "the query should find something"
    assert_agreement(answers, sql)


def test_there_are_at_least_forty_such_queries() -> None:
    assert len(LABORATORY) >= 40


@pytest.mark.parametrize(
    "sql",
    ["SELECT 5 / limit_value FROM determinands WHERE limit_value = 0", "SELECT 1.5 / (analyst_id - 1) FROM analysts"],
)
def test_division_by_zero_is_an_error_in_postgresql_and_no_number_elsewhere(
    sql: str, engines: dict[Dialect, Any], lab: Schema
) -> None:
    for dialect, database in engines.items():
        checked = guard.check(sql, lab, target=dialect)
        assert isinstance(checked, SafeQuery), checked
        outcome = database.run(checked)
        if dialect == "postgres":
            assert isinstance(outcome, Failure)
        else:
            assert isinstance(outcome, Result), outcome
            assert (None,) in outcome.rows
            assert all(cell is None or math.isfinite(cell) for (cell,) in outcome.rows)
