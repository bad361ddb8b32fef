"""What is asked, and of which databases: the laboratory, Spider, or a file of one's own.

A bench gives each schema one or more populations (databases with the same tables and other rows).
A query that is right by luck on one of them is seldom right on all.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from importlib import resources
from pathlib import Path
from typing import get_args

from mnemosyne import lims
from mnemosyne.datasets import Example, fingerprint, read_examples
from mnemosyne.datasets.public import local_rows, spider_schema
from mnemosyne.errors import EvaluationError
from mnemosyne.evaluation.contents import digest
from mnemosyne.evaluation.laboratories import Laboratories
from mnemosyne.guard.query import Dialect
from mnemosyne.schema import Schema

TODAY = date(2026, 6, 15)
"""The frozen clock of every bench: CURRENT_DATE is this day in golds and answers."""

SPIDER_QUESTIONS = 500
"""Questions of the bench `spider`, as many as the reference measured."""

SPIDER_SEED = 2018
"""Draws those questions; part of the bench, so that every model meets the same ones."""

LAB_BENCHES = {"lab": "lab-bench", "lab-dev": "lab-dev", "lab-unanswerable": "lab-unanswerable"}
"""Name to its file; `lab` is the laboratory's benchmark of 200 questions."""

NAMES = (*LAB_BENCHES, "spider", "spider-dev")


@dataclass(frozen=True, slots=True)
class Bench:
    """Questions with their golds, and the databases that they are asked of."""

    name: str
    """What `--bench` called it."""
    examples: tuple[Example, ...]
    """The questions, in their order."""
    schemas: Mapping[str, Schema]
    """`Example.schema` to the schema."""
    worlds: Mapping[str, tuple[str, ...]]
    """`Example.schema` to the URLs of its populations, all of one engine."""
    mirrors: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    """Engine to the same populations there; the self-test proves the golds equal on them."""
    engine: Dialect = "postgres"
    """Where golds and answers run."""
    today: date = TODAY
    """The frozen clock."""
    unanswerable: bool = False
    """True when no question has an answer and the right thing is to abstain."""
    contents: str = ""
    """Digest of the rows of databases of one's own; empty where the bench brings its databases."""

    @property
    def fingerprint(self) -> str:
        """Of the examples, 16 hexadecimal digits."""
        return fingerprint(self.examples)

    @property
    def populations(self) -> int:
        """Populations per schema, the fewest."""
        return min((len(urls) for urls in self.worlds.values()), default=0)


@dataclass(frozen=True, slots=True)
class Where:
    """Where a bench finds its data and databases."""

    home: Path
    """Folder that keeps the populations of the laboratory."""
    engine: Dialect | None = None
    """Engine of the laboratory's bench, None for PostgreSQL."""
    server: str = ""
    """URL of a PostgreSQL server to use instead of the embedded one; needs the right to create databases."""
    data: Path | None = None
    """Folder of Spider (`train.jsonl` or `dev.json`, and `database/`)."""
    databases: tuple[str, ...] = ()
    """URLs of the populations for a file of one's own."""
    mirror: bool = True
    """Whether the laboratory's golds are proven equal on the other engines."""


def check_bench(name: str, data: Path | None = None, databases: Sequence[str] = ()) -> None:
    """See before a model is fetched that there is such a bench, and that what it needs is named and there.

    Raises EvaluationError, DatasetError, DatabaseError. A pipe is not looked into: it can be read only once.
    """
    if name not in NAMES:
        if (path := Path(name)).is_file() or path.is_dir() or not path.exists():
            _questions(path, databases)
            if databases:
                _seen(databases)
        return
    if databases:
        raise EvaluationError(
            f"The bench {name} has databases of its own.", hint="--database belongs to a file of questions."
        )
    if name not in LAB_BENCHES:
        _folder(data, name)


@contextmanager
def open_bench(name: str, where: Where, *, limit: int = 0) -> Iterator[Bench]:
    """The bench `name` (one of `NAMES`, or a file of examples), its databases ready; at most `limit` questions.

    Raises EvaluationError, DatasetError, DatabaseError.
    """
    if name in NAMES:
        check_bench(name, where.data, where.databases)
    with ExitStack() as stack:
        if name in LAB_BENCHES:
            examples = read_examples(_set(LAB_BENCHES[name]))
            bench = _laboratory(name, examples, stack.enter_context(Laboratories.open(where.home, where.server)), where)
        elif name == "spider":
            bench = _spider(_folder(where.data, name))
        elif name == "spider-dev":
            bench = _spider_dev(_folder(where.data, name))
        else:
            bench = _file(Path(name), where, stack)
        _check_engine(bench, where)
        _check_ids(bench)
        if limit:
            bench = replace(bench, examples=_first(bench.examples, limit))
        yield bench


