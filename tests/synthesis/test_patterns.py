"""Every pattern composes queries that pass the guard and run, and questions that are English."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

import pytest
import sqlglot

from mnemosyne import guard
from mnemosyne.databases import Database
from mnemosyne.guard.query import SafeQuery
from mnemosyne.results import Result
from mnemosyne.schema import Schema
from mnemosyne.synthesis import drafting, windows
from mnemosyne.synthesis.block import TIERS, tags_of
from mnemosyne.synthesis.compose import Context, Draft, Draws, NotApplicable
from mnemosyne.synthesis.lexicon import parse
from mnemosyne.synthesis.neighbours import neighbours
from mnemosyne.synthesis.patterns import PATTERNS
from mnemosyne.synthesis.style import print_sql
from mnemosyne.synthesis.world import Pool, World

from .conftest import TODAY


def drafts(world: World, name: str, wanted: int) -> list[Draft]:
    found: list[Draft] = []
    for seed in range(400):
        try:
            found.append(PATTERNS[name].draw(Context(world, Draws(f"{name}:{seed}"), seed)))
        except NotApplicable:
            continue
        if len(found) == wanted:
            break
    return found


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_runs_and_reads(name: str, world: World, schema: Schema, laboratories: list[Database]) -> None:
    made = drafts(world, name, 4)
    assert len(made) == 4
    for draft in made:
        sql = print_sql(draft.tree)
        checked = guard.check(sql, schema, target="duckdb", today=TODAY)
        assert isinstance(checked, SafeQuery), (sql, checked)
        assert isinstance(laboratories[0].run(checked), Result), sql
        assert not re.search(r"[\[\]{}|]|  | ,| \.|\b(a|the) (a|an|the)\b", draft.question), draft.question
        assert draft.question.isprintable()


def test_every_tier_has_many_patterns() -> None:
    tiers = [pattern.tier for pattern in PATTERNS.values()]
    assert all(tiers.count(tier) >= 15 for tier in TIERS)


def test_simple_pairs_read_one_table(world: World) -> None:
    for name, pattern in PATTERNS.items():
        if pattern.tier == "simple":
            for draft in drafts(world, name, 3):
                assert sum(tag.startswith("table:") for tag in tags_of(draft.tree)) == 1, print_sql(draft.tree)


def test_the_same_seed_draws_the_same(world: World) -> None:
    def draw() -> list[tuple[str, str]]:
        return [
            (d.question, print_sql(d.tree))
            for name in ("group-measure", "period-change")
            for d in drafts(world, name, 5)
        ]

    assert draw() == draw()


def test_hints_name_the_stored_value_whatever_the_question_says(world: World) -> None:
    found = [
        (hint, draft)
        for name in ("join-list", "join-count", "group-measure")
        for draft in drafts(world, name, 30)
        for hint in draft.hints
    ]
    altered = [(hint, draft) for hint, draft in found if hint.altered]
    assert altered
    for hint, draft in altered:
        value = hint.text.partition(" = ")[2].strip("'").replace("''", "'")
        assert value.replace("'", "''") in print_sql(draft.tree)


def test_conventions_are_in_the_queries(world: World) -> None:
    queries = [print_sql(d.tree) for name in ("group-measure", "top-groups") for d in drafts(world, name, 60)]
    rates = [sql for sql in queries if "failure_rate" in sql]
    assert rates
    assert all("pass_fail IS NOT NULL" in sql for sql in rates)
    tops = [sql for sql in queries if "LIMIT" in sql]
    assert tops
    assert all(re.search(r"ORDER BY .+(DESC|\)|\w), \S+ LIMIT", sql) for sql in tops), "ties are broken by the name"


@pytest.mark.parametrize("left_out", ["makers", "models", "runs"])
def test_a_table_that_a_lexicon_leaves_out_is_not_spoken_of_and_joins_lead_through_it(left_out: str) -> None:
    known = Schema.from_ddl(
        "CREATE TABLE makers (maker_id INT PRIMARY KEY, maker_name TEXT);"
        "CREATE TABLE models (model_id INT PRIMARY KEY, maker_id INT REFERENCES makers (maker_id), model_name TEXT);"
        "CREATE TABLE runs (run_id INT PRIMARY KEY, model_id INT REFERENCES models (model_id), label TEXT, hours FLOAT)"
    )
    words = parse(drafting.draft(known), known)
    through = {"makers.maker_name": {"is": words.tables["makers"].columns["maker_name"].phrases["is"]}}
    tables = {name: table for name, table in words.tables.items() if name != left_out}
    if "runs" in tables:
        tables["runs"] = replace(tables["runs"], through=through)
    pool = Pool(("North", "South", "East", "West"), tuple(map(float, range(11))), None, True, 9)
    pools = {(t.name, c.name): pool for t in words.tables.values() for c in t.columns.values()}
    world = World(known, replace(words, tables=tables), (pools,), TODAY)
    made = [print_sql(one.tree) for name in PATTERNS for one in drafts(world, name, 4)]
    assert len(made) > 40
    assert left_out == "models" or not [sql for sql in made if left_out in sql]
    assert left_out != "models" or [sql for sql in made if "models" in sql and "makers" in sql]


def test_columns_with_dots_and_braces_in_their_names_are_spoken_of() -> None:
    known = Schema.from_ddl(
        'CREATE TABLE runs (run_id INT PRIMARY KEY, label TEXT, "{v}" FLOAT, "p.q" FLOAT, "r.s" TEXT, "a {np} b" DATE)'
    )
    words = parse(drafting.draft(known), known)
    pool = Pool(("North", "South", "East", "West"), tuple(map(float, range(11))), None, True, 9)
    world = World(known, words, ({("runs", c): pool for c in words.tables["runs"].columns},), TODAY)
    made = [one for name in PATTERNS for one in drafts(world, name, 20)]
    queries = " ".join(print_sql(one.tree) for one in made)
    assert all(name in queries for name in ('"{v}"', '"p.q"', '"r.s"'))
    assert not [one.question for one in made if re.search(r"[{}]", one.question)]


def test_dates_without_end_end_nothing() -> None:
    last = date.max
    drawn = [windows.draw(Draws(f"{seed}"), date(2020, 1, 1), last, TODAY, recent=True) for seed in range(200)]
    drawn += [windows.draw(Draws(f"{seed}"), last, last, TODAY, recent=False) for seed in range(200)]
    assert any("9999-12-31" in window.sql for window in drawn)
    tree = sqlglot.parse_one("SELECT a FROM t WHERE b >= '9999-12-31' AND c < '9999-11-14'", read="postgres")
    moved = [print_sql(n.tree) for n in neighbours(tree) if n.kind == "other bound"]  # type: ignore[arg-type]
    assert moved == [
        "SELECT a FROM t WHERE b >= '9999-11-14' AND c < '9999-11-14'",
        "SELECT a FROM t WHERE b >= '9999-12-31' AND c < '9999-12-31'",
    ]
