"""Pairs for a schema that nobody here has seen: lexicon, populations, pairs and report in one folder.

The folder holds `lexicon.yaml` (drafted once, then the person's), `pairs.jsonl.gz`, `schemas/NAME.sql`, `report.md`
and `work/` (populations and finished blocks; safe to delete when all is done).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from mnemosyne.databases import open_database
from mnemosyne.datasets.example import Example
from mnemosyne.datasets.jsonl import fingerprint, read_lines, write_examples
from mnemosyne.errors import SchemaError
from mnemosyne.schema import Schema
from mnemosyne.synthesis import lexicon as lexicons
from mnemosyne.synthesis.block import Link, Maker, Plan
from mnemosyne.synthesis.checking import Checked, Checker
from mnemosyne.synthesis.drafting import draft
from mnemosyne.synthesis.generate import Made, Progress, generate
from mnemosyne.synthesis.pools import Privacy, read_pools
from mnemosyne.synthesis.populations import make
from mnemosyne.synthesis.report import cover, coverage_page, verification_page
from mnemosyne.synthesis.verify import Verifier
from mnemosyne.synthesis.world import World

KEEP = (1.0, 0.75, 0.55)
"""Share of the rows that each population keeps; the first one is the database as it is."""

CHECKED_NEIGHBOURS = 8
"""Neighbours tried for a pair that a person wrote: there are few such pairs, and each is worth it."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a person asks for."""

    url: str
    """The database."""
    folder: Path
    """Where everything goes."""
    count: int = 1_000
    """Pairs."""
    seed: int = 0
    """Other seeds, other pairs."""
    lexicon: Path | None = None
    """The lexicon; None drafts one in the folder, or takes the one that is there."""
    privacy: Privacy = field(default_factory=Privacy)
    """What may be read."""
    today: date | None = None
    """What CURRENT_DATE means; None for the real today, which makes a rebuild differ."""
    name: str = "own"
    """Name of the schema in the examples."""
    workers: int = 1
    """Processes."""
    ray: bool = False
    """Whether blocks are made on Ray."""


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

    def __call__(self) -> Maker:
        """A maker of pairs for this schema."""
        words = lexicons.parse(self.words, self.schema)
        databases = [open_database(f"duckdb:///{file}") for file in self.files]
        pools = tuple(read_pools(database, self.schema, words, self.privacy) for database in databases)
        links: list[Link] = []
        if self.linker is not None and not self.privacy.disguise:
            links = [self.linker(database, self.schema, self.privacy).hints for database in databases]
        return Maker(
            self.plan, World(self.schema, words, pools, self.today), Verifier(databases, self.schema, self.today), links
        )


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


def prepare(order: Order) -> tuple[Schema, Path]:
    """The schema and the lexicon's file, drafted when there is none yet."""
    schema = own_schema(order.url)
    if order.lexicon is not None:
        return schema, order.lexicon
    path = order.folder / "lexicon.yaml"
    if not path.exists():
        database = open_database(order.url)
        try:
            text = draft(schema, database, name=order.name, exclude=order.privacy.exclude)
        finally:
            database.close()
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(".lexicon.yaml.partial")
        partial.write_text(text, "utf-8")
        partial.replace(path)
    return schema, path


def populations(order: Order, schema: Schema) -> list[Path]:
    """Three populations: thinned copies of the database, with invented rows in its empty tables."""
    today = order.today or date.today()
    made = []
    database = open_database(order.url)
    try:
        for number, keep in enumerate(KEEP):
            path = order.folder / "work" / f"population-{number}.duckdb"
            if not path.exists():
                make(database, schema, path, keep=keep, seed=number, today=today, privacy=order.privacy)
            made.append(path)
    finally:
        database.close()
    return made


def synthesise(order: Order, progress: Progress | None = None, linker: Any = None) -> Made:
    """Pairs for a database, with their report, in a folder. Raises LexiconError, SchemaError, DatabaseError."""
    schema, file = prepare(order)
    text = file.read_text("utf-8")
    words = lexicons.parse(text, schema, where=file.name)
    files = populations(order, schema)
    plan = Plan(seed=order.seed, source=words.name, block=50 if order.count >= 200 else 10)
    recipe = SchemaRecipe(
        schema, text, tuple(map(str, files)), plan, order.privacy, order.today or date.today(), linker
    )
    mark = hashlib.sha256(repr((text, plan, order.privacy, recipe.today, schema)).encode()).hexdigest()[:12]
    work = order.folder / "work" / mark
    made = generate(recipe, plan, order.count, work=work, workers=order.workers, ray=order.ray, progress=progress)
    write_examples(order.folder / "pairs.jsonl.gz", made.examples)
    write_schema(order.folder, words.name, schema)
    page = (
        f"# {len(made.examples):,} pairs for {words.name}\n\nSeed {order.seed}, fingerprint {fingerprint(made.examples)}, "
        f"CURRENT_DATE frozen at {recipe.today}.\n\n"
    )
    page += verification_page("Verification", made) + "\n" + coverage_page("Coverage", cover(made.examples, schema))
    (order.folder / "report.md").write_text(page, "utf-8")
    return made


def check(order: Order, pairs: Path, linker: Any = None) -> Iterator[Checked]:
    """Judge pairs that people wrote, on the populations of `synthesise`; those that pass go to `checked.jsonl.gz`.

    `pairs` is JSON Lines of `question`, `sql` (PostgreSQL) and perhaps `tier`. The file is written when the last verdict has
    been taken. Raises DatasetError, SchemaError, DatabaseError.
    """
    schema = own_schema(order.url)
    rows = list(read_lines(pairs))
    databases = [open_database(f"duckdb:///{file}") for file in populations(order, schema)]
    passed: list[Example] = []
    try:
        links: list[Link] = []
        if linker is not None and not order.privacy.disguise:
            links = [linker(database, schema, order.privacy).hints for database in databases]
        verifier = Verifier(databases, schema, order.today or date.today(), most=CHECKED_NEIGHBOURS, careful=False)
        for verdict in Checker(verifier, order.name, links=links, source=pairs.name.split(".")[0]).check(rows):
            if verdict.example is not None:
                passed.append(verdict.example)
            yield verdict
    finally:
        for database in databases:
            database.close()
    write_examples(order.folder / "checked.jsonl.gz", passed)
    write_schema(order.folder, order.name, schema)


def write_schema(folder: Path, name: str, schema: Schema) -> None:
    """Write the DDL where readers of the pairs look for it."""
    (folder / "schemas").mkdir(parents=True, exist_ok=True)
    (folder / "schemas" / f"{name.replace('/', '-')}.sql").write_text(schema.to_ddl() + "\n", "utf-8")


def reword(order: Order, made: Made, model: str) -> tuple[int, int]:
    """Write paraphrases by a local model, checked by execution; returns how many were kept, and asked for."""
    from mnemosyne import settings
    from mnemosyne.engines import open_engine
    from mnemosyne.synthesis.paraphrase import Paraphraser

    schema = own_schema(order.url)
    databases = [open_database(f"duckdb:///{file}") for file in populations(order, schema)]
    engine = open_engine(model, settings.load())
    try:
        outcomes = list(Paraphraser(engine, databases, schema, order.today).paraphrase(made.examples, seed=order.seed))
    finally:
        engine.close()
        for database in databases:
            database.close()
    kept = [outcome.example for outcome in outcomes if outcome.example is not None]
    write_examples(order.folder / "paraphrases.jsonl.gz", kept)
    return len(kept), len(outcomes)
