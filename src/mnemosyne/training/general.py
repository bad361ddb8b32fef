"""General SQL for replay: Spider's training databases, sql-create-context and WikiSQL, checked and in PostgreSQL.

A model that sees only one laboratory forgets the rest. These rows are kept only when their
PostgreSQL form returns the gold's rows (Spider) or runs on its schema (sets without data, `trial.py`), and
when they share nothing with any evaluation question. Questions of Spider's held-out databases are left out of every
set, with or without Spider's folder: their hashes come with the package.

    python -m mnemosyne.training.general --spider FOLDER --context FILE … --hub gretel -o DIR
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import click

from mnemosyne import guard
from mnemosyne.databases import Database, Limits, open_database
from mnemosyne.datasets import Example, fingerprint, hub, read_examples, write_examples
from mnemosyne.datasets.overlap import OverlapIndex, normal_question
from mnemosyne.datasets.postgres import NotPostgres, to_postgres
from mnemosyne.datasets.public import FIELDS, HUB, READERS, Malformed, Row, local_rows, recognised, spider
from mnemosyne.datasets.quality import Report, Rules, keep
from mnemosyne.errors import DatasetError, MnemosyneError
from mnemosyne.guard.query import Dialect, SafeQuery
from mnemosyne.results import Result, same
from mnemosyne.schema import Schema
from mnemosyne.training.trial import EMPTY, Trial

WRITTEN: tuple[Dialect, Dialect] = ("sqlite", "postgres")
"""Dialects of a Spider gold and of its rewritten form."""

LIMITS = Limits(timeout_seconds=5)
"""A gold that runs longer is not worth its place."""

MOST = 200_000
"""Rows of a hub set that are read, so that the cap draws from the whole set: the known ones have 78,577 and 105,851."""

SHOWN = 10
"""Malformed rows of one set that are printed at most."""


class SpiderDatabases:
    """The databases of Spider, opened once each; `execute` judges the PostgreSQL form of a gold."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, tuple[Database, Schema]] = {}

    def get(self, schema: str) -> tuple[Database, Schema]:
        """The database and schema behind `spider/<db_id>`. Raises DatabaseError."""
        if schema not in self._open:
            db_id = schema.removeprefix("spider/")
            database = open_database(f"sqlite:///{(self._folder / 'database' / db_id / f'{db_id}.sqlite').resolve()}")
            self._open[schema] = database, database.schema()
        return self._open[schema]

    def rewrite(self, examples: Iterable[Example], report: Report) -> Iterator[Example]:
        """Spider's golds as PostgreSQL; those that return other rows than the gold are left out."""
        for example in examples:
            database, schema = self.get(example.schema)
            try:
                sql = to_postgres(example.sql, schema)
            except NotPostgres:
                report.drop(example, "no PostgreSQL form")
                continue
            if reason := _differs(database, schema, example.sql, sql):
                report.drop(example, reason)
                continue
            yield replace(example, sql=sql, dialect="postgres")

    def close(self) -> None:
        """Close every database."""
        for database, _ in self._open.values():
            database.close()


def _differs(database: Database, schema: Schema, gold: str, sql: str) -> str:
    """Why `sql` (PostgreSQL) cannot stand for `gold` (SQLite), empty when both return the same rows, and some."""
    outcomes = []
    for text, written in zip((gold, sql), WRITTEN, strict=True):
        checked = guard.check(text, schema, target="sqlite", written=written)
        if not isinstance(checked, SafeQuery):
            return f"guard: {checked.code}"
        outcomes.append(database.run(checked, LIMITS))
    first, second = outcomes
    if not isinstance(first, Result) or not isinstance(second, Result):
        return "does not run"
    if not first.rows:
        return EMPTY
    return "" if same(first, second) else "other rows as PostgreSQL"


def in_postgres(examples: Iterable[Example], report: Report) -> Iterator[Example]:
    """Golds of sets without data as PostgreSQL."""
    for example in examples:
        try:
            sql = to_postgres(example.sql, Schema.from_ddl(example.schema))
        except NotPostgres:
            report.drop(example, "no PostgreSQL form")
            continue
        example = replace(example, sql=sql, dialect="postgres")
        if literals_as_asked(example):
            yield example
        else:
            report.drop(example, "texts unlike the question's")


def evaluation_examples(spider_folder: Path | None = None) -> list[Example]:
    """Every question of the sets that are only ever measured or chosen on, with those of Spider's held-out databases."""
    folder = files("mnemosyne.data") / "sets"
    names = ("lab-bench.jsonl", "lab-dev.jsonl", "lab-unanswerable.jsonl")
    examples = [example for name in names for example in read_examples(str(folder / name))]
    if spider_folder is not None:
        held_out = set(held_out_databases())
        every = spider(spider_folder, Malformed())
        examples += [example for example in every if example.schema.removeprefix("spider/") in held_out]
    return examples


