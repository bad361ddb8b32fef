"""`mnemosyne synth` on databases that nobody here has seen, kind and unkind ones."""

from __future__ import annotations

import io
import os
import re
import sqlite3
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner
from filelock import FileLock
from rich.console import Console

from mnemosyne import guard
from mnemosyne.cli import group
from mnemosyne.datasets import Example, read_examples
from mnemosyne.engines.scripted import ScriptedEngine
from mnemosyne.errors import DatabaseUnreadable, SettingsError
from mnemosyne.guard.query import SafeQuery
from mnemosyne.schema import Schema
from mnemosyne.synthesis import own
from mnemosyne.synthesis.disguise import disguised, shown, spoken
from mnemosyne.synthesis.drafting import draft, singular, words
from mnemosyne.synthesis.lexicon import parse
from mnemosyne.synthesis.pools import Privacy
from mnemosyne.synthesis.populations import invented
from mnemosyne.training.data import Schemas
from mnemosyne.training.recipe import load

TODAY = date(2026, 6, 15)

ZOO = """
CREATE TABLE keepers (keeper_id INTEGER PRIMARY KEY, keeper_name TEXT NOT NULL, phone TEXT, hired_date DATE);
CREATE TABLE animals (animal_id INTEGER PRIMARY KEY, name TEXT NOT NULL, species TEXT, keeper_id INTEGER NOT NULL
  REFERENCES keepers (keeper_id), weight REAL, born DATE, active BOOLEAN);
CREATE TABLE feedings (feeding_id INTEGER PRIMARY KEY, animal_id INTEGER REFERENCES animals (animal_id), amount REAL,
  fed_date DATE);
"""


def zoo(path: Path) -> str:
    """A small zoo with rows."""
    connection = sqlite3.connect(path)
    connection.executescript(ZOO)
    connection.executemany(
        "INSERT INTO keepers VALUES (?, ?, ?, ?)",
        [
            (n, name, f"0700 {n}{n}{n} 112", f"20{10 + n}-03-01")
            for n, name in enumerate(["Ada", "Bo", "Cy", "Di", "Ed"], 1)
        ],
    )
    species = ["Otter", "Heron", "Lynx", "Otter", "Vole"]
    connection.executemany(
        "INSERT INTO animals VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(n, f"Pet {n}", species[n % 5], n % 5 + 1, n * 1.5 % 37, f"20{10 + n % 14}-0{n % 9 + 1}-11", n % 3 > 0)
         for n in range(1, 61)],
    )  # fmt: skip
    connection.executemany(
        "INSERT INTO feedings VALUES (?, ?, ?, ?)",
        [(n, n % 50 + 1, n % 13, f"2026-0{n % 6 + 1}-{n % 27 + 1:02d}") for n in range(1, 301)],
    )
    connection.commit()
    connection.close()
    return str(path)


@pytest.fixture(scope="module")
def zoo_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{zoo(tmp_path_factory.mktemp('zoo') / 'zoo.db')}"


def test_names_are_split_and_put_into_the_singular() -> None:
    assert words("ClientProjects") == "client projects"
    assert words("stu_fname") == "student first name"
    many = ("client projects", "categories", "analyses", "people", "boxes", "status", "addresses")
    one = ["client project", "category", "analysis", "person", "box", "status", "address"]
    assert [singular(noun) for noun in many] == one


def test_a_drafted_lexicon_fits_its_schema_and_says_what_columns_are_for(zoo_url: str) -> None:
    schema = own.own_schema(zoo_url)
    from mnemosyne.databases import open_database

    database = open_database(zoo_url)
    lexicon = parse(draft(schema, database), schema)
    database.close()
    kinds = {f"{t.name}.{c.name}": c.kind for t in lexicon.tables.values() for c in t.columns.values()}
    assert kinds["animals.species"] == "category"
    assert kinds["animals.name"] == "name"
    assert kinds["animals.weight"] == "number"
    assert kinds["animals.active"] == "boolean"
    assert kinds["feedings.fed_date"] == "date"
    assert "animals.keeper_id" not in kinds
    assert lexicon.tables["keepers"].columns["hired_date"].done == ("hired",)