def _check_engine(bench: Bench, where: Where) -> None:
    """Only the laboratory can be put on another engine or server. Raises EvaluationError where that was asked."""
    if "lab" in bench.schemas and not where.databases:
        return
    hint = "Leave the option out; only the laboratory's benches can be asked elsewhere."
    if where.engine not in (None, bench.engine):
        raise EvaluationError(f"{bench.name} is asked on {bench.engine}; --on {where.engine} would not be.", hint=hint)
    if where.server:
        raise EvaluationError(f"{bench.name} has databases of its own; --server would not be used.", hint=hint)


def _check_ids(bench: Bench) -> None:
    """Answers, verdicts and scores are found by the question's id. Raises EvaluationError where one is there twice."""
    counts = Counter(example.id for example in bench.examples)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise EvaluationError(
            f"{bench.name} has more than one question called {', '.join(twice[:3])}.",
            hint="Give every question an id of its own.",
        )


def _set(name: str) -> Path:
    path = Path(str(resources.files("mnemosyne.data") / "sets" / f"{name}.jsonl"))
    if not path.exists():
        raise EvaluationError(f"The bench {name} is not part of this installation: {path.name} is missing.")
    return path


def _folder(data: Path | None, name: str) -> Path:
    if data is None:
        raise EvaluationError(f"The bench {name} needs Spider's folder.", hint="Name it: --data FOLDER.")
    return data


