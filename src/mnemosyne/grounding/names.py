"""What people call the tables, columns and stored values of one schema, beside the names that they have themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mnemosyne.grounding.terms import Term
from mnemosyne.schema import Column, Table


@dataclass(frozen=True, slots=True)
class Names:
    """A laboratory's own words; without any, a schema speaks for itself."""

    tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Table to nouns for one of its rows."""
    columns: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    """(table, column) to nouns."""
    values: Mapping[tuple[str, str], Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    """(table, column) to stored values and what people say for each."""
    terms: tuple[Term, ...] = ()
    """Derived terms and the conditions that they stand for."""
    words: tuple[str, ...] = ()
    """All that is said of the schema: what it has words for."""

    def of_table(self, table: Table) -> tuple[str, ...]:
        """What a row of a table is called."""
        return self.tables.get(table.name, ())

    def of_column(self, table: Table, column: Column) -> tuple[str, ...]:
        """What a column is called."""
        return self.columns.get((table.name, column.name), ())

    def of_values(self, table: Table, column: Column) -> Mapping[str, tuple[str, ...]]:
        """Stored values of a column to what they are called."""
        return self.values.get((table.name, column.name), {})


def texts(part: object) -> Iterator[str]:
    """Every text in a document, its keys left out."""
    if isinstance(part, str):
        yield part
    elif isinstance(part, dict):
        for item in part.values():
            yield from texts(item)
    elif isinstance(part, list):
        for item in part:
            yield from texts(item)
