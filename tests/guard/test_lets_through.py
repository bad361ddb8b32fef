"""What must pass: the queries of Spider on SQLite, and those of the laboratory on every engine."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from guard_cases import HERE, cases

from mnemosyne import guard
from mnemosyne.databases import Limits, open_database
from mnemosyne.guard import SafeQuery
from mnemosyne.results import Result, same
from mnemosyne.schema import Schema

WRONG_IN_SPIDER = {"Ref_Company_Types"}
"""Tables that a gold of Spider names and its database does not have."""


def test_a_sample_of_spider_passes() -> None:
    sample = json.loads((HERE / "spider_sample.json").read_text(encoding="utf-8"))
    schemas = {name: Schema.from_ddl(ddl) for name, ddl in sample["schemas"].items()}
    assert len(sample["queries"]) >= 150
    for name, sql in sample["queries"]:
        verdict = guard.check(sql, schemas[name], target="sqlite", written="sqlite")
        assert isinstance(verdict, SafeQuery), f"{name}: {verdict}\n{sql}"


@pytest.mark.slow
def test_every_gold_of_spider_passes_and_returns_the_rows_of_the_query_as_written(
    shared_data: Callable[[str], Path],
) -> None:
    folder = shared_data("spider_train")
    lines = (folder / "train.jsonl").read_text(encoding="utf-8").splitlines()
    opened: dict[str, tuple[Any, Schema]] = {}
    refused, changed = [], []
    for example in map(json.loads, lines):
        name, sql = example["db_id"], example["query"]
        if name not in opened:
            database = open_database(f"sqlite:///{next((folder / 'database' / name).glob('*.sqlite'))}")
            opened[name] = (database, database.schema())
        database, schema = opened[name]
        verdict = guard.check(sql, schema, target="sqlite", written="sqlite")
        if not isinstance(verdict, SafeQuery):
            if verdict.place not in WRONG_IN_SPIDER:
                refused.append(f"{name} {verdict.code}: {verdict.reason}\n  {sql}")
            continue
        limits = Limits(timeout_seconds=20)
        as_written = database.run(SafeQuery(sql, "sqlite", sql), limits)
        as_printed = database.run(verdict, limits)
        if isinstance(as_written, Result) and not as_written.truncated:
            agree = isinstance(as_printed, Result) and same(as_written, as_printed)
            if not agree:
                changed.append(f"{name}: {sql}\n  {verdict.sql}")
    for database, _ in opened.values():
        database.close()
    assert len(lines) == 7000
    assert not refused, f"{len(refused)} refused\n" + "\n".join(refused)
    assert not changed, f"{len(changed)} changed\n" + "\n".join(changed)


@pytest.mark.parametrize("dialect", ["postgres", "sqlite", "duckdb"])
def test_the_queries_of_the_laboratory_pass(dialect: Any, lab: Schema) -> None:
    for name, sql in cases("laboratory.sql"):
        verdict = guard.check(sql, lab, target=dialect)
        assert isinstance(verdict, SafeQuery), f"{name}: {verdict}"
