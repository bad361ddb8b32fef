"""General rows for replay: checked on their databases, in PostgreSQL, and apart from every evaluation set."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mnemosyne.datasets import Example, read_examples
from mnemosyne.datasets.quality import Report
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


SPIDER_QUESTION = "Show name, opening year, and capacity for each cinema."
"""Of a held-out database; sets on the hub hold copies of it."""

FILM = "CREATE TABLE film (title VARCHAR, year INTEGER)"


def row(question: str) -> dict[str, str]:
    return {"question": question, "context": FILM, "answer": "SELECT title, year FROM film"}


def test_questions_of_held_out_databases_are_left_out_without_spiders_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rows(name: str, *, limit: int) -> Iterator[tuple[str, dict[str, str]]]:
        yield "row 1", row(SPIDER_QUESTION.upper())
        yield "row 2", row("Titles and years?")

    monkeypatch.setattr(general.hub, "rows", rows)
    done = CliRunner().invoke(general.main, ["--hub", "sql-create-context", "-o", str(tmp_path)])
    assert done.exit_code == 0, done.output
    (kept,) = read_examples(tmp_path / "sql-create-context.jsonl.gz")
    assert kept.question == "Titles and years?"
    assert "left out      1  question of Spider's held-out databases" in done.output


def test_that_no_question_was_held_out_is_said_too() -> None:
    report = Report()
    assert list(general.without_held_out([Example("1", "q", "SELECT 1", FILM)], report))
    assert report.dropped == {general.HELD_OUT: 0}


def test_the_shipped_hashes_are_those_of_the_held_out_databases(spider: Path, tmp_path: Path) -> None:
    general.write_held_out_questions(spider, tmp_path / "made.json")
    made = json.loads((tmp_path / "made.json").read_text())
    assert made["hashes"] == [general.question_hash("list every kind of pet that the cinema lets in")]
    assert made["questions"] == 1
    shipped = general.held_out_questions()
    assert len(shipped) == 1355
    assert general.question_hash(SPIDER_QUESTION) in shipped
    assert all(len(digits) == 16 for digits in shipped)


GRETEL = {
    "sql_prompt": "Which films are there?",
    "sql_context": f"{FILM}; INSERT INTO film (title, year) VALUES ('Heat', 1995), ('Ran', 1985);",
    "sql": "SELECT title FROM film;",
    "sql_complexity": "basic SQL",
}


def built(file: Path, *rows: dict[str, str]) -> tuple[list[Example], str]:
    """What the command keeps of a local file, and says."""
    file.write_text("".join(json.dumps(each) + "\n" for each in rows))
    done = CliRunner().invoke(general.main, ["--context", str(file), "-o", str(file.parent / "out")])
    assert done.exit_code == 0, done.output
    return read_examples(file.parent / "out" / f"{file.stem}.jsonl.gz"), done.output


def test_a_local_file_of_gretel_is_read_as_such(tmp_path: Path) -> None:
    (kept,), said = built(tmp_path / "mine.jsonl", {"note": "no row"}, GRETEL)
    assert "mine.jsonl: read as gretel (sql_prompt, sql_context, sql)" in said
    assert "malformed 1" in said
    assert (kept.id, kept.sql, kept.source) == ("mine-000001", "SELECT title FROM film", "mine")
    assert kept.tags == ("sql_complexity:basic SQL",)
    assert "INSERT" not in kept.schema


def test_which_reader_was_chosen_is_said_and_that_none_fits(tmp_path: Path) -> None:
    kept, said = built(tmp_path / "context.jsonl", row("Titles?"), GRETEL)
    assert "context.jsonl: read as sql-create-context (question, context, answer)" in said
    assert len(kept) == 1
    kept, said = built(tmp_path / "spiders.jsonl", {**row("Titles?"), "overlap": "spider_train"})
    assert "spiders.jsonl: read as sql-create-context" in said
    assert not kept
    kept, said = built(tmp_path / "other.jsonl", {"prompt": "Titles?", "sql": "SELECT 1"})
    assert "no row has the fields of a known set, which are question, context, answer (sql-create-context); " in said
    assert not kept


def test_golds_of_sets_without_data_are_run(tmp_path: Path) -> None:
    golds = {
        "Sum?": "SELECT SUM(title) FROM film",
        "'old'?": "SELECT title FROM film WHERE year = 'old'",
        "Titles?": "SELECT title FROM film",
    }
    rows = [{"question": question, "context": FILM, "answer": sql} for question, sql in golds.items()]
    kept, said = built(tmp_path / "films.jsonl", *rows)
    assert [example.question for example in kept] == ["Titles?"]
    assert "left out      2  does not run on its schema" in said
    kept, said = built(
        tmp_path / "mine.jsonl",
        GRETEL,
        {**GRETEL, "sql_prompt": "Which 'Jaws'?", "sql": "SELECT title FROM film WHERE title = 'Jaws'"},
    )
    assert [example.question for example in kept] == ["Which films are there?"]
    assert "left out      1  empty result" in said


def test_the_cap_draws_from_the_whole_of_a_hub_set_and_a_cut_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sets of the hub have 78,577 and 105,851 rows."""
    limits = []

    def rows(name: str, *, limit: int) -> Iterator[tuple[str, dict[str, str]]]:
        limits.append(limit)
        yield from [(f"row {n}", row(f"Titles of {n}?")) for n in range(5)][:limit]

    monkeypatch.setattr(general.hub, "rows", rows)
    command = ["--hub", "sql-create-context", "-o", str(tmp_path)]
    done = CliRunner().invoke(general.main, command)
    assert min(limits) > 105_851
    assert "were read" not in done.output
    monkeypatch.setattr(general, "MOST", 3)
    done = CliRunner().invoke(general.main, command)
    assert len(read_examples(tmp_path / "sql-create-context.jsonl.gz")) == limits[-1] == 3
    assert "sql-create-context: only the first 3 rows were read" in done.output