def held_out_databases() -> list[str]:
    """Databases of Spider that no training row may come from."""
    shipped = files("mnemosyne.data") / "sets" / "spider-heldout.json"
    names: list[str] = json.loads(shipped.read_text(encoding="utf-8"))["databases"]
    return names


HELD_OUT = "question of Spider's held-out databases"
"""The reason under which `without_held_out` counts."""


def question_hash(question: str) -> str:
    """The first 16 hexadecimal digits of the sha256 of a normalised question."""
    return hashlib.sha256(normal_question(question).encode()).hexdigest()[:16]


def held_out_questions() -> frozenset[str]:
    """`question_hash` of every question on Spider's held-out databases, as shipped."""
    shipped = files("mnemosyne.data") / "sets" / "spider-heldout-questions.json"
    return frozenset(json.loads(shipped.read_text(encoding="utf-8"))["hashes"])


def write_held_out_questions(spider_folder: Path, path: Path) -> None:
    """Make the file that `held_out_questions` reads, from Spider's training split.

    Run once, and again only when the list of held-out databases or `normal_question` changes.
    """
    databases = set(held_out_databases())
    asked = [e for e in spider(spider_folder, Malformed()) if e.schema.removeprefix("spider/") in databases]
    record = {
        "what": "Questions on the databases of spider-heldout.json, as hashes: left out of every general training row.",
        "rule": "First 16 hexadecimal digits of the sha256 of mnemosyne.datasets.overlap.normal_question(question).",
        "made_by": "mnemosyne.training.general.write_held_out_questions",
        "questions": len(asked),
        "hashes": sorted({question_hash(example.question) for example in asked}),
    }
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def without_held_out(examples: Iterable[Example], report: Report) -> Iterator[Example]:
    """Examples that do not ask a question of Spider's held-out databases; the others are counted, be they none."""
    held_out = held_out_questions()
    report.dropped[HELD_OUT] += 0
    for example in examples:
        if question_hash(example.question) in held_out:
            report.drop(example, HELD_OUT)
        else:
            yield example


def without_spider(rows: Iterable[Row]) -> Iterator[Row]:
    """Rows that are not marked as copies of Spider's: sql-create-context took in Spider, held-out databases too."""
    return ((place, row) for place, row in rows if row.get("overlap") != "spider_train")


def literals_as_asked(example: Example) -> bool:
    """True when every text of the gold stands in the question letter for letter; some sets have lower-cased them."""
    texts = re.findall(r"'((?:[^']|'')*)'", example.sql)
    return all(text.replace("''", "'").strip("%") in example.question for text in texts)


def mixture(
    spider_rows: list[Example],
    ddl_of: dict[str, str],
    others: list[Example],
    *,
    per_schema: int,
    of_others: int,
    seed: int,
) -> list[Example]:
    """Rows for replay beside a laboratory's, each with its DDL inside: many schemas, the same few rows of each."""
    rng = random.Random(seed)
    by_schema: dict[str, list[Example]] = {}
    for example in spider_rows:
        by_schema.setdefault(example.schema, []).append(example)
    chosen: list[Example] = []
    for schema, rows in sorted(by_schema.items()):
        picked = rng.sample(rows, min(per_schema, len(rows)))
        chosen += [replace(example, schema=ddl_of[schema]) for example in picked]
    chosen += rng.sample(others, min(of_others, len(others)))
    rng.shuffle(chosen)
    return chosen


