"""Tables, columns and keys of a database, as the model and the guard see them. Pure: no database here.

`Schema.from_ddl` reads DDL, `Schema.to_ddl` prints the canonical DDL of the prompt. The same
schema prints the same text whether it was read from a file, SQLite, DuckDB or PostgreSQL, which is
why lengths, defaults and serials are left out: engines keep or drop them at will.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table or view."""

    name: str
    """As stored, without quotes."""
    type: str
    """The type as the source writes it, such as `VARCHAR(100)`."""
    nullable: bool = True
    """False when NULL is not allowed."""
    values: tuple[str | int | float, ...] = ()
    """The closed list of a CHECK (column IN (...)), empty when there is none."""
    comment: str = ""
    """What the database's owner says of the column."""


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """Columns of a table that refer to columns of another (or the same) table."""

    columns: tuple[str, ...]
    """The columns of the table that holds the key."""
    table: str
    """The table referred to."""
    references: tuple[str, ...]
    """The columns referred to, in the order of `columns`."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table or a view."""

    name: str
    """As stored, without quotes."""
    columns: tuple[Column, ...]
    """In the order of the database."""
    primary_key: tuple[str, ...] = ()
    """Columns of the primary key, empty when there is none."""
    foreign_keys: tuple[ForeignKey, ...] = ()
    """Every foreign key that the table declares."""
    comment: str = ""
    """What the database's owner says of the table."""
    is_view: bool = False
    """True for a view."""
    namespace: str = ""
    """The PostgreSQL schema, empty for the one on the search path."""


@dataclass(frozen=True, slots=True)
class Schema:
    """All tables and views that a person may ask about."""

    tables: tuple[Table, ...]
    """In the order of the source."""
