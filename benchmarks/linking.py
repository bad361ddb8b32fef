"""EX with a linked part of the schema against the oracle's: what schema linking costs in right answers.

    python benchmarks/linking.py --model NAME --questions 100 -o runs/linking
    python benchmarks/linking.py --model NAME --bench PAIRS.jsonl --database sqlite:///FILE -o runs/linking-own

Without --bench: all Spider training databases in one SQLite catalogue (735 tables; a table whose name is not its own
is called DATABASE_TABLE), asked the questions of the bench `spider`, whose databases no model of ours was trained on.
Each question is asked three times, greedily and with nothing told: of the tables of its gold query alone (oracle), of
its own database whole (own; for a schema of one's own that is the whole schema), and of what linking shows of the
catalogue in --tokens (linked). With --repairs the assistant mends, and of a part its last repair sees more. Answers
stay in the folder; called again it goes on.
"""

from __future__ import annotations

import argparse
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlglot
from sqlglot import exp

from mnemosyne import settings
from mnemosyne.databases import Limits
from mnemosyne.datasets import Example
from mnemosyne.datasets.public import spider_schema
from mnemosyne.engines import Engine, open_engine
from mnemosyne.evaluation.benches import Bench, Where, open_bench
from mnemosyne.evaluation.predicting import Way, predict
from mnemosyne.evaluation.running import judge_all, prepare
from mnemosyne.evaluation.statistics import paired, share
from mnemosyne.evaluation.workers import Workers
from mnemosyne.grounding.question import LINKED_TOKENS
from mnemosyne.schema import Schema, Table

LIMITS = Limits(30, max_rows=100_000)
SPIDER = Path(__file__).parent.parent.parent / "shared" / "data" / "spider_train"


def catalogue(spider: Path, file: Path) -> dict[str, tuple[Table, ...]]:
    """All databases of Spider in one SQLite file, made if it is not there: each database's tables as called in it."""
    names = sorted(folder.name for folder in (spider / "database").iterdir() if folder.is_dir())
    schemas = {name: spider_schema(spider, name) for name in names}
    counts = Counter(table.name.lower() for schema in schemas.values() for table in schema.tables)
    called = {name: {t.name.lower(): call(name, t.name, counts) for t in schemas[name].tables} for name in names}
    if not file.exists():
        fill(spider, file, called)
    return {name: tuple(renamed(table, called[name]) for table in schemas[name].tables) for name in names}


def call(database: str, table: str, counts: Counter[str]) -> str:
    """A table's name in the catalogue; `counts` says how many tables have each."""
    if counts[table.lower()] == 1:
        return table
    long = f"{database}_{table}"
    return f"{database}_of_{table}" if long.lower() in counts else long


def fill(spider: Path, file: Path, called: Mapping[str, Mapping[str, str]]) -> None:
    """Copy every table under the name it is called by."""
    temporary = file.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    with sqlite3.connect(temporary, isolation_level=None) as target:
        target.text_factory = bytes
        for name, tables in called.items():
            target.execute("ATTACH ? AS source", (str(spider / "database" / name / f"{name}.sqlite"),))
            for table, new in tables.items():
                target.execute(f'CREATE TABLE main."{new}" AS SELECT * FROM source."{table}"')
            target.execute("DETACH source")
    temporary.rename(file)


def renamed(table: Table, called: Mapping[str, str]) -> Table:
    """A table and the tables its keys refer to, as they are called in the catalogue."""
    keys = tuple(replace(key, table=called[key.table.lower()]) for key in table.foreign_keys)
    return replace(table, name=called[table.name.lower()], foreign_keys=keys)


def in_catalogue(example: Example, own: Mapping[str, str]) -> Example:
    """A question with its gold on the tables of the catalogue; `own` is what each table of its database is called."""
    tree = sqlglot.parse_one(example.sql, read="sqlite")
    for table in tree.find_all(exp.Table):
        if (new := own.get(table.name.lower())) and new.lower() != table.name.lower():
            named = exp.Table(this=exp.to_identifier(new, quoted=True))
            table.replace(exp.alias_(named, table.alias_or_name, table=True))
    return replace(example, sql=tree.sql("sqlite"))


def merged(spider: Path, folder: Path, count: int) -> tuple[Bench, dict[str, Schema]]:
    """The bench of questions on the catalogue, and for each question its own database's schema."""
    file = folder / "catalogue.sqlite"
    tables = catalogue(spider, file)
    whole = Schema(tuple(table for own in tables.values() for table in own))
    with open_bench("spider", Where(folder, data=spider), limit=count) as bench:
        asked = bench.examples
    examples, owns = [], {}
    for example in asked:
        name = example.schema.removeprefix("spider/")
        own = {
            t.name.lower(): new.name for t, new in zip(spider_schema(spider, name).tables, tables[name], strict=True)
        }
        examples.append(replace(in_catalogue(example, own), schema="catalogue"))
        owns[example.id] = Schema(tables[name])
    world = (f"sqlite:///{file.resolve()}",)
    return Bench("catalogue", tuple(examples), {"catalogue": whole}, {"catalogue": world}, engine="sqlite"), owns


