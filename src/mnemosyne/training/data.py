"""The rows of a recipe: read, weighted, given their DDL, and fingerprinted."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from mnemosyne.datasets.example import Example
from mnemosyne.datasets.jsonl import fingerprint, read_examples, try_lines
from mnemosyne.errors import DatasetError, SchemaError, TrainingError
from mnemosyne.schema import Schema
from mnemosyne.training.recipe import Recipe, Source
from mnemosyne.training.rows import Encode, Row, Tokenised, tokenise

_LAB = resources.files("mnemosyne.data") / "lims" / "schema.sql"

SETS = "mnemosyne:"
"""A path that starts so is a data set of the distribution."""

MADE = {
    "general.jsonl.gz": "--spider SPIDER_FOLDER --context FILE",
    "sql-create-context.jsonl.gz": "--hub sql-create-context",
    "gretel.jsonl.gz": "--hub gretel",
}
"""Files of the shipped recipes that are made beside them, and what `mnemosyne.training.general` makes each from."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """One file of a recipe, tokenised."""

    source: Source
    """As the recipe says."""
    rows: tuple[Row, ...]
    """Rows that fit."""
    too_long: tuple[tuple[str, int], ...]
    """(id, tokens) of rows that do not."""
    fingerprint: str
    """Of the file's examples."""


def need_files(recipe: Recipe, folder: Path) -> None:
    """See that every file which the recipe names is there, before weights are fetched or anything is read.

    Raises:
        DatasetError: a data or validation file is not there, or cannot be read.
        DatabaseError: the validation database is named wrongly, or is a file that is not there.
    """
    from mnemosyne.databases.places import parse

    validation = recipe.validation
    for path in (*(source.path for source in recipe.data), *((validation.path,) if validation else ())):
        file = locate(path, folder)
        try:
            next(try_lines(file), None)
        except DatasetError as error:
            if file.exists() or file.name not in MADE:
                raise
            make = f"python -m mnemosyne.training.general {MADE[file.name]} -o {file.parent}"
            raise DatasetError(str(error), hint=f"Make it first: {make}") from None
    if validation and validation.database not in ("", "lab") and recipe.frame != "trl":
        parse(validation.database)


def load(recipe: Recipe, folder: Path, encode: Encode) -> list[Loaded]:
    """Every file of the recipe; relative paths are relative to `folder`. Raises DatasetError, SchemaError."""
    loaded = []
    for source in recipe.data:
        path = locate(source.path, folder)
        examples = read_examples(path)
        if not examples:
            raise DatasetError(f"{path} holds no examples.")
        done = rows_of(examples, path, encode, recipe.max_tokens)
        loaded.append(Loaded(source, done.rows, done.too_long, fingerprint(examples)))
    return loaded


def rows_of(examples: Sequence[Example], path: Path, encode: Encode, max_tokens: int) -> Tokenised:
    """Examples of the file `path` as rows. Raises DatasetError, SchemaError."""
    for example in examples:
        if not example.sql.strip():
            raise DatasetError(f"{path}: {example.id} has no SQL to learn.")
        if example.dialect != "postgres":
            raise DatasetError(
                f"{path}: {example.id} is {example.dialect}; the model writes PostgreSQL.",
                hint="The readers of mnemosyne.datasets give PostgreSQL; run the set through them.",
            )
    schemas = Schemas(path)
    return tokenise(examples, schemas.ddl, encode, max_tokens)


def need_apart(loaded: Sequence[Loaded], validation: Sequence[Row]) -> None:
    """Raise TrainingError when a question of the validation set, on the same schema, is trained on."""
    asked = {(row.prefix, row.branch[: row.answer]): row.id for row in validation}
    both = [
        (row.id, asked[key])
        for part in loaded
        for row in part.rows
        if (key := (row.prefix, row.branch[: row.answer])) in asked
    ]
    if both:
        raise TrainingError(
            f"{len(both)} training rows ask what the validation set asks, such as {both[0][0]} and {both[0][1]}.",
            hint="Take them out of one of the two: a checkpoint is chosen by questions that it has not seen.",
        )


def locate(path: str, folder: Path) -> Path:
    """The file that a recipe's path means."""
    if path.startswith(SETS):
        return Path(str(resources.files("mnemosyne.data") / "sets" / path.removeprefix(SETS)))
    return folder / Path(os.path.expanduser(path))


class Schemas:
    """Canonical DDL of the schemas that a file of examples names."""

    def __init__(self, path: Path) -> None:
        self._folder = path.parent / "schemas"
        self._file = path
        self._known: dict[str, Schema] = {}

    def ddl(self, example: Example) -> str:
        """The DDL of an example's prompt. Raises DatasetError, SchemaError."""
        return self.schema(example).to_ddl()

    def schema(self, example: Example) -> Schema:
        """The schema of an example. Raises DatasetError, SchemaError (file or example named)."""
        name = example.schema
        if name not in self._known:
            self._known[name] = self._read(name, example.id)
        return self._known[name]

    def _read(self, name: str, asks: str) -> Schema:
        if "create table" in name.lower():
            return _schema(name, f"{self._file}, schema of {asks}")
        file = self._folder / f"{name}.sql"
        if file.is_file():
            return _schema(_text(file), str(file))
        if name == "lab":
            return Schema.from_ddl(_LAB.read_text(encoding="utf-8"))
        raise DatasetError(f"{self._file} asks of schema {name!r}, and there is no {file}.")


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise DatasetError(
            f"{file}, line {line}: byte {error.object[error.start]:#04x} is not UTF-8.",
            hint="Save the file as UTF-8; from Latin-1: iconv -f latin1 -t utf-8 FILE.",
        ) from None
    except OSError as error:
        raise DatasetError(f"{file} cannot be read: {error.strerror}.", hint="May this user read it?") from None


def _schema(ddl: str, where: str) -> Schema:
    try:
        return Schema.from_ddl(ddl)
    except SchemaError as error:
        raise SchemaError(
            f"{where}: {error}",
            hint=error.hint or "Put CREATE TABLE statements there, as a dump of the schema has them.",
        ) from None


def epoch_rows(loaded: Sequence[Loaded], seed: int, number: int) -> list[Row]:
    """The rows of epoch `number`: weights and caps applied, drawn by (seed, number) alone."""
    rows: list[Row] = []
    for i, part in enumerate(loaded):
        rng = random.Random(f"{seed}/{number}/{i}")
        whole, rest = divmod(part.source.weight, 1.0)
        chosen = list(part.rows) * int(whole) + rng.sample(part.rows, round(rest * len(part.rows)))
        if part.source.cap and len(chosen) > part.source.cap:
            chosen = rng.sample(chosen, part.source.cap)
        rows.extend(chosen)
    return rows
