"""Pairs for a schema that nobody here has seen: lexicon, populations, pairs and report in one folder.

The folder holds `lexicon.yaml` (drafted once, then the person's), `pairs.jsonl.gz`, `schemas/NAME.sql`, `report.md`,
`recipe.yaml` (written once, for training) and `work/` (populations and the blocks made from them; safe to delete when all is done).
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from mnemosyne import __version__, locks
from mnemosyne.databases import open_database
from mnemosyne.datasets.example import Example
from mnemosyne.datasets.jsonl import fingerprint, try_lines, write_examples
from mnemosyne.errors import SchemaError, SettingsError
from mnemosyne.schema import Schema
from mnemosyne.synthesis import lexicon as lexicons
from mnemosyne.synthesis.block import Link, Maker, Plan
from mnemosyne.synthesis.checking import Checked, Checker
from mnemosyne.synthesis.copies import Copies, copies
from mnemosyne.synthesis.disguise import check_names, disguised, shown, spoken
from mnemosyne.synthesis.drafting import draft
from mnemosyne.synthesis.generate import Made, Progress, generate
from mnemosyne.synthesis.order import Order
from mnemosyne.synthesis.pools import Privacy, read_pools
from mnemosyne.synthesis.protecting import index_of, mark_of, read_protected
from mnemosyne.synthesis.report import cover, coverage_page, verification_page
from mnemosyne.synthesis.verify import Verifier
from mnemosyne.synthesis.world import World

CHECKED_NEIGHBOURS = 8
"""Neighbours tried for a pair that a person wrote: there are few such pairs, and each is worth it."""

_NAME = re.compile(r"\w[\w .-]*(/\w[\w .-]*)*")
"""What a schema may be called; `schemas/NAME.sql` holds its DDL, so a `/` makes a folder."""

DEFAULT_NAME = "own"
"""Name of the schema in the examples where nobody gives one."""

Remark = Callable[[str], None]
"""Called with a sentence on the populations that a person should know."""


@dataclass(frozen=True, slots=True)
class SchemaRecipe:
    """Opens the populations in whatever process makes pairs."""

    schema: Schema
    """The schema."""
    words: str
    """The lexicon's text."""
    files: tuple[str, ...]
    """The populations."""
    plan: Plan
    """How pairs are made."""
    privacy: Privacy
    """What may be read."""
    today: date
    """The frozen clock."""
    linker: Any = None
    """Gives hints as answering does: called with (database, schema), has `hints`. None leaves hints empty."""
    name: str = ""
    """Name of the schema in the examples; empty for the lexicon's."""
    protected: tuple[Example, ...] = ()
    """Pairs of an evaluation, which no pair may be near."""

    def __call__(self) -> Maker:
        """A maker of pairs for this schema."""
        words = spoken(lexicons.parse(self.words, self.schema), disguised(self.privacy, self.schema))
        words = replace(words, name=self.name or words.name)
        databases = [open_database(f"duckdb:///{file}") for file in self.files]
        pools = tuple(read_pools(database, self.schema, words, self.privacy) for database in databases)
        links: list[Link] = []
        if self.linker is not None and not self.privacy.disguise:
            links = [self.linker(database, self.schema, self.privacy).hints for database in databases]
        world, verifier = World(self.schema, words, pools, self.today), Verifier(databases, self.schema, self.today)
        return Maker(self.plan, world, verifier, links, index_of(self.protected))


def own_schema(url: str) -> Schema:
    """The schema of a database, tables of the search path only. Raises SchemaError when there is none."""
    database = open_database(url)
    try:
        schema = database.schema()
    finally:
        database.close()
    tables = tuple(t for t in schema.tables if not t.namespace and not t.is_view and t.columns)
    if not tables:
        raise SchemaError(
            f"{url} holds no table.", hint="Synthesis needs tables; rows are invented when there are none."
        )
    return replace(schema, tables=tables)


def asked_schema(order: Order) -> Schema:
    """The schema of an order's database. Raises SettingsError when privacy names what it does not have."""
    schema = own_schema(order.url)
    check_names(order.privacy, schema)
    return schema


def prepare(order: Order) -> tuple[Schema, Path]:
    """The schema and the lexicon's file, drafted when there is none yet."""
    schema = asked_schema(order)
    if order.lexicon is not None:
        return schema, order.lexicon
    path = order.folder / "lexicon.yaml"
    if not path.exists():
        database = open_database(order.url)
        try:
            text = draft(schema, database, name=order.name or DEFAULT_NAME, exclude=order.privacy.exclude)
        finally:
            database.close()
        _put(path, text)
    return schema, path


