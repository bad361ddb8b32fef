"""other-written: pairs about sixteen invented databases, which keep a model general while it learns a laboratory."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest
import sqlglot

from mnemosyne import guard
from mnemosyne.databases import Database, open_database
from mnemosyne.datasets import read_examples
from mnemosyne.datasets.overlap import OverlapIndex, normal_question
from mnemosyne.guard.query import Dialect, SafeQuery
from mnemosyne.lims import sets
from mnemosyne.results import Result
from mnemosyne.schema import Schema
from mnemosyne.synthesis.checking import has

SETS = Path(str(resources.files("mnemosyne.data") / "sets"))
EXAMPLES = read_examples(SETS / "other-written.jsonl.gz")
SCHEMAS = {example.schema: Schema.from_ddl(example.schema) for example in EXAMPLES}
ENGINES: tuple[Dialect, ...] = ("postgres", "duckdb", "sqlite")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Database]]:
    """An empty SQLite database for each schema."""
    opened: dict[str, Database] = {}
    for number, ddl in enumerate(SCHEMAS):
        path = tmp_path_factory.mktemp("other") / f"{number}.db"
        connection = sqlite3.connect(path)
        connection.executescript(ddl)
        connection.close()
        opened[ddl] = open_database(f"sqlite:///{path}")
    yield opened
    for database in opened.values():
        database.close()


def test_sixteen_databases_and_three_tiers() -> None:
    assert len(SCHEMAS) == 16
    assert min(Counter(example.schema for example in EXAMPLES).values()) >= 15
    tiers = Counter(example.tier for example in EXAMPLES)
    assert set(tiers) == {"simple", "moderate", "complex"}
    assert min(tiers.values()) > 60
    assert len({e.id for e in EXAMPLES}) == len({normal_question(e.question) for e in EXAMPLES}) == len(EXAMPLES)


def test_every_query_passes_for_every_engine_and_runs(empty: dict[str, Database]) -> None:
    for example in EXAMPLES:
        for target in ENGINES:
            checked = guard.check(example.sql, SCHEMAS[example.schema], target=target)
            assert isinstance(checked, SafeQuery), (example.id, target, checked)
        assert isinstance(empty[example.schema].run(checked), Result), example.id


def test_nothing_overlaps_an_evaluation_question() -> None:
    protected = OverlapIndex(sets.written())
    held = set(json.loads((SETS / "spider-heldout-questions.json").read_text("utf-8"))["hashes"])
    for example in EXAMPLES:
        assert not protected.reason(example), example.id
        assert hashlib.sha256(normal_question(example.question).encode()).hexdigest()[:16] not in held, example.id


def test_hints_are_conditions_that_the_query_has() -> None:
    hinted = [example for example in EXAMPLES if example.hints]
    assert len(hinted) > len(EXAMPLES) / 5
    assert [e.id for e in hinted if not all(has(sqlglot.parse_one(e.sql, read="postgres"), h) for h in e.hints)] == []