def _first(examples: Sequence[Example], limit: int) -> tuple[Example, ...]:
    """`limit` examples spread evenly over the set, so that a short run still meets every part of it."""
    count = min(limit, len(examples))
    return tuple(examples[index * len(examples) // count] for index in range(count))


# The laboratory --------------------------------------------------------------------------------------------------


def _laboratory(name: str, examples: Sequence[Example], labs: Laboratories, where: Where) -> Bench:
    chosen: Dialect = where.engine or "postgres"
    urls = labs.urls(chosen, TODAY)
    others: list[Dialect] = [engine for engine in labs.engines() if engine != chosen]
    return Bench(
        name,
        tuple(examples),
        {"lab": lims.schema()},
        {"lab": urls},
        {engine: {"lab": labs.urls(engine, TODAY)} for engine in others} if where.mirror else {},
        chosen,
        unanswerable=name == "lab-unanswerable",
    )


# Spider ----------------------------------------------------------------------------------------------------------


def held_out() -> dict[str, list[str]]:
    """`databases`: held out of all training; `unusable`: questions of theirs whose gold fails or returns nothing."""
    text = (resources.files("mnemosyne.data") / "sets" / "spider-heldout.json").read_text(encoding="utf-8")
    value = json.loads(text)
    return {"databases": value["databases"], "unusable": value["unusable"]}


def _spider(folder: Path) -> Bench:
    """500 questions, drawn by a fixed seed from the databases that no training set of ours has seen."""
    kept = held_out()
    rows = _spider_rows(folder, ("train.jsonl", "train_spider.json"), set(kept["databases"]))
    usable = [example for example in rows if example.id not in kept["unusable"]]
    if len(usable) < SPIDER_QUESTIONS:
        raise EvaluationError(
            f"{folder} has only {len(usable)} questions on the held-out databases.",
            hint="It should be Spider's training split, whole.",
        )
    chosen = sorted(random.Random(SPIDER_SEED).sample(usable, SPIDER_QUESTIONS), key=lambda example: example.id)
    return _spider_bench("spider", folder, chosen)


def _spider_dev(folder: Path) -> Bench:
    """The whole development split; every SQLite file beside a database is one of its populations (test suites)."""
    return _spider_bench("spider-dev", folder, _spider_rows(folder, ("dev.json", "dev.jsonl"), None))


def _spider_rows(folder: Path, names: Sequence[str], databases: set[str] | None) -> list[Example]:
    """Questions as examples, ids by line as in `datasets.public.spider`."""
    file = next((folder / name for name in names if (folder / name).exists()), None)
    if file is None:
        raise EvaluationError(f"{folder} holds none of {', '.join(names)}.", hint="Is it Spider's folder?")
    examples = []
    for number, (place, row) in enumerate(local_rows(file)):
        if missing := [key for key in ("question", "query", "db_id") if key not in row]:
            raise EvaluationError(
                f"{place}: {', '.join(missing)} missing.", hint="It should be one of Spider's own files."
            )
        if databases is None or row["db_id"] in databases:
            sql = " ".join(str(row["query"]).split()).removesuffix(";").strip()
            examples.append(
                Example(
                    f"spider-{number:05d}",
                    str(row["question"]).strip(),
                    sql,
                    f"spider/{row['db_id']}",
                    "sqlite",
                    source="spider",
                )
            )
    return examples


def _spider_bench(name: str, folder: Path, examples: Sequence[Example]) -> Bench:
    schemas: dict[str, Schema] = {}
    worlds: dict[str, tuple[str, ...]] = {}
    for schema in sorted({example.schema for example in examples}):
        database = schema.removeprefix("spider/")
        schemas[schema] = spider_schema(folder, database)
        home = folder / "database" / database
        files = sorted(home.glob("*.sqlite"), key=lambda file: (file.stem != database, file.name))
        worlds[schema] = tuple(f"sqlite:///{file.resolve()}" for file in files)
    return Bench(name, tuple(examples), schemas, worlds, engine="sqlite")


# A file of one's own ---------------------------------------------------------------------------------------------


def _called(path: Path) -> str:
    """A file's stem; its whole name where that is a bench of ours, beside which the reference's figures stand."""
    return path.name if path.stem in NAMES else path.stem


def _file(path: Path, where: Where, stack: ExitStack) -> Bench:
    """Examples of one schema: `lab` with its populations, or any schema with the databases that are named."""
    examples = _questions(path, where.databases)
    schema_name = examples[0].schema
    unanswerable = not any(example.sql.strip() for example in examples)
    if not where.databases:
        labs = stack.enter_context(Laboratories.open(where.home, where.server))
        return replace(_laboratory(_called(path), examples, labs, where), unanswerable=unanswerable)
    schema, engine = _seen(where.databases)
    return Bench(
        _called(path),
        tuple(examples),
        {schema_name: schema},
        {schema_name: where.databases},
        engine=engine,
        unanswerable=unanswerable,
        contents=digest(where.databases),
    )


def _questions(path: Path, databases: Sequence[str]) -> list[Example]:
    """The examples of a file: of `lab`, or of the one schema that the databases have."""
    if not path.exists():
        raise EvaluationError(f"No bench and no file is called {path}.", hint=f"Benches: {', '.join(NAMES)}.")
    if path.is_dir():
        raise EvaluationError(f"{path} is a folder.", hint="--bench wants a file: one JSON object a line.")
    examples = read_examples(path)
    known = get_args(Dialect)
    if strange := sorted({example.dialect for example in examples} - set(known)):
        raise EvaluationError(
            f"{path.name} has golds in {', '.join(map(repr, strange))}.", hint=f"`dialect`: {', '.join(known)}."
        )
    if not examples:
        raise EvaluationError(f"{path} holds no question.", hint="One JSON object a line: docs/evaluation.md.")
    names = sorted({example.schema for example in examples})
    if names != ["lab"] and not databases:
        raise EvaluationError(
            f"{path.name} asks of {', '.join(names[:3])}, and no database is named.",
            hint="Name one or more populations: --database URL.",
        )
    if len(names) > 1:
        raise EvaluationError(
            f"{path.name} holds {len(names)} schemas; databases can be named for one.", hint="Split it by schema."
        )
    return examples


def _seen(urls: Sequence[str]) -> tuple[Schema, Dialect]:
    """The schema of the first population, and the engine of them all. Raises EvaluationError, DatabaseError."""
    from mnemosyne.databases import open_database

    engines: list[Dialect] = []
    schemas: list[Schema] = []
    for url in urls:
        database = open_database(url)
        try:
            engines.append(database.dialect)
            schemas += [] if schemas else [database.schema()]
        finally:
            database.close()
    if len(set(engines)) > 1:
        raise EvaluationError(
            f"The populations are of different engines: {', '.join(engines)}.",
            hint="Name databases of one engine; a second run measures the other.",
        )
    return schemas[0], engines[0]


def identity(bench: Bench) -> str:
    """What must be equal for two runs to be comparable: questions, golds, engine, clock and populations."""
    populations = sorted((name, [url.rpartition("/")[2] for url in urls]) for name, urls in bench.worlds.items())
    text = json.dumps([bench.fingerprint, bench.engine, bench.today.isoformat(), populations])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
