"""A lexicon is a file that a person edits: what it may say, and how it is told of a mistake."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from mnemosyne.errors import LexiconError
from mnemosyne.lims.sets import lexicon
from mnemosyne.schema import Schema
from mnemosyne.synthesis.drafting import draft
from mnemosyne.synthesis.lexicon import load, parse

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


COWS = "tables:\n  cows:\n"
WEIGHT = f"{COWS}    columns:\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('terms:\n  - {on: cows, sql: "cows.weight > \'x", post: [x]}\n', "line 2: .* is not SQL"),
        ("terms:\n  - {on: cows, sql: [cows.weight], post: [x]}\n", "line 2: 'sql' must be a text, not a list"),
        ("terms: [hello]\n", "line 1: a term must be a mapping of .*, not 'hello'"),
        ("terms: hello\n", "line 1: 'terms' must be a list of mappings, not 'hello'"),
        ("terms:\n  - {sql: 'cows.weight > 3', post: [x]}\n", "line 2: a term needs 'on'"),
        ("terms:\n  - {on: cows, sql: 'cows.weight > 3', psot: [x]}\n", "line 2: unknown entry 'psot' of a term"),
        ("terms:\n  - {on: cows, sql: 'weight > 3', post: [x]}\n", "line 2: 'weight' names no table"),
        ("terms: [{}]\n", "line 1: a term needs 'on'"),
        ("tables: [cows]\n", "line 1: 'tables' must be a mapping of .*, not a list"),
        ("tables:\n  cows: hello\n", "line 2: table 'cows' must be a mapping of .*, not 'hello'"),
        ("tables:\n  cows: {}\n", "line 2: table 'cows' needs 'label' or 'columns'"),
        ("tables:\n  null: {}\n", "line 2: the schema has no table 'null'"),
        (f"{COWS}    columns: [weight]\n", "line 3: 'columns' of table 'cows' must be a mapping of .*, not a list"),
        (f"{WEIGHT}      weight: heavy\n", "line 4: column 'weight' must be a mapping of .*, not 'heavy'"),
        (f"{WEIGHT}      weight: {{values: [a, b]}}\n", "line 4: 'values' of column 'weight' must be a mapping"),
        (f"{WEIGHT}      weight:\n        weight: number\n", "line 5: 'weight' must be a number of 0 or more"),
        (f"{WEIGHT}      weight: {{aggregates: [median]}}\n", "line 4: unknown aggregate 'median'"),
        (f"{WEIGHT}      weight: {{nouns: [{{a: b}}]}}\n", "line 4: 'nouns' must be .* not a mapping in it"),
        (f"{WEIGHT}      weight: {{group: no}}\n", "line 4: 'group' must be true or false, not 'no'"),
        (f"{COWS}    label: weight\n    weight: heavy\n", "line 4: 'weight' must be a number of 0 or more"),
        ("measures:\n  - {on: cows, sql: AVG(cows.weight), nouns: [x]}\n", "line 2: a measure needs 'alias'"),
        (
            "measures:\n  - {on: cows, sql: AVG(cows.weight), alias: a, nouns: [x], thresholds: few}\n",
            "line 2: 'thresholds' must be a list of numbers",
        ),
        ("relations:\n  - {parent: farms, child: cows, did_not: [x]}\n", "line 2: a relation needs 'did'"),
        ("tables:\n  ? [cows, farms]\n  : {}\n", "line 2: a key must be a word, not a list"),
        ("name: farm\ntables: !odd {}\n", "line 2: could not determine a constructor"),
        ("name: 0x_\n", "line 1: invalid literal"),
        ("name: farm\nterms: \x01\n", "line 2: not YAML"),
        ("[" * 5_000, "nested too deeply"),
    ],
)
def test_what_has_another_form_than_expected_is_told_with_its_line(text: str, message: str) -> None:
    with pytest.raises(LexiconError, match=message):
        parse(text, FARM)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            f"{COWS}    when: bron\n    columns:\n      born: {{kind: date}}\n",
            "line 3: 'when' of table 'cows' names 'bron'",
            "Did you mean 'born'?",
        ),
        (
            f"{COWS}    when: born\n    columns:\n      weight: {{kind: number}}\n",
            "line 3: .* 'columns' does not list with kind date",
            "List the column under 'columns' with {kind: date}.",
        ),
        (
            f"{COWS}    label: weight\n    links: {{farm: [from]}}\n",
            "line 4: the schema has no table 'farm'",
            "Did you mean 'farms'?",
        ),
        (f"{COWS}    label: weight\n    noun: cow\n", "line 4: unknown entry 'noun'", "Did you mean 'nouns'?"),
        (
            f"{COWS}    label: weight\n    alias: my alias\n",
            "line 4: 'my alias' cannot be an alias",
            "Write letters, digits and _ only, no keyword.",
        ),
        (f"{COWS}    label: weight\n    alias: on\n", "line 4: 'on' cannot be an alias", "Write letters"),
        (
            "measures:\n  - {on: cows, sql: AVG(cows.weight), alias: my alias, nouns: [x]}\n",
            "line 2: 'my alias' cannot be an alias",
            "Write letters",
        ),
        (
            f"{WEIGHT}      weight:\n        over: {{post: ['above {{n}}', 'more than {{z}}']}}\n",
            "line 5: nothing fills the slot {z} of 'more than {z}' here",
            "What may stand here: {n}.",
        ),
        (
            f"{COWS}    label: weight\n    through:\n      farms.farm_name: {{is: ['of {{name}}']}}\n",
            "line 5: nothing fills the slot {name}",
            "What may stand here: {v} or {n}.",
        ),
        (
            f"{COWS}    label: weight\n    through:\n      farms.farm_name: {{iz: [of]}}\n",
            "line 5: unknown entry 'iz'",
            "Did you mean 'is'?",
        ),
        (
            "terms:\n  - {on: cows, sql: 'cows.weight > 3', post: ['above {n}']}\n",
            "line 2: nothing fills the slot {n}",
            "No slot may stand here.",
        ),
    ],
)
def test_what_would_be_passed_over_is_refused(text: str, message: str, hint: str) -> None:
    with pytest.raises(LexiconError, match=message) as caught:
        parse(text, FARM)
    assert caught.value.hint.startswith(hint)


def test_keys_are_texts_as_they_are_written() -> None:
    text = f"{WEIGHT}      weight: {{null: {{post: [unweighed]}}, values: {{010: [ten], 2020-13-45: [never]}}}}\n"
    weight = parse(text, FARM).tables["cows"].columns["weight"]
    assert weight.phrases["null"].post == ("unweighed",)
    assert list(weight.values) == ["010", "2020-13-45"]


def test_a_file_that_cannot_be_read_is_an_error_for_people(tmp_path: Path) -> None:
    file = tmp_path / "farm.yaml"
    with pytest.raises(LexiconError, match="cannot be read: No such file"):
        load(file, FARM)
    file.write_bytes("name: farm\ncontexts: [Grüße vom Hof.]\n".encode("latin-1"))
    with pytest.raises(LexiconError, match=r"farm\.yaml, line 2: not UTF-8"):
        load(file, FARM)
    file.write_text("name: farm\r\ncontexts: [Grüße vom Hof.]\r\n", "utf-8")
    assert load(file, FARM).contexts == ("Grüße vom Hof.",)


def test_a_key_that_stands_twice_is_told_with_both_lines() -> None:
    text = "tables:\n  cows:\n    label: cow_id\n  farms: {}\n  cows:\n    person: true\n"
    with pytest.raises(LexiconError, match=r"line 5: 'cows' stands in line 2 already"):
        parse(text, FARM)


@pytest.mark.parametrize("alias", ["do", "end", "All", "at", "show", "semi", "x y", "1a", ""])
def test_a_word_that_no_engine_takes_for_an_alias_is_refused(alias: str) -> None:
    with pytest.raises(LexiconError, match=r"line 2: .* cannot be an alias"):
        parse(f"tables:\n  cows: {{label: cow_id, alias: '{alias}'}}\n", FARM)


def test_drafted_aliases_are_names_that_the_engines_take() -> None:
    names = ["departments", "doctors", "analyses", "attachments", "delivery_orders", "end_notes_desk", "forms", "畜舎"]
    names += ["_".join(f"{letter}ox" for letter in word) for word in ("all", "case", "desc", "show", "user", "with")]
    schema = Schema.from_ddl(";".join(f'CREATE TABLE "{name}" (id INT PRIMARY KEY, title TEXT)' for name in names))
    aliases = [table.alias for table in parse(draft(schema), schema).tables.values()]
    assert len(set(aliases)) == len(names)
    with duckdb.connect() as connection:
        for alias in aliases:
            assert connection.execute(f"SELECT {alias}.x FROM (SELECT 1 AS x) {alias}").fetchall() == [(1,)]


def test_a_draft_can_be_read_whatever_signs_are_in_names() -> None:
    schema = Schema.from_ddl(
        """CREATE TABLE "lab.clients" (id INT PRIMARY KEY, name TEXT);
        CREATE TABLE "{np}" (id INT PRIMARY KEY, "{v}" FLOAT, "{}" TEXT, "_{}_" DATE, "a {x} b" BOOLEAN, "p.q" FLOAT,
          client_id INT REFERENCES "lab.clients" (id));"""
    )
    text = draft(schema)
    words = parse(text, schema)
    assert "could not tell where its name ends: lab.clients\n" in text
    assert [(table.name, table.nouns) for table in words.tables.values()] == [("{np}", ("np",))]
    nouns = {column.name: column.nouns[0] for column in words.tables["{np}"].columns.values()}
    del nouns["id"]
    assert nouns == {"{v}": "v", "{}": "field", "_{}_": "__", "a {x} b": "a x b", "p.q": "p q"}
