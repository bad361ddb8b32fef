"""A person's own lexicon: its names find tables, columns and values as the schema's own do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mnemosyne.assistant import Assistant, Options, lexicon
from mnemosyne.databases import Database, open_database
from mnemosyne.engines.scripted import ScriptedEngine
from mnemosyne.errors import LexiconError
from mnemosyne.grounding import Grounder, ValueIndex
from mnemosyne.grounding.names import Names
from mnemosyne.grounding.tables import SchemaIndex
from mnemosyne.guard.policy import read_policy
from mnemosyne.schema import Column, Schema, Table
from mnemosyne.settings import Settings

SHOP = """
CREATE TABLE t_anim (id INTEGER PRIMARY KEY, brd TEXT, grp TEXT, st TEXT, nr1 TEXT, nr2 TEXT, nr3 TEXT);
CREATE TABLE t_lact (id INTEGER PRIMARY KEY, anim INTEGER REFERENCES t_anim(id), kg NUMERIC, d DATE);
INSERT INTO t_anim VALUES (1, 'HOL', 'Dry Group', 'A', 'x', 'y', 'z'), (2, 'SIM', 'Fresh Group', 'C', 'x', 'y', 'z');
"""

WORDS = """
name: herd
tables:
  t_anim:
    nouns: [cow, heifer]
    columns:
      brd: {kind: category, nouns: [breed], values: {HOL: [Holstein, black and white], SIM: [Simmental]}}
      grp: {kind: category, nouns: [feeding group]}
      st: {kind: category, nouns: [status], values: {A: [alive], C: [culled]}}
  t_lact:
    nouns: [milking]
    columns:
      kg: {kind: number, nouns: [yield of milk], over: ["that gave more than {n} kilos"]}
      d: {kind: date, nouns: [date], done: [milked]}
"""


@pytest.fixture
def herd(tmp_path: Path) -> Iterator[Database]:
    with sqlite3.connect(tmp_path / "herd.db") as connection:
        connection.executescript(SHOP)
    connection.close()
    database = open_database(f"sqlite:///{tmp_path / 'herd.db'}")
    yield database
    database.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "herd.yaml"
    path.write_text(WORDS, encoding="utf-8")
    return path


@pytest.fixture
def names(herd: Database, file: Path) -> Names:
    return lexicon.read(file, herd.schema())


def among_others(schema: Schema) -> Schema:
    """The herd among forty tables that have nothing to do with it."""
    columns = tuple(Column(f"x{n}", "TEXT") for n in range(12))
    others = tuple(Table(f"zz_{i}", (Column("id", "INTEGER"), *columns), ("id",)) for i in range(40))
    return replace(schema, tables=(*others[:20], *schema.tables, *others[20:]))


def test_nouns_find_tables_that_are_called_otherwise(herd: Database, names: Names) -> None:
    schema = among_others(herd.schema())
    for question in ("How many milkings of each heifer?", "Milkings per cow in May"):
        part = SchemaIndex(schema, names=names).link(question, 200).schema
        assert {"t_anim", "t_lact"} <= {table.name for table in part.tables}
        part = SchemaIndex(schema).link(question, 200).schema
        assert not {"t_anim", "t_lact"} & {table.name for table in part.tables}, "the schema has no such words"


def test_nouns_and_words_for_values_find_columns(herd: Database, names: Names) -> None:
    index = SchemaIndex(among_others(herd.schema()), names=names)
    assert index.rank("What is the average yield?")[0] == 21
    assert index.rank("Which ones are Simmental?")[0] == 20

    def narrowed(index: SchemaIndex, question: str) -> set[str]:
        words = question.split()
        return {column.name for column in index._shape(20, words, set(), whole=False).columns}

    assert narrowed(index, "breed") == {"id", "brd"}
    assert narrowed(SchemaIndex(among_others(herd.schema())), "breed") == {"id"}
    for made, said in ((index, True), (SchemaIndex(among_others(herd.schema())), False)):
        huge = made._narrow(20, {"status"}, 20)
        assert ("st" in {column.name for column in huge.columns}) == said


def test_words_for_values_are_hints_and_words_for_codes_are_not(herd: Database, names: Names) -> None:
    index = ValueIndex.build(herd, herd.schema(), names=names)
    question = "How many Holsteins and black and white heifers were culled?"
    found = {mention.words: (mention.hint, mention.useful) for mention in index.mentions(question)}
    assert found == {
        "Holsteins": ("t_anim.brd = 'HOL'", True),
        "black and white": ("t_anim.brd = 'HOL'", True),
        "culled": ("t_anim.st = 'C'", False),
    }
    assert not ValueIndex.build(herd, herd.schema()).mentions(question)


def test_a_noun_is_no_misspelt_value(herd: Database) -> None:
    schema, question = herd.schema(), "animals by fresh grup"
    assert ValueIndex.build(herd, schema).hints(question) == ("t_anim.grp = 'Fresh Group'",)
    named = Names(columns={("t_anim", "grp"): ("fresh grup",)})
    assert ValueIndex.build(herd, schema, names=named).hints(question) == ()


def test_what_is_said_of_the_schema_is_known_to_it(herd: Database, names: Names) -> None:
    question = "How many heifers gave more than 30 kilos?"
    for known, reason in ((Names(), "missing"), (names, None)):
        values = ValueIndex.build(herd, herd.schema(), names=known)
        abstention = Grounder(herd.schema(), values, names=known).ground(question, abstain=True).abstention
        assert (abstention.reason if abstention else None) == reason
    assert "herd" not in names.words
    assert "category" not in names.words


def ask(herd: Database, file: Path, question: str, **more: object) -> ScriptedEngine:
    engine = ScriptedEngine(["SELECT COUNT(*) FROM t_anim"] * 2)
    settings = Settings(home=file.parent / "home", lexicon=str(file))
    Assistant.over(engine, herd, options=Options(abstain=True), settings=settings, **more).ask(question)  # type: ignore[arg-type]
    return engine


def test_the_setting_names_the_file(herd: Database, file: Path) -> None:
    asked, again = ask(herd, file, "How many Simmental heifers are there?").prompts
    assert "t_anim.brd = 'SIM'" in asked.tail
    assert "The question says 'Simmental'" in again.tail, "the draft counts all"


def test_a_name_that_the_schema_does_not_have_is_told_with_its_line(herd: Database, file: Path) -> None:
    file.write_text(WORDS.replace("t_lact:", "t_milk:"), encoding="utf-8")
    with pytest.raises(LexiconError, match=r"herd.yaml, line \d+: the schema has no table 't_milk'"):
        ask(herd, file, "How many?")


def test_words_of_what_a_policy_denies_bring_it_in_nowhere(herd: Database, file: Path, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("tables: {t_lact: {}, t_anim: {hide: [brd]}}\n")
    policy = read_policy(tmp_path / "policy.yaml")
    (asked,) = ask(herd, file, "How many Simmental heifers are there?", policy=policy).prompts
    assert "brd" not in asked.text
    assert "SIM'" not in asked.text