@click.command()
@click.option("--spider", "spider_folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--context", "context_files", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--hub", "hub_names", multiple=True, type=click.Choice(sorted(HUB)), help="A set on the model hub.")
@click.option("-o", "--output", required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("--seed", default=0, show_default=True)
@click.option("--per-schema", default=27, show_default=True, help="Rows of a Spider database in general.jsonl.gz.")
@click.option("--of-others", default=500, show_default=True, help="Rows of the other sets in it.")
def main(
    spider_folder: Path | None,
    context_files: tuple[Path, ...],
    hub_names: tuple[str, ...],
    output: Path,
    seed: int,
    per_schema: int,
    of_others: int,
) -> None:
    """Build the general rows: OUTPUT/spider.jsonl.gz with its schemas, one for each other set, and a mixture."""
    try:
        sets = named_sets(context_files, hub_names)
        build(spider_folder, sets, output, seed=seed, per_schema=per_schema, of_others=of_others)
    except MnemosyneError as error:
        raise click.ClickException(f"{error}\n{error.hint}".strip()) from None


Read = Callable[[Malformed, dict[str, str]], Iterator[Example]]
"""A set's examples; malformed rows are counted, contexts that insert rows are kept by the id of their example."""


def build(
    spider_folder: Path | None, sets: dict[str, Read], output: Path, *, seed: int, per_schema: int, of_others: int
) -> None:
    """Write every set that is asked for, then the mixture of all. Raises DatasetError, DatabaseError."""
    rules, protected = Rules(seed=seed), OverlapIndex(evaluation_examples(spider_folder), forms=False)
    spider_rows: list[Example] = []
    ddl_of: dict[str, str] = {}
    if spider_folder is not None:
        spider_rows, ddl_of = _build_spider(spider_folder, output, rules, protected)
    others: list[Example] = []
    for name, read in sets.items():
        malformed, report, contexts = Malformed(), Report(), dict[str, str]()
        rewritten = in_postgres(without_held_out(read(malformed, contexts), report), report)
        with closing(Trial(contexts)) as trial:
            kept, kept_report = keep(rewritten, rules, execute=trial, protected=protected)
        others += kept
        _save(output / f"{name}.jsonl.gz", kept, [report, kept_report], malformed)
    mixed = mixture(spider_rows, ddl_of, others, per_schema=per_schema, of_others=of_others, seed=seed)
    _save(output / "general.jsonl.gz", mixed, [], Malformed())


def _build_spider(
    folder: Path, output: Path, rules: Rules, protected: OverlapIndex
) -> tuple[list[Example], dict[str, str]]:
    """Write Spider's rows and their schemas; returns both."""
    databases, malformed, report = SpiderDatabases(folder), Malformed(), Report()
    golds = without_held_out(spider(folder, malformed, exclude=held_out_databases()), report)
    kept, kept_report = keep(databases.rewrite(golds, report), rules, protected=protected)
    ddl_of = {schema: databases.get(schema)[1].to_ddl() for schema in sorted({example.schema for example in kept})}
    databases.close()
    for schema, ddl in ddl_of.items():
        file = output / "schemas" / f"{schema}.sql"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(ddl + "\n")
    _save(output / "spider.jsonl.gz", kept, [report, kept_report], malformed)
    return kept, ddl_of


def named_sets(context_files: Sequence[Path], hub_names: Sequence[str]) -> dict[str, Read]:
    """Sets without data by the names of their outputs: local files, each read by the fields of its rows, and hub sets.

    Raises:
        DatasetError: two of them, or one and an output that is always written, have the same name.
    """
    found: dict[str, Read] = {}
    for name, read in (*map(_local, context_files), *map(_streamed, hub_names)):
        if name in found or name in ("spider", "general"):
            why = "two sets" if name in found else "a set and another output"
            raise DatasetError(
                f"Nothing was written: {why} would both be called {name}.jsonl.gz.",
                hint="Rename a file (one called rows.* goes by its folder), or build the sets apart.",
            )
        found[name] = read
    return found


def set_name(path: Path) -> str:
    """What a local set is called: its file's name without endings; `rows.jsonl` goes by its folder."""
    stem = Path(path.name.removesuffix(".gz")).stem
    folder = path.resolve().parent.name
    return folder if stem == "rows" and folder else stem


def _local(path: Path) -> tuple[str, Read]:
    name = set_name(path)

    def read(malformed: Malformed, contexts: dict[str, str]) -> Iterator[Example]:
        kind, rows = recognised(local_rows(path, malformed))
        if kind:
            click.echo(f"{path.name}: read as {kind} ({', '.join(FIELDS[kind].values())})")
        else:
            shapes = "; ".join(f"{', '.join(fields.values())} ({name})" for name, fields in FIELDS.items())
            click.echo(f"{path.name}: no row has the fields of a known set, which are {shapes}")
        return READERS[kind or next(iter(READERS))](without_spider(rows), malformed, source=name, contexts=contexts)

    return name, read


def _streamed(name: str) -> tuple[str, Read]:
    def read(malformed: Malformed, contexts: dict[str, str]) -> Iterator[Example]:
        rows = without_spider(_counted(name, hub.rows(name, limit=MOST)))
        return READERS[name](rows, malformed, source=name, contexts=contexts)

    return name, read


def _counted(name: str, rows: Iterable[Row]) -> Iterator[Row]:
    """The rows; when there are as many as are read at most, that is said."""
    count = 0
    for row in rows:
        count += 1
        yield row
    if count >= MOST:
        click.echo(f"{name}: only the first {count:,} rows were read")


def _save(path: Path, kept: list[Example], reports: list[Report], malformed: Malformed) -> None:
    write_examples(path, kept)
    click.echo(f"{path.name}: {len(kept)} rows, fingerprint {fingerprint(kept)}, malformed {malformed.count}")
    for place in malformed.listed[:SHOWN]:
        click.echo(f"  malformed  {place}")
    if malformed.count > SHOWN:
        click.echo(f"  malformed  … and {malformed.count - SHOWN:,} more")
    for report in reports:
        for reason, count in report.dropped.most_common():
            click.echo(f"  left out {count:6,}  {reason}")


if __name__ == "__main__":
    main()
