"""Measure grounding: values found, tables found, questions given back, and how long each takes.

    python benchmarks/grounding.py                   # all three; tables only where Spider's data are
    python benchmarks/grounding.py values            # lab-dev (tuned on) and lab-bench (only reported)
    python benchmarks/grounding.py abstain           # lab-dev, lab-bench: refused; lab-unanswerable: caught
    python benchmarks/grounding.py tables [--spider ../shared/data/spider_train] [--questions 500]

Tables: all Spider training databases in one catalogue, each database a namespace; a question counts when
every table of its gold query is in the linked part: the wide one, of 1,200 tokens, and the one shown first. Questions
are those of the held-out databases, on which the weights of the ranking were not fitted.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from importlib.resources import files
from pathlib import Path

import sqlglot
from sqlglot import exp

from mnemosyne import lims
from mnemosyne.databases import Database, open_database
from mnemosyne.errors import MnemosyneError
from mnemosyne.grounding import Grounder, ValueIndex
from mnemosyne.grounding.question import LINKED_TOKENS, NEAR, WIDE_TOKENS
from mnemosyne.grounding.stored import stored_values
from mnemosyne.grounding.tables import SchemaIndex
from mnemosyne.schema import Column, ForeignKey, Schema, Table
from mnemosyne.training.general import held_out_databases

KINDS = {"text": "TEXT", "number": "NUMERIC", "time": "DATE", "boolean": "BOOLEAN"}


@contextmanager
def laboratory() -> Iterator[Database]:
    with tempfile.TemporaryDirectory() as folder:
        lims.create(f"sqlite:///{folder}/lab.db", seed=7, today=date(2026, 6, 15))
        database = open_database(f"sqlite:///{folder}/lab.db")
        try:
            yield database
        finally:
            database.close()


def questions(name: str) -> list[dict[str, str]]:
    text = (files("mnemosyne.data") / "sets" / f"{name}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def named_values(sql: str, schema: Schema) -> tuple[set[str], set[str]]:
    """Conditions `table.column = 'value'` of a gold query: those that a question can name, and those it implies.

    A status that is ruled out (`NOT IN ('Reported', 'Cancelled')`, `<> 'Cancelled'`) is what `open` and `overdue`
    mean by the laboratory's conventions; no word of the question names it.
    """
    tree = sqlglot.parse_one(sql, read="postgres")
    aliases = {table.alias_or_name: table.name for table in tree.find_all(exp.Table)}
    named, implied = set(), set()
    for node in tree.find_all(exp.EQ, exp.NEQ, exp.In):
        column, others = node.this, node.expressions if isinstance(node, exp.In) else [node.expression]
        if not isinstance(column, exp.Column):
            continue
        owners = [t.name for t in schema.tables if t.column(column.name) and t.name in aliases.values()]
        owner = aliases.get(column.table, "")
        table = owner if owner in owners else owners[0] if owners else "results"
        name = column.name if schema.table(table).column(column.name) else "pass_fail"  # a column of a CTE
        for literal in others:
            if isinstance(literal, exp.Literal) and literal.is_string:
                negated = isinstance(node, exp.NEQ) or isinstance(node.parent, exp.Not)
                said = literal.this.replace("'", "''")
                (implied if negated and name == "status" else named).add(f"{table}.{name} = '{said}'")
    return named, implied - named


def values() -> None:
    with laboratory() as database:
        schema = database.schema()
        started = time.perf_counter()
        index = ValueIndex.build(database, schema)
        print(f"index: {len(index):,} forms in {time.perf_counter() - started:.2f} s")
        index.mentions("warm up the imports with enterococi")
        for name in ("lab-dev", "lab-bench"):
            rows = questions(name)
            named = implied = found = told = false = 0
            seconds = []
            for row in rows:
                wanted, ruled_out = named_values(row["sql"], schema)
                clock = time.process_time()
                mentions, hints = index.mentions(row["question"]), index.hints(row["question"])
                seconds.append((time.process_time() - clock) / 2)
                got = {mention.hint for mention in mentions}
                named, implied, found = named + len(wanted), implied + len(ruled_out - got), found + len(wanted & got)
                told, false = told + len(hints), false + len(set(hints) - wanted - ruled_out)
            seconds.sort()
            print(
                f"{name}: {found} of {named} named values found ({found / named:.1%}); "
                f"{implied} more are implied by conventions; {false} of {told} hints false ({false / told:.1%}), "
                f"in {len(rows)} questions; CPU {1e3 * sum(seconds) / len(seconds):.1f} ms, "
                f"95 % under {1e3 * seconds[int(0.95 * len(seconds))]:.1f} ms"
            )


def abstain() -> None:
    with laboratory() as database:
        schema = database.schema()
        scope = Grounder(schema, ValueIndex.build(database, schema)).scope
        for name in ("lab-dev", "lab-bench", "lab-unanswerable"):
            rows = questions(name)
            clock = time.process_time()
            found = [abstention for row in rows if (abstention := scope.judge(row["question"]))]
            spent = 1e3 * (time.process_time() - clock) / len(rows)
            kinds = {reason: sum(a.reason == reason for a in found) for reason in sorted({a.reason for a in found})}
            print(
                f"{name}: {len(found)} of {len(rows)} given back ({len(found) / len(rows):.1%}), {kinds}; "
                f"CPU {spent:.1f} ms"
            )


def tables(spider: Path, count: int) -> None:
    described = json.loads((spider / "tables.json").read_text())
    catalogue = Schema(tuple(table for entry in described for table in namespaced(entry)))
    columns = sum(len(table.columns) for table in catalogue.tables)
    started = time.process_time()
    index = SchemaIndex(catalogue)
    print(f"index of {len(catalogue.tables)} tables, {columns:,} columns: {time.process_time() - started:.2f} s CPU")
    copies = [replace(t, name=f"{t.name}_{n}") for n in range(10_000 // columns + 1) for t in catalogue.tables]
    large = Schema(tuple(copies)[: int(len(catalogue.tables) * 10_000 / columns) + 1])
    started = time.process_time()
    SchemaIndex(large)
    print(f"index of {sum(len(t.columns) for t in large.tables):,} columns: {time.process_time() - started:.2f} s CPU")
    stored = list(read_values(spider, catalogue))
    started = time.process_time()
    values = ValueIndex.of(stored, catalogue)
    print(
        f"index of values of {len(stored):,} columns: {len(values):,} forms, {time.process_time() - started:.2f} s CPU"
    )
    lines = (spider / "train.jsonl").read_text(encoding="utf-8").splitlines()
    fresh = set(held_out_databases())
    rows = [row for row in map(json.loads, lines) if row["db_id"] in fresh]
    rows = random.Random(1).sample(rows, min(count, len(rows)))
    known = {table.full_name.lower() for table in catalogue.tables}
    looks = ((WIDE_TOKENS, math.inf), (LINKED_TOKENS, NEAR))
    for (budget, within), told in itertools.product(looks, (True, False)):
        hit = asked = whole = shown = 0
        seconds, spent = [], []
        for row in rows:
            wanted = gold_tables(row)
            if not wanted or not wanted <= known:
                continue
            clock = time.process_time()
            places = values.places(row["question"]) if told else {}
            linked = index.link(row["question"], budget, values=places, within=within)
            seconds.append(time.process_time() - clock)
            spent.append(linked.tokens)
            got = {table.full_name.lower(): {c.name.lower() for c in table.columns} for table in linked.schema.tables}
            asked, hit, shown = asked + 1, hit + (wanted <= set(got)), shown + len(got)
            if wanted <= set(got):
                gold = {c.name.lower() for c in sqlglot.parse_one(row["query"], read="sqlite").find_all(exp.Column)}
                every = {c.name.lower() for t in catalogue.tables if t.full_name.lower() in wanted for c in t.columns}
                whole += (gold & every) <= set().union(*(got[name] for name in wanted))
        seconds.sort()
        print(
            f"{budget:,} tokens{f', within {within}' * (within < math.inf)}, "
            f"{'with' if told else 'without'} stored values: all gold tables of {hit} of {asked} questions "
            f"({hit / asked:.1%}), and their columns {whole / asked:.1%}; "
            f"{shown / asked:.1f} tables, {sum(spent) / asked:.0f} tokens, at most {max(spent)}; "
            f"CPU {1e3 * sum(seconds) / asked:.1f} ms, 95 % under {1e3 * seconds[int(0.95 * asked)]:.1f} ms"
        )


def namespaced(entry: dict[str, list]) -> list[Table]:
    """The tables of one Spider database in a namespace of its name."""
    space, names = entry["db_id"], entry["table_names_original"]
    columns: list[list[Column]] = [[] for _ in names]
    for (table, name), kind in zip(entry["column_names_original"], entry["column_types"], strict=True):
        if table >= 0:
            columns[table].append(Column(name, KINDS.get(kind, "TEXT")))
    keys: list[list[str]] = [[] for _ in names]
    for key in entry["primary_keys"]:
        for column in key if isinstance(key, list) else [key]:
            table, name = entry["column_names_original"][column]
            keys[table].append(name)
    foreign: list[list[ForeignKey]] = [[] for _ in names]
    for own, other in entry["foreign_keys"]:
        (table, name), (target, referred) = entry["column_names_original"][own], entry["column_names_original"][other]
        foreign[table].append(ForeignKey((name,), f"{space}.{names[target]}", (referred,)))
    return [
        Table(name, tuple(columns[n]), tuple(keys[n]), tuple(foreign[n]), namespace=space)
        for n, name in enumerate(names)
    ]


def read_values(spider: Path, catalogue: Schema) -> Iterator[tuple[Table, Column, list[str]]]:
    """Up to 500 distinct values of every text column."""
    homes = {(table.namespace.lower(), table.name.lower()): table for table in catalogue.tables}
    for space in sorted({table.namespace for table in catalogue.tables}):
        path = spider / "database" / space / f"{space}.sqlite"
        if not path.exists():
            continue
        database = open_database(f"sqlite:///{path}")
        try:
            for table, column, found in stored_values(database, database.schema(), cap=500):
                home = homes.get((space.lower(), table.name.lower()))
                if home is not None and (place := home.column(column.name)) is not None:
                    yield home, place, found
        except MnemosyneError as error:
            print(f"{space}: {error}")
        finally:
            database.close()


def gold_tables(row: dict[str, str]) -> set[str]:
    try:
        tree = sqlglot.parse_one(row["query"], read="sqlite")
    except sqlglot.errors.SqlglotError:
        return set()
    return {f"{row['db_id']}.{table.name}".lower() for table in tree.find_all(exp.Table)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", default="all", choices=("all", "values", "abstain", "tables"))
    parser.add_argument("--spider", type=Path, default=Path(__file__).parent.parent.parent / "shared/data/spider_train")
    parser.add_argument("--questions", type=int, default=500)
    chosen = parser.parse_args()
    if chosen.what in ("all", "values"):
        values()
    if chosen.what in ("all", "abstain"):
        abstain()
    if chosen.what == "all" and not (chosen.spider / "tables.json").exists():
        print(f"tables: not measured, {chosen.spider} is not here")
    elif chosen.what in ("all", "tables"):
        tables(chosen.spider, chosen.questions)


if __name__ == "__main__":
    main()
