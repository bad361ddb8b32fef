"""A lexicon is a file that a person edits: what it may say, and how it is told of a mistake."""

from __future__ import annotations

import pytest

from mnemosyne.errors import LexiconError
from mnemosyne.lims.sets import lexicon
from mnemosyne.schema import Schema
from mnemosyne.synthesis.lexicon import parse

FARM = Schema.from_ddl(
    "CREATE TABLE farms (farm_id INT PRIMARY KEY, farm_name TEXT NOT NULL);"
    "CREATE TABLE cows (cow_id INT PRIMARY KEY, farm_id INT REFERENCES farms (farm_id), weight FLOAT, born DATE);"
)


def test_the_laboratory_lexicon_speaks_of_every_table(schema: Schema) -> None:
    words = lexicon()
    assert set(words.tables) == {table.name for table in schema.tables}
    assert words.column("samples", "matrix").values["Drinking Water"][1] == "potable water"  # type: ignore[union-attr]


def test_an_unknown_column_is_named_with_its_line_and_the_nearest_one() -> None:
    text = "tables:\n  cows:\n    columns:\n      wieght: {kind: number}\n"
    with pytest.raises(LexiconError, match=r"farm\.yaml, line 4: table 'cows' has no column 'wieght'") as caught:
        parse(text, FARM, where="farm.yaml")
    assert caught.value.hint == "Did you mean 'weight'?"


def test_an_unknown_table_is_named_with_its_line_and_the_nearest_one() -> None:
    with pytest.raises(LexiconError, match="line 2: the schema has no table 'cow'") as caught:
        parse("tables:\n  cow: {}\n", FARM)
    assert caught.value.hint == "Did you mean 'cows'?"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "terms:\n  - {on: cows, sql: 'cows.age > 3', post: [that are old]}\n",
            "line 2: table 'cows' has no column 'age'",
        ),
        ("terms:\n  - {on: cows, sql: 'cows.weight >', post: [x]}\n", "is not SQL"),
        ("tables:\n  cows:\n    columns:\n      weight: {kind: heavy}\n", "line 4: unknown kind 'heavy'"),
        ("tables:\n  cows:\n    columns:\n      weight: {knid: number}\n", "line 4: unknown entry 'knid'"),
        ("tabels: {}\n", "line 1: unknown part 'tabels'"),
        ("tables: [\n", "not YAML"),
        ("- a list\n", "a lexicon is a mapping"),
    ],
)
def test_other_mistakes_are_told_with_their_line(text: str, message: str) -> None:
    with pytest.raises(LexiconError, match=message):
        parse(text, FARM)


def test_on_and_no_are_words_and_only_true_and_false_are_truth_values() -> None:
    text = (
        "tables:\n  cows:\n    columns:\n      weight: {kind: number, values: {No: [nope]}, plain_values: true}\n"
        "terms:\n  - {on: cows, sql: 'cows.weight > 500', post: [that are heavy]}\n"
    )
    words = parse(text, FARM)
    assert words.terms[0].on == "cows"
    assert words.tables["cows"].columns["weight"].values == {"No": ("nope",)}
