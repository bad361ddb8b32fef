"""Questions of a person's own evaluation, which nothing that is trained on may be near: read from files, told apart."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import get_args

from mnemosyne.datasets.example import Example
from mnemosyne.datasets.jsonl import read_lines
from mnemosyne.datasets.overlap import OverlapIndex
from mnemosyne.errors import DatasetError
from mnemosyne.guard.query import Dialect

_HINT = 'A protected pair is {"question": …, "sql": …}; `sql` is PostgreSQL if `dialect` says nothing else, and may be left out.'


def read_protected(files: Iterable[Path]) -> tuple[Example, ...]:
    """The pairs of JSON Lines files of `question`, `sql` and perhaps `dialect`. Raises DatasetError, with the line."""
    found: list[Example] = []
    for file in files:
        before = len(found)
        for number, row in read_lines(file):
            question, sql, dialect = row.get("question"), row.get("sql") or "", row.get("dialect") or "postgres"
            if not isinstance(question, str) or not question.strip() or not isinstance(sql, str):
                raise DatasetError(f"{file}, line {number}: question missing, or question or sql not text.", hint=_HINT)
            if dialect not in get_args(Dialect):
                raise DatasetError(
                    f"{file}, line {number}: {dialect!r} is no dialect.", hint=f"Known: {', '.join(get_args(Dialect))}."
                )
            found.append(Example(f"{file.name}-{number}", question, sql, "", dialect))
        if len(found) == before:
            raise DatasetError(f"{file} holds no pair, so it would protect nothing.", hint=_HINT)
    return tuple(found)


def index_of(protected: Sequence[Example]) -> OverlapIndex | None:
    """What is asked whether a pair is too near; None when nothing is protected."""
    return OverlapIndex(protected) if protected else None


def mark_of(protected: Sequence[Example]) -> tuple[str, ...]:
    """Digits that change when what is protected does; none when nothing is, so that blocks made so stay what they are."""
    parts = sorted({(example.question, example.sql, example.dialect) for example in protected})
    return (hashlib.sha256(repr(parts).encode()).hexdigest(),) if parts else ()
