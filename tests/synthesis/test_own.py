"""`mnemosyne synth` on databases that nobody here has seen, kind and unkind ones."""

from __future__ import annotations

import re
import sqlite3
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from mnemosyne import guard
from mnemosyne.cli import group
from mnemosyne.datasets import read_examples
from mnemosyne.errors import DatabaseUnreadable
from mnemosyne.guard.query import SafeQuery
from mnemosyne.schema import Schema
from mnemosyne.synthesis import own
from mnemosyne.synthesis.drafting import draft, singular, words
from mnemosyne.synthesis.lexicon import parse
from mnemosyne.synthesis.pools import Privacy
from mnemosyne.synthesis.populations import invented

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
    import duckdb

    with duckdb.connect(str(tmp_path / "work" / "population-0.duckdb"), read_only=True) as copy:
        assert copy.execute("SELECT COUNT(keeper_name), COUNT(*) FROM keepers").fetchone() == (0, 5)


def test_disguised_values_are_replaced_by_look_alikes(zoo_url: str, tmp_path: Path) -> None:
    privacy = Privacy(disguise=frozenset({"*"}))
    made = own.synthesise(own.Order(zoo_url, tmp_path, 20, today=TODAY, privacy=privacy))
    text = "\n".join(e.question + e.sql + " ".join(e.hints) for e in made.examples)
    assert not re.search(r"\b(Otter|Heron|Lynx|Vole|Ada)\b", text)


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