def test_pairs_for_an_unknown_database(zoo_url: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(
        group, ["synth", "--db", zoo_url, "-o", str(tmp_path), "-n", "30", "--today", "2026-06-15", "--name", "zoo"]
    )
    assert result.exit_code == 0, result.output
    examples = read_examples(tmp_path / "pairs.jsonl.gz")
    assert len(examples) == 30
    schema = Schema.from_ddl((tmp_path / "schemas" / "zoo.sql").read_text())
    for example in examples:
        assert isinstance(guard.check(example.sql, schema), SafeQuery), example.sql
    assert {tag for e in examples for tag in e.tags} >= {"table:animals", "table:keepers"}
    assert "told apart" in result.output
    assert "## Coverage" in (tmp_path / "report.md").read_text()
    assert f"mnemosyne train {tmp_path / 'recipe.yaml'} --dry-run" in result.output
    recipe = load(tmp_path / "recipe.yaml")
    assert recipe.name == "zoo"
    assert [tmp_path / source.path for source in recipe.data] == [tmp_path / "pairs.jsonl.gz"]
    text = (tmp_path / "recipe.yaml").read_text()
    judged = text.replace("# validation:", "validation:").replace("select: loss ", "select: execution ")
    (tmp_path / "recipe.yaml").write_text(judged)
    with_questions = load(tmp_path / "recipe.yaml")
    assert with_questions.validation is not None
    assert with_questions.select == "execution"


def test_a_lexicon_that_was_edited_is_used_and_never_overwritten(zoo_url: str, tmp_path: Path) -> None:
    runner = CliRunner()
    drafted = runner.invoke(group, ["synth", "--db", zoo_url, "-o", str(tmp_path), "--draft"])
    assert "Edit it" in drafted.output
    file = tmp_path / "lexicon.yaml"
    file.write_text(file.read_text().replace("- animal\n", "- creature\n", 1))
    made = own.synthesise(own.Order(zoo_url, tmp_path, 12, today=TODAY))
    assert any("creature" in e.question for e in made.examples)
    assert "- creature" in file.read_text()


def test_a_mistake_in_a_lexicon_is_told_with_line_and_nearest_name(zoo_url: str, tmp_path: Path) -> None:
    file = tmp_path / "zoo.yaml"
    file.write_text("tables:\n  animals:\n    columns:\n      wait: {kind: number}\n")
    result = CliRunner().invoke(group, ["synth", "--db", zoo_url, "-o", str(tmp_path), "--lexicon", str(file)])
    assert result.exit_code != 0
    assert "line 4" in str(result.exception)
    assert "weight" in result.exception.hint  # type: ignore[union-attr]


def test_excluded_columns_are_never_read_or_written(zoo_url: str, tmp_path: Path) -> None:
    privacy = Privacy(exclude=frozenset({"keeper_name", "keepers.phone"}))
    made = own.synthesise(own.Order(zoo_url, tmp_path, 20, today=TODAY, privacy=privacy))
    text = "\n".join(e.question + e.sql for e in made.examples) + (tmp_path / "lexicon.yaml").read_text()
    assert not re.search(r"\b(Ada|Bo|Cy|Di|Ed)\b|0700", text)
    assert stored(tmp_path, "SELECT COUNT(keeper_name), COUNT(*) FROM keepers")[0] == (0, 5)


def stored(folder: Path, sql: str) -> list[tuple[object, ...]]:
    """The rows of a query on every copy that is left in a folder, one after the other."""
    import duckdb

    found: list[tuple[object, ...]] = []
    for file in sorted((folder / "work").rglob("*.duckdb")):
        with duckdb.connect(str(file), read_only=True) as copy:
            found += copy.execute(sql).fetchall()
    return found


def test_a_second_run_that_excludes_a_column_leaves_none_of_it(zoo_url: str, tmp_path: Path) -> None:
    own.synthesise(own.Order(zoo_url, tmp_path, 4, today=TODAY))
    before = {path.name for path in (tmp_path / "work").iterdir()}
    assert stored(tmp_path, "SELECT COUNT(phone) FROM keepers")[0] == (5,)
    (tmp_path / "work" / "population-0.duckdb").write_bytes(b"of an earlier version")
    own.synthesise(own.Order(zoo_url, tmp_path, 4, today=TODAY, privacy=Privacy(exclude=frozenset({"Phone"}))))
    after = {path.name for path in (tmp_path / "work").iterdir()}
    assert len(before) == len(after) == 1
    assert before != after
    assert stored(tmp_path, "SELECT COUNT(phone) FROM keepers") == [(0,)] * 3


def test_copies_are_made_again_when_what_decides_them_changes(tmp_path: Path) -> None:
    url = f"sqlite:///{zoo(tmp_path / 'zoo.db')}"
    schema = own.own_schema(url)
    order = own.Order(url, tmp_path / "out", today=TODAY)
    first = own.copies(order, schema)
    made = first.files[0].stat().st_mtime_ns
    assert own.copies(order, schema).files[0].stat().st_mtime_ns == made
    others = [
        replace(order, seed=1), replace(order, today=date(2026, 6, 16)),
        replace(order, privacy=Privacy(disguise=frozenset({"phone"}))),
    ]  # fmt: skip
    names = {first.folder.name, *(own.copies(other, schema).folder.name for other in others)}
    with sqlite3.connect(tmp_path / "zoo.db") as connection:
        connection.execute("INSERT INTO keepers VALUES (6, 'Flo', NULL, NULL)")
    connection.close()
    names.add(own.copies(order, schema).folder.name)
    assert len(names) == 5
    assert len(list((tmp_path / "out" / "work").iterdir())) == 1
    assert stored(tmp_path / "out", "SELECT COUNT(*) FROM keepers")[0] == (6,)


def test_the_order_of_names_does_not_matter(zoo_url: str, tmp_path: Path) -> None:
    code = (
        "import sys; from datetime import date; from pathlib import Path;"
        "from mnemosyne.databases import open_database;"
        "from mnemosyne.synthesis import copies, own; from mnemosyne.synthesis.pools import Privacy;"
        "names = frozenset({'phone', 'keepers.keeper_name', 'species', 'animals.name'});"
        "order = own.Order(sys.argv[1], Path('out'), today=date(2026, 6, 15), privacy=Privacy(names));"
        "print(copies.digest(order, own.own_schema(order.url), open_database(order.url)))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code, zoo_url], env={**os.environ, "PYTHONHASHSEED": seed}, cwd=tmp_path,
            check=True, capture_output=True, text=True,
        ).stdout
        for seed in ("1", "2", "3")
    }  # fmt: skip
    assert len(found) == 1


