"""Readers of the public sets: sql-create-context, gretel synthetic_text_to_sql, Spider, WikiSQL-shaped rows.

Each yields examples one by one from local files (JSON, JSON Lines, gzip, Parquet) or from rows
that `hub.rows` streams. A malformed row is counted and listed, never fatal; a file that cannot be read is an error.
"""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mnemosyne.datasets.example import Example
from mnemosyne.datasets.jsonl import is_text, read_lines, try_lines
from mnemosyne.errors import DatasetError, SchemaError
from mnemosyne.schema import Schema

HUB = {
    "sql-create-context": ("b-mc2/sql-create-context", "sql_create_context_v4.json"),
    "gretel": ("gretelai/synthetic_text_to_sql", "synthetic_text_to_sql_train.snappy.parquet"),
}
"""Where the hub keeps each set: repository and file."""

CAP = 20_000
"""Rows taken from one source at most, as the reference did."""


@dataclass(slots=True)
class Malformed:
    """Rows that are not what their source promises."""

    count: int = 0
    """How many."""
    listed: list[str] = field(default_factory=list)
    """The first hundred, each with its place and what is wrong."""

    def add(self, place: str, why: str) -> None:
        """Count one row."""
        self.count += 1
        if len(self.listed) < 100:
            self.listed.append(f"{place}: {why}")


Row = tuple[str, Mapping[str, Any]]
"""A place to name in a message, and the row."""


FIELDS = {
    "sql-create-context": {"question": "question", "schema": "context", "sql": "answer"},
    "gretel": {"question": "sql_prompt", "schema": "sql_context", "sql": "sql"},
}
"""What each set calls the question, the DDL and the gold."""


def create_context(
    rows: Iterable[Row],
    malformed: Malformed,
    *,
    source: str = "sql-create-context",
    contexts: dict[str, str] | None = None,
) -> Iterator[Example]:
    """Rows of `question`, `context` (DDL), `answer`: sql-create-context and WikiSQL-shaped files.

    A context that inserts rows is also put into `contexts`, under the example's id.
    """
    yield from _from_rows(rows, malformed, FIELDS["sql-create-context"], source=source, contexts=contexts)


def gretel(
    rows: Iterable[Row], malformed: Malformed, *, source: str = "gretel", contexts: dict[str, str] | None = None
) -> Iterator[Example]:
    """Rows of gretelai/synthetic_text_to_sql; a context that inserts rows is also put into `contexts`, as above."""
    tags = ("sql_complexity", "domain")
    yield from _from_rows(rows, malformed, FIELDS["gretel"], source=source, tag_fields=tags, contexts=contexts)


READERS = {"sql-create-context": create_context, "gretel": gretel}
"""What reads the rows of each set that has the DDL in the row."""


def recognised(rows: Iterable[Row]) -> tuple[str, Iterator[Row]]:
    """The set whose fields the first well-formed row has, and all the rows; an empty text when no row has any set's."""
    rows, passed = iter(rows), []
    for row in rows:
        passed.append(row)
        for name, fields in FIELDS.items():
            if not _missing(row[1], fields):
                return name, itertools.chain(passed, rows)
    return "", iter(passed)


def spider(folder: Path | str, malformed: Malformed, *, exclude: Iterable[str] = ()) -> Iterator[Example]:
    """Spider's questions (`train.jsonl` or `train_spider.json`), schema `spider/<db_id>`, gold in SQLite.

    `exclude` holds whole databases out; a single question is never held out alone.
    """
    folder = Path(folder)
    found = next((folder / name for name in ("train.jsonl", "train_spider.json") if (folder / name).exists()), None)
    if found is None:
        raise DatasetError(f"{folder} holds neither train.jsonl nor train_spider.json.", hint="Is it Spider's folder?")
    excluded = set(exclude)
    for number, (place, row) in enumerate(local_rows(found, malformed)):
        text = [row.get(name) for name in ("db_id", "question", "query")]
        if not all(isinstance(value, str) and value.strip() for value in text):
            malformed.add(place, "needs db_id, question and query")
            continue
        db_id, question, sql = map(str, text)
        if db_id not in excluded:
            sql = " ".join(sql.split()).removesuffix(";").strip()
            yield Example(f"spider-{number:05d}", question.strip(), sql, f"spider/{db_id}", "sqlite", source="spider")