def oracle(example: Example, schema: Schema) -> Schema:
    """The tables of a gold query, without keys to others."""
    used = {table.name.lower() for table in sqlglot.parse_one(example.sql, read=example.dialect).find_all(exp.Table)}
    kept = [table for table in schema.tables if table.name.lower() in used]
    names = {table.name.lower() for table in kept}
    return replace(
        schema,
        tables=tuple(
            replace(t, foreign_keys=tuple(k for k in t.foreign_keys if k.table.lower() in names)) for t in kept
        ),
    )


def shown(bench: Bench, schemas: Mapping[str, Schema]) -> Bench:
    """The bench with a schema of its own for every question; equal ones are one."""
    texts = {name: schema.to_ddl() for name, schema in schemas.items()}
    first = {text: name for name, text in reversed(texts.items())}
    examples = tuple(replace(example, schema=first[texts[example.id]]) for example in bench.examples)
    world = next(iter(bench.worlds.values()))
    used = {example.schema for example in examples}
    return replace(
        bench, examples=examples, schemas={name: schemas[name] for name in used}, worlds=dict.fromkeys(used, world)
    )


def arms(bench: Bench, owns: Mapping[str, Schema], tokens: int, repairs: int = 0) -> Iterator[tuple[str, Bench, Way]]:
    """What each question is asked of."""
    whole, alone = next(iter(bench.schemas.values())), Way(repairs=repairs)
    yield "oracle", shown(bench, {example.id: oracle(example, whole) for example in bench.examples}), alone
    yield "own", shown(bench, {example.id: owns.get(example.id, whole) for example in bench.examples}), alone
    yield "linked", bench, Way(repairs=repairs, linked=tokens)


def measure(engine: Engine, bench: Bench, owns: Mapping[str, Schema], tokens: int, repairs: int, folder: Path) -> None:
    """Ask, judge and print each arm, then linked against the others."""
    right: dict[str, list[bool]] = {}
    with Workers(2) as workers:
        prepare(bench, workers, LIMITS, say)
        for name, asked, way in arms(bench, owns, tokens, repairs):
            file = folder / f"{name}{tokens if name == 'linked' else ''}{f'-repairs-{repairs}' * bool(repairs)}.jsonl"
            answers = predict(engine, asked, way, file, limits=LIMITS, progress=say)
            scores = judge_all(bench, {name: answers}, workers, LIMITS, say).scores[name]
            right[name] = [score.strict for score in scores]
            print(f"{name}: EX {share(right[name])}, VLD {share([s.valid for s in scores])}", flush=True)
    for name in ("oracle", "own"):
        found = paired(right[name], right["linked"])
        assert found is not None
        print(
            f"linked against {name}: {found.difference:+.1f} points [{found.low:+.1f}, {found.high:+.1f}], "
            f"{found.only_second} gained, {found.only_first} lost, p {found.p:.3f}"
        )


def say(what: str, done: int, total: int) -> None:
    if done == total or not done % 10:
        print(f"  {what}: {done} of {total}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="qwen2.5-coder-0.5b-instruct")
    parser.add_argument("--bench", type=Path, help="pairs of one's own instead of Spider's")
    parser.add_argument("--database", action="append", default=[], help="population of --bench; may be repeated")
    parser.add_argument("--spider", type=Path, default=SPIDER)
    parser.add_argument("--questions", type=int, default=100)
    parser.add_argument("--tokens", type=int, default=LINKED_TOKENS, help="shown at first (%(default)s)")
    parser.add_argument("--repairs", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="12 questions")
    parser.add_argument("-o", "--output", type=Path, help="folder that keeps the answers")
    chosen = parser.parse_args()
    if not chosen.bench and not (chosen.spider / "tables.json").exists():
        print(f"not measured, {chosen.spider} is not here")
        return
    count = 12 if chosen.quick else chosen.questions
    with ExitStack() as stack:
        folder = chosen.output or Path(stack.enter_context(TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        engine = open_engine(chosen.model, settings.load())
        stack.callback(engine.close)
        if chosen.bench:
            where = Where(folder, databases=tuple(chosen.database), mirror=False)
            bench, owns = stack.enter_context(open_bench(str(chosen.bench), where, limit=count)), {}
        else:
            bench, owns = merged(chosen.spider, folder, count)
        measure(engine, bench, owns, chosen.tokens, chosen.repairs, folder)


if __name__ == "__main__":
    main()
