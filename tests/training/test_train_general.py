"""General rows for replay: checked on their databases, in PostgreSQL, and apart from every evaluation set."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mnemosyne.datasets import Example, read_examples
from mnemosyne.training import general

HELD_OUT = "cinema"


@pytest.fixture
def spider(tmp_path: Path) -> Path:
    """Two databases in Spider's shape, one of them held out."""
    folder = tmp_path / "spider"
    for name in ("pets", HELD_OUT):
        (folder / "database" / name).mkdir(parents=True)
        connection = sqlite3.connect(folder / "database" / name / f"{name}.sqlite")
        connection.execute("CREATE TABLE pet (id INTEGER PRIMARY KEY, kind TEXT, weight REAL)")
        connection.executemany("INSERT INTO pet VALUES (?, ?, ?)", [(1, "Cat", 3.5), (2, "Dog", 12), (3, "Dog", 9)])
        connection.commit()
        connection.close()
    rows = [
        ("pets", "How many dogs are there?", 'SELECT count(*) FROM pet WHERE kind = "Dog"'),
        ("pets", "Which kinds are heavier than a ton?", "SELECT kind FROM pet WHERE weight > 1000"),
        ("pets", "Which colours are there?", "SELECT colour FROM pet"),
        (HELD_OUT, "List every kind of pet that the cinema lets in.", "SELECT kind FROM pet"),
    ]
    lines = [json.dumps({"db_id": db, "question": question, "query": sql}) for db, question, sql in rows]
    (folder / "train.jsonl").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """Rows in the shape of sql-create-context."""
    file = tmp_path / "context" / "rows.jsonl"
    file.parent.mkdir()
    table = "CREATE TABLE film (title VARCHAR, year INTEGER)"

    def row(question: str, answer: str, **more: Any) -> str:
        return json.dumps({"question": question, "context": table, "answer": answer, **more})

    file.write_text("\n".join([
        row("When was Heat made?", 'SELECT year FROM film WHERE title = "Heat"'),
        row("When was Ran made?", 'SELECT year FROM film WHERE title = "ran"'),
        row("How long is Heat?", "SELECT minutes FROM film"),
        row("How many films are there?", "SELECT COUNT(*) FROM film", overlap="spider_train"),
        row("List every kind of pet that the cinema lets in.", "SELECT title FROM film"),
    ]) + "\n")  # fmt: skip
    return file


def test_what_is_kept_runs_and_is_apart_from_evaluation(spider: Path, context: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["--spider", spider, "--context", context, "-o", out]
    done = CliRunner().invoke(general.main, list(map(str, arguments)))
    assert done.exit_code == 0, done.output

    (pets,) = read_examples(out / "spider.jsonl.gz")
    assert pets.dialect == "postgres"
    assert pets.sql == "SELECT COUNT(*) FROM pet WHERE kind = 'Dog'"
    assert (out / "schemas" / "spider" / "pets.sql").read_text().startswith("CREATE TABLE pet")
    (film,) = read_examples(out / "context.jsonl.gz")
    assert film.question == "When was Heat made?"
    assert "texts unlike the question's" in done.output
    assert "overlaps evaluation by question" in done.output

    mixed = read_examples(out / "general.jsonl.gz")
    assert {example.id for example in mixed} == {pets.id, film.id}
    assert all("CREATE TABLE" in example.schema for example in mixed), "each row carries its schema"


def test_a_mixture_takes_as_many_rows_of_each_schema_and_is_the_same_each_time() -> None:
    rows = [Example(f"{s}-{i}", "q", "SELECT 1", s) for s, n in (("a", 50), ("b", 5)) for i in range(n)]
    others = [Example(f"o-{i}", "q", "SELECT 1", "CREATE TABLE o (x INT)") for i in range(30)]

    def mix(seed: int) -> list[Example]:
        return general.mixture(rows, {"a": "A", "b": "B"}, others, per_schema=10, of_others=7, seed=seed)

    assert sorted(example.id[0] for example in mix(0)) == ["a"] * 10 + ["b"] * 5 + ["o"] * 7
    assert mix(0) == mix(0) != mix(1)


def test_the_shipped_list_of_held_out_databases_is_used() -> None:
    assert HELD_OUT in general.held_out_databases()
    assert len(general.held_out_databases()) == 28