def spider_schema(folder: Path | str, db_id: str) -> Schema:
    """The schema of one Spider database, from the DDL inside its SQLite file. Raises DatasetError, SchemaError."""
    file = Path(folder) / "database" / db_id / f"{db_id}.sqlite"
    if not file.exists():
        raise DatasetError(
            f"No such Spider database: {file}.", hint="The folder needs database/<db_id>/<db_id>.sqlite."
        )
    connection = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)
    try:
        statements = connection.execute("SELECT sql FROM sqlite_master WHERE type = 'table' AND sql IS NOT NULL")
        return Schema.from_ddl(";\n".join(row[0] for row in statements) + ";", dialect="sqlite")
    except sqlite3.DatabaseError as error:
        raise DatasetError(f"{file} is not a SQLite database: {error}.") from None
    finally:
        connection.close()


def local_rows(path: Path | str, malformed: Malformed | None = None) -> Iterator[Row]:
    """Rows of a local JSON list, JSON Lines (also gzipped) or Parquet file, with their place.

    What is no row is counted in `malformed` and left out; without `malformed` the first one ends the reading.

    Raises:
        DatasetError: the file cannot be read, or not to its end.
    """
    path = Path(path)
    if path.suffix == ".parquet":
        yield from _parquet(path)
    elif path.suffix == ".json":
        yield from _json(path, malformed)
    elif malformed is None:
        yield from ((f"{path.name}, line {number}", row) for number, row in read_lines(path))
    else:
        for number, row in try_lines(path):
            if isinstance(row, str):
                malformed.add(f"{path.name}, line {number}", row)
            else:
                yield f"{path.name}, line {number}", row


def _parquet(path: Path) -> Iterator[Row]:
    import duckdb

    if not path.exists():
        raise DatasetError(f"No such file: {path}.", hint="Check the path.")
    number = 0
    with duckdb.connect() as connection:
        try:
            cursor = connection.execute("SELECT * FROM read_parquet(?)", [str(path)])
            names = [column[0] for column in cursor.description or ()]
            while batch := cursor.fetchmany(1000):
                for values in batch:
                    number += 1
                    yield f"{path.name}, row {number}", dict(zip(names, values, strict=True))
        except duckdb.Error as error:
            why = str(error).splitlines()[0]
            raise DatasetError(f"{path} cannot be read: {why}.", hint="Is it a Parquet file, whole?") from None


def _json(path: Path, malformed: Malformed | None) -> Iterator[Row]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(f"{path} cannot be read: {error}.", hint="Is it a JSON list in UTF-8, whole?") from None
    if not isinstance(rows, list):
        raise DatasetError(
            f"{path} holds no list but {type(rows).__name__}.",
            hint="A .json file is one list of objects; a file of one object a line ends in .jsonl.",
        )
    for number, row in enumerate(rows, 1):
        place, why = f"{path.name}, row {number}", f"not an object but {type(row).__name__}"
        if isinstance(row, dict) and not is_text(row):
            why = "half of a surrogate pair in it, which is no text"
        elif isinstance(row, dict):
            yield place, row
            continue
        if malformed is not None:
            malformed.add(place, why)
        else:
            raise DatasetError(f"{path}, row {number}: {why}.", hint="Every row is one JSON object.")


def _from_rows(
    rows: Iterable[Row],
    malformed: Malformed,
    names: Mapping[str, str],
    *,
    source: str,
    tag_fields: tuple[str, ...] = (),
    contexts: dict[str, str] | None = None,
) -> Iterator[Example]:
    for number, (place, row) in enumerate(rows):
        if missing := _missing(row, names):
            malformed.add(place, f"needs {', '.join(missing)}")
            continue
        values = {ours: row[theirs] for ours, theirs in names.items()}
        try:
            ddl = Schema.from_ddl(str(values["schema"])).to_ddl()
        except SchemaError as error:
            malformed.add(place, str(error))
            continue
        tags = tuple(f"{name}:{row[name]}" for name in tag_fields if row.get(name))
        sql = str(values["sql"]).strip().removesuffix(";").strip()
        example_id = f"{source}-{number:06d}"
        if contexts is not None and "insert" in str(values["schema"]).lower():
            contexts[example_id] = str(values["schema"])
        yield Example(example_id, str(values["question"]).strip(), sql, ddl, "sqlite", tags=tags, source=source)


def _missing(row: Mapping[str, Any], names: Mapping[str, str]) -> list[str]:
    """Fields of a set that a row does not have as text."""
    found = {name: row.get(name) for name in names.values()}
    return [name for name, value in found.items() if not isinstance(value, str) or not value.strip()]
