"""The rows of a recipe: read, weighted, given their DDL, and fingerprinted."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from mnemosyne.datasets.example import Example
from mnemosyne.datasets.jsonl import fingerprint, read_examples
from mnemosyne.errors import DatasetError, TrainingError
from mnemosyne.schema import Schema
from mnemosyne.training.recipe import Recipe, Source
from mnemosyne.training.rows import Encode, Row, Tokenised, tokenise

_LAB = resources.files("mnemosyne.data") / "lims" / "schema.sql"

SETS = "mnemosyne:"
"""A path that starts so is a data set of the distribution."""


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


def load(recipe: Recipe, folder: Path, encode: Encode) -> list[Loaded]:
    """Every file of the recipe; relative paths are relative to `folder`. Raises DatasetError."""
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
    """Examples of the file `path` as rows."""
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
        """The schema of an example."""
        name = example.schema
        if name not in self._known:
            self._known[name] = self._read(name)
        return self._known[name]

    def _read(self, name: str) -> Schema:
        if "create table" in name.lower():
            return Schema.from_ddl(name)
        file = self._folder / f"{name}.sql"
        if file.is_file():
            return Schema.from_ddl(file.read_text(encoding="utf-8"))
        if name == "lab":
            return Schema.from_ddl(_LAB.read_text(encoding="utf-8"))
        raise DatasetError(f"{self._file} asks of schema {name!r}, and there is no {file}.")


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