RECIPE = """\
# Trains an adapter on the pairs beside this file: mnemosyne train THIS_FILE --dry-run, then without. Yours from now on.
name: {name}
base: qwen2.5-coder-0.5b-instruct
data:
  - path: pairs.jsonl.gz
  # - path: checked.jsonl.gz        # pairs that you wrote: mnemosyne synth … --check FILE
  # General rows keep the model from forgetting other databases (docs/training.md). In this folder, make them with
  #   python -m mnemosyne.training.general --spider SPIDER_FOLDER -o .
  # - {{path: general.jsonl.gz, weight: 0.5}}
# With questions of your own that training does not see, the best checkpoint is chosen by the rows of its answers:
# validation: {{path: my-questions.jsonl, database: "sqlite:///my-lims.db", questions: 40, minutes: 20, patience: 4}}
select: loss                        # with validation: execution
rank: 16
alpha: 32
learning_rate: 2e-4
warmup: 0.1
batch: 32
group_size: 16
epochs: 2
"""
"""The recipe that is written once beside the pairs."""


def _put(path: Path, text: str) -> None:
    """Write a text, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_text(text, "utf-8")
    partial.replace(path)


def _alone(folder: Path) -> AbstractContextManager[None]:
    """One run at a time in a folder: another one would remove the populations that this one reads.

    Raises SettingsError when there is one.
    """
    busy = SettingsError(
        f"Another run of mnemosyne synth is at work in {folder}.",
        hint="Wait until it ends, or name another folder with -o.",
    )
    return locks.alone(folder / ".lock", busy)


def checked_name(name: str) -> str:
    """The name of the schema in the pairs. Raises SettingsError when no file can be called so."""
    if _NAME.fullmatch(name) and "create table" not in name.lower():
        return name
    raise SettingsError(
        f"A schema cannot be called {name!r}: schemas/NAME.sql holds its DDL.",
        hint="Use letters, digits, spaces, '.', '-' and '_' in --name or the lexicon's 'name', and '/' between two names.",
    )


def synthesise(
    order: Order,
    progress: Progress | None = None,
    linker: Any = None,
    remark: Remark | None = None,
    protect: Iterable[Path] = (),
) -> Made:
    """Pairs for a database, with their report, in a folder.

    `remark` is called with what a person should know of the populations; `protect` are files of evaluation pairs, which no
    pair may be near. Raises DatasetError, LexiconError, SchemaError, SettingsError, DatabaseError.
    """
    protected = read_protected(protect)
    schema, file = prepare(order)
    text = lexicons.text_of(file)
    name = checked_name(order.name or lexicons.parse(text, schema, where=file.name).name)
    with _alone(order.folder):
        return _synthesise(order, schema, text, name, progress, linker, remark, protected)


def _synthesise(
    order: Order,
    schema: Schema,
    text: str,
    name: str,
    progress: Progress | None,
    linker: Any,
    remark: Remark | None,
    protected: tuple[Example, ...],
) -> Made:
    """Populations, blocks, pairs and report."""
    found = copies(order, schema)
    _say(found, remark)
    schema = shown(schema, disguised(order.privacy, schema))
    plan = Plan(seed=order.seed, source=name, block=50 if order.count >= 200 else 10)
    recipe = SchemaRecipe(
        schema, text, tuple(map(str, found.files)), plan, order.privacy, order.clock, linker, name, protected
    )
    decides = (__version__, text, plan, linker is not None, *mark_of(protected))
    mark = hashlib.sha256(repr(decides).encode()).hexdigest()[:12]
    work = found.folder / f"blocks-{mark}"
    made = generate(recipe, plan, order.count, work=work, workers=order.workers, ray=order.ray, progress=progress)
    write_examples(order.folder / "pairs.jsonl.gz", made.examples)
    write_schema(order.folder, name, schema)
    page = (
        f"# {len(made.examples):,} pairs for {name}\n\nSeed {order.seed}, fingerprint {fingerprint(made.examples)}, "
        f"CURRENT_DATE frozen at {recipe.today}."
        + (f" Kept apart from {len(protected):,} protected pairs." if protected else "")
        + f"\n\n{found.page()}\n"
    )
    page += verification_page("Verification", made) + "\n" + coverage_page("Coverage", cover(made.examples, schema))
    _put(order.folder / "report.md", page)
    if made.examples and not (recipe_file := order.folder / "recipe.yaml").exists():
        _put(recipe_file, RECIPE.format(name=name.rpartition("/")[2]))
    return made


def _say(found: Copies, remark: Remark | None) -> None:
    if remark is not None:
        for line in found.remarks():
            remark(line)


def check(
    order: Order, pairs: Path, linker: Any = None, remark: Remark | None = None, protect: Iterable[Path] = ()
) -> Iterator[Checked]:
    """Judge pairs that people wrote, on the populations of `synthesise`; those that pass go to `checked.jsonl.gz`.

    `pairs` is JSON Lines of `question`, `sql` (PostgreSQL) and perhaps `tier`; `protect` as in `synthesise`. The file is written when the last verdict has
    been taken. Raises DatasetError, SchemaError, SettingsError, DatabaseError.
    """
    if order.privacy.disguise:
        raise SettingsError(
            "--check judges pairs as they were written, with stored values in them, so --disguise can not hold for them.",
            hint="Leave --disguise out, and write no value into a pair that must not be read; --exclude is obeyed.",
        )
    protected = read_protected(protect)
    schema = asked_schema(order)
    rows = list(try_lines(pairs))
    name = checked_name(order.name or _lexicon_name(order, schema))
    with _alone(order.folder):
        yield from _check(order, schema, rows, name, pairs.name.split(".")[0], linker, remark, protected)


def _check(
    order: Order,
    schema: Schema,
    rows: list[tuple[int, dict[str, Any] | str]],
    name: str,
    source: str,
    linker: Any,
    remark: Remark | None,
    protected: tuple[Example, ...],
) -> Iterator[Checked]:
    """The verdict on every row; those that pass are written."""
    found = copies(order, schema)
    _say(found, remark)
    databases = [open_database(f"duckdb:///{file}") for file in found.files]
    passed: list[Example] = []
    try:
        links: list[Link] = []
        if linker is not None:
            links = [linker(database, schema, order.privacy).hints for database in databases]
        verifier = Verifier(databases, schema, order.clock, most=CHECKED_NEIGHBOURS, careful=False)
        checker = Checker(verifier, name, links=links, protected=index_of(protected), source=source)
        for verdict in checker.check(rows):
            if verdict.example is not None:
                passed.append(verdict.example)
            yield verdict
    finally:
        for database in databases:
            database.close()
    write_examples(order.folder / "checked.jsonl.gz", passed)
    write_schema(order.folder, name, schema)


def _lexicon_name(order: Order, schema: Schema) -> str:
    """The name in the lexicon, where there is one."""
    path = order.lexicon or order.folder / "lexicon.yaml"
    return lexicons.load(path, schema).name if path.exists() else DEFAULT_NAME


def write_schema(folder: Path, name: str, schema: Schema) -> None:
    """Write the DDL where readers of the pairs look for it."""
    _put(folder / "schemas" / f"{name}.sql", schema.to_ddl() + "\n")


def reword(
    order: Order, made: Made, model: str, protect: Iterable[Path] = (), progress: Progress | None = None
) -> tuple[int, int]:
    """Write paraphrases by a local model, checked by execution; returns how many were kept, and asked for.

    `protect` as in `synthesise`; `progress` is called with the pairs done so far and all of them.
    """
    from mnemosyne import settings
    from mnemosyne.engines import open_engine
    from mnemosyne.synthesis.paraphrase import Paraphraser

    schema, protected = asked_schema(order), index_of(read_protected(protect))
    with _alone(order.folder):
        databases = [open_database(f"duckdb:///{file}") for file in copies(order, schema).files]
        try:
            engine = open_engine(model, settings.load())
            try:
                paraphraser = Paraphraser(
                    engine, databases, shown(schema, disguised(order.privacy, schema)), order.clock
                )
                outcomes = []
                for outcome in paraphraser.paraphrase(made.examples, seed=order.seed):
                    outcomes.append(outcome)
                    if progress is not None:
                        progress(len(outcomes), len(made.examples))
            finally:
                engine.close()
        finally:
            for database in databases:
                database.close()
        kept = [outcome.example for outcome in outcomes if outcome.example is not None]
        if protected is not None:
            kept = [example for example in kept if not protected.reason(example)]
        write_examples(order.folder / "paraphrases.jsonl.gz", kept)
    return len(kept), len(outcomes)