def test_disguised_values_are_asked_for_and_nothing_stored_appears(zoo_url: str, tmp_path: Path) -> None:
    made = own.synthesise(own.Order(zoo_url, tmp_path, 40, today=TODAY, privacy=Privacy(disguise=frozenset({"*"}))))
    text = "\n".join(e.question + e.sql + " ".join(e.hints) for e in made.examples)
    assert not re.search(r"\b(Otter|Heron|Lynx|Vole|Ada|Pet \d+)\b", text)
    species = {str(name) for (name,) in stored(tmp_path, "SELECT species FROM animals WHERE species IS NOT NULL")}
    assert len(species) == 4
    assert not species & {"Otter", "Heron", "Lynx", "Vole"}
    filtered = [e.sql for e in made.examples if any(f"'{name}'" in e.sql for name in species)]
    assert filtered
    for sql in filtered:
        assert isinstance(checked := guard.check(sql, own.own_schema(zoo_url), target="duckdb", today=TODAY), SafeQuery)
        assert stored(tmp_path, checked.sql)


def test_what_a_lexicon_says_of_disguised_values_is_left_out(zoo_url: str, tmp_path: Path) -> None:
    schema = own.own_schema(zoo_url)
    text = (
        "tables: {animals: {columns: {species: {kind: category, values: {Otter: [river otter]}},\n"
        "  weight: {kind: number}}}}\n"
        "terms: [{on: animals, sql: \"animals.species = 'Otter'\", post: [that swim]},\n"
        "  {on: animals, sql: animals.weight > 20, post: [that are heavy]}]\n"
    )
    columns = disguised(Privacy(disguise=frozenset({"species"})), schema)
    lexicon = spoken(parse(text, schema), columns)
    assert [term.phrases.post for term in lexicon.terms] == [("that are heavy",)]
    assert not lexicon.tables["animals"].columns["species"].values
    assert "Otter" not in shown(Schema.from_ddl(LISTED), frozenset({("animals", "species")})).to_ddl()
    assert "Otter" in shown(Schema.from_ddl(LISTED), frozenset()).to_ddl()


