"""The hints of a question, for whoever makes training data: exactly those that answering would add."""

from __future__ import annotations

from typing import Protocol

from mnemosyne.databases import Database
from mnemosyne.grounding.question import Grounder
from mnemosyne.grounding.values import ValueIndex
from mnemosyne.schema import Schema


class Excluding(Protocol):
    """Anything that names columns whose values are never read."""

    @property
    def exclude(self) -> frozenset[str]:
        """`table.column` or bare column names."""
        ...


class Linker:
    """What one database tells of questions, its values read within privacy limits."""

    def __init__(self, database: Database, schema: Schema, privacy: Excluding) -> None:
        self._grounder = Grounder(schema, ValueIndex.build(database, schema, exclude=privacy.exclude))

    def hints(self, question: str) -> tuple[str, ...]:
        """Conditions on the stored values that a question means, then its windows of time."""
        return self._grounder.hints(question)