def test_sets_are_called_by_their_file_and_rows_by_their_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("one.jsonl", "two.jsonl.gz", "more.v2.json", "sql_create_context/rows.jsonl")
    assert [general.set_name(tmp_path / name) for name in names] == ["one", "two", "more.v2", "sql_create_context"]
    monkeypatch.chdir(tmp_path)
    assert general.set_name(Path("rows.jsonl")) == tmp_path.name
    for name, question in (("one.jsonl", "First titles?"), ("two.jsonl", "Second titles?")):
        Path(name).write_text(json.dumps(row(question)) + "\n")
    done = CliRunner().invoke(general.main, ["--context", "one.jsonl", "--context", "two.jsonl", "-o", "out"])
    assert done.exit_code == 0, done.output
    found = [read_examples(f"out/{name}.jsonl.gz")[0] for name in ("one", "two")]
    assert [(example.question, example.source) for example in found] == [
        ("First titles?", "one"),
        ("Second titles?", "two"),
    ]


@pytest.mark.parametrize("names", [("a/films.jsonl", "b/films.jsonl"), ("general.jsonl",), ("spider.json",)])
def test_names_that_would_overwrite_each_other_are_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    arguments = ["-o", str(tmp_path / "out")]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps(row("Titles?")) + "\n")
        arguments += ["--context", str(tmp_path / name)]
    done = CliRunner().invoke(general.main, arguments)
    assert done.exit_code == 1
    assert "would both be called" in done.output
    assert not (tmp_path / "out").exists()


def test_bad_lines_are_listed_and_a_bad_file_is_an_error_for_people(tmp_path: Path) -> None:
    file = tmp_path / "films.jsonl"
    file.write_text(f"{json.dumps(row('Titles?'))}\nnonsense\n")
    done = CliRunner().invoke(general.main, ["--context", str(file), "-o", str(tmp_path / "out")])
    assert "malformed  films.jsonl, line 2: not JSON" in done.output
    assert len(read_examples(tmp_path / "out" / "films.jsonl.gz")) == 1
    (tmp_path / "films.json").write_text("5")
    done = CliRunner().invoke(general.main, ["--context", str(tmp_path / "films.json"), "-o", str(tmp_path / "out")])
    assert done.exit_code == 1
    assert "holds no list but int" in done.output