LISTED = "CREATE TABLE animals (species TEXT CHECK (species IN ('Otter', 'Vole')))"


def test_written_pairs_cannot_be_disguised(zoo_url: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text('{"question": "How many otters?", "sql": "SELECT COUNT(*) FROM animals"}\n')
    with pytest.raises(SettingsError, match="--disguise"):
        list(own.check(own.Order(zoo_url, tmp_path, privacy=Privacy(disguise=frozenset({"*"}))), file))


@pytest.mark.parametrize("option", ["--exclude", "--disguise"])
def test_an_unknown_column_is_told_with_the_nearest_name(option: str, zoo_url: str, tmp_path: Path) -> None:
    command = ["synth", "--db", zoo_url, "-o", str(tmp_path / "out"), option, "keepers.fone"]
    result = CliRunner().invoke(group, command)
    assert isinstance(result.exception, SettingsError)
    assert f"{option}: the schema has no column 'keepers.fone'" in str(result.exception)
    assert "keepers.phone" in result.exception.hint
    assert not (tmp_path / "out").exists()


def test_the_walk_through_gives_what_it_says(zoo_url: str, tmp_path: Path) -> None:
    runner, command = CliRunner(), ["synth", "--db", zoo_url, "-o", str(tmp_path), "--today", "2026-06-15"]
    assert runner.invoke(group, [*command, "--draft"]).exit_code == 0
    assert "name: own" in (tmp_path / "lexicon.yaml").read_text()
    assert runner.invoke(group, [*command, "-n", "6", "--name", "mylims"]).exit_code == 0
    examples = read_examples(tmp_path / "pairs.jsonl.gz")
    assert {(e.schema, e.source) for e in examples} == {("mylims", "mylims")}
    assert sorted(path.name for path in (tmp_path / "schemas").iterdir()) == ["mylims.sql"]
    assert "pairs for mylims" in (tmp_path / "report.md").read_text()
    file = tmp_path / "lexicon.yaml"
    file.write_text(file.read_text().replace("name: own", "name: menagerie", 1))
    written = tmp_path / "mine.jsonl"
    written.write_text(
        '{"question": "Which animals are otters?", "sql": "SELECT name FROM animals WHERE species = \'Otter\'"}\n'
    )
    assert runner.invoke(group, [*command, "--check", str(written)]).exit_code == 0
    assert {e.schema for e in read_examples(tmp_path / "checked.jsonl.gz")} == {"menagerie"}


def test_tables_that_are_not_as_stored_are_told(tmp_path: Path) -> None:
    path = tmp_path / "zoo.db"
    zoo(path)
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM feedings")
    connection.close()
    result = CliRunner().invoke(group, ["synth", "--db", str(path), "-o", str(tmp_path / "out"), "-n", "4"])
    assert "Without rows, so invented: feedings." in result.output
    report = (tmp_path / "out" / "report.md").read_text()
    assert "Without rows, so invented: feedings." in report
    assert "| animals | 60 | whole |" in report


UNKIND = {
    "empty": ZOO,
    "no keys": "CREATE TABLE readings (station TEXT, value REAL, taken DATE, quality TEXT)",
    "keywords and spaces": """
        CREATE TABLE "order" ("order id" INTEGER PRIMARY KEY, "group" TEXT, "select" REAL, "due date" DATE);
        CREATE TABLE "line item" (id INTEGER PRIMARY KEY, "desc" TEXT,
          "order id" INTEGER REFERENCES "order" ("order id"));
        """,
    "cycle": """
        CREATE TABLE teams (team_id INTEGER PRIMARY KEY, team_name TEXT,
          captain_id INTEGER REFERENCES players (player_id));
        CREATE TABLE players (player_id INTEGER PRIMARY KEY, player_name TEXT, score REAL,
          team_id INTEGER REFERENCES teams (team_id));
        """,
    "own parent": """
        CREATE TABLE parts (part_id INTEGER PRIMARY KEY, part_name TEXT, parent_id INTEGER REFERENCES parts (part_id));
        """,
}


@pytest.mark.parametrize("name", UNKIND)
def test_unkind_databases(name: str, tmp_path: Path) -> None:
    path = tmp_path / "unkind.db"
    connection = sqlite3.connect(path)
    connection.executescript(UNKIND[name])
    connection.close()
    made = own.synthesise(own.Order(f"sqlite:///{path}", tmp_path / "out", 8, today=TODAY))
    assert len(made.examples) == 8 or (made.exhausted and made.examples)
    schema = own.own_schema(f"sqlite:///{path}")
    for example in made.examples:
        assert isinstance(guard.check(example.sql, schema), SafeQuery), example.sql


def test_a_database_without_tables_is_an_error_for_people(tmp_path: Path) -> None:
    path = tmp_path / "bare.db"
    connection = sqlite3.connect(path)
    connection.executescript("CREATE TABLE gone (id INT); DROP TABLE gone;")
    connection.close()
    with pytest.raises(DatabaseUnreadable, match="holds no table"):
        own.own_schema(f"sqlite:///{path}")


def test_invented_rows_satisfy_keys_and_value_lists() -> None:
    schema = Schema.from_ddl(
        "CREATE TABLE farms (farm_id INT PRIMARY KEY, kind TEXT CHECK (kind IN ('dairy', 'beef')));"
        "CREATE TABLE cows (cow_id INT PRIMARY KEY, farm_id INT NOT NULL REFERENCES farms (farm_id))"
    )
    rows = invented(schema, seed=4, today=TODAY)
    assert {row[1] for row in rows["farms"]} <= {"dairy", "beef", None}
    assert {row[1] for row in rows["cows"]} <= {row[0] for row in rows["farms"]}
    assert rows == invented(schema, seed=4, today=TODAY)


@pytest.mark.parametrize("quiet", [False, True])
def test_paraphrases_are_counted_on_a_terminal(
    quiet: bool, zoo_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen, fetched = io.StringIO(), []
    monkeypatch.setattr("mnemosyne.cli.console.stderr", lambda: Console(file=screen, force_terminal=True, width=80))
    monkeypatch.setattr("mnemosyne.cli.downloading.fetch", lambda name, settings: fetched.append(name))
    monkeypatch.setattr(
        "mnemosyne.engines.open_engine", lambda name, settings: ScriptedEngine(lambda asked: "SELECT 1")
    )
    command = ["synth", "--db", zoo_url, "-o", str(tmp_path), "-n", "6", "--today", "2026-06-15", "--paraphrase", "m"]
    ran = CliRunner().invoke(group, [*command, *(["-q"] if quiet else [])])
    assert ran.exit_code == 0, ran.output
    assert "0 of 6 paraphrases kept" in ran.output
    assert ("6 of 6 pairs tried in other words" in screen.getvalue()) is not quiet
    assert fetched == ([] if quiet else ["m"])


def test_a_second_run_in_the_same_folder_is_turned_away(zoo_url: str, tmp_path: Path) -> None:
    order = own.Order(zoo_url, tmp_path, 4, today=TODAY)
    pairs = tmp_path / "mine.jsonl"
    pairs.write_text('{"question": "How many animals?", "sql": "SELECT COUNT(*) FROM animals"}\n')
    with FileLock(tmp_path / ".lock"):
        for run in (lambda: own.synthesise(order), lambda: list(own.check(order, pairs))):
            with pytest.raises(SettingsError, match="Another run") as caught:
                run()
            assert "-o" in caught.value.hint
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize("name", ["mylims", "plant 2/lims-a", "größe"])
def test_training_finds_the_schema_of_any_name(name: str, zoo_url: str, tmp_path: Path) -> None:
    schema = own.own_schema(zoo_url)
    own.write_schema(tmp_path, own.checked_name(name), schema)
    read = Schemas(tmp_path / "pairs.jsonl.gz").ddl(Example("1", "How many?", "SELECT 1", name))
    assert read == schema.to_ddl()


@pytest.mark.parametrize("name", ["../lims", "/lims", "a//b", "a/..", "my\\lims", "create table x"])
def test_a_name_that_no_file_can_have_is_refused(name: str, zoo_url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be called"):
        own.synthesise(own.Order(zoo_url, tmp_path / "out", 4, today=TODAY, name=name))
    assert not (tmp_path / "out" / "work").exists()
