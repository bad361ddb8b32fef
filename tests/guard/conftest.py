"""The laboratory open in three engines, and one way to ask all of them the same PostgreSQL query."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest

from mnemosyne import guard, lims
from mnemosyne.databases import open_database
from mnemosyne.guard import Refusal, SafeQuery
from mnemosyne.guard.query import Dialect
from mnemosyne.results import Failure, Result
from mnemosyne.schema import Schema

TODAY = date(2026, 6, 15)
DIALECTS: tuple[Dialect, ...] = ("postgres", "duckdb", "sqlite")


@pytest.fixture(scope="session")
def lab() -> Schema:
    """The schema of the laboratory."""
    return lims.schema()


@pytest.fixture(scope="session")
def engines(lab_postgres: str, lab_duckdb: str, lab_sqlite: str) -> Iterator[dict[Dialect, Any]]:
    """The same laboratory, open in three engines."""
    opened = {
        dialect: open_database(url)
        for dialect, url in zip(DIALECTS, (lab_postgres, lab_duckdb, lab_sqlite), strict=True)
    }
    yield opened
    for database in opened.values():
        database.close()


@pytest.fixture(scope="session")
def ask_all(engines: dict[Dialect, Any], lab: Schema) -> Callable[[str], dict[Dialect, Result]]:
    """`ask_all(sql)`: the rows of a PostgreSQL query on every engine; the test fails where there are none."""

    def ask(sql: str) -> dict[Dialect, Result]:
        answers: dict[Dialect, Result] = {}
        for dialect, database in engines.items():
            checked = guard.check(sql, lab, target=dialect, today=TODAY)
            assert isinstance(checked, SafeQuery), f"{dialect} refuses {sql}: {_said(checked)}"
            outcome = database.run(checked)
            assert isinstance(outcome, Result), f"{dialect}: {_said(outcome)}\n{sql}\n{checked.sql}"
            answers[dialect] = outcome
        return answers

    return ask


def _said(outcome: Refusal | Failure) -> str:
    return f"{outcome.code}: {outcome.reason}" if isinstance(outcome, Refusal) else outcome.message
