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
    """The type as the source writes it, such as `VARCHAR(100)`; `canonical_type` gives what is printed."""
    nullable: bool = True
    """False when NULL is not allowed; always False in a primary key."""
    values: tuple[str | int | float, ...] = ()
    """The closed list of a CHECK (column IN (...)) or of an enum, empty when there is none."""
    comment: str = ""
    """What the database's owner says of the column."""


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """Columns of a table that refer to columns of another (or the same) table."""

    columns: tuple[str, ...]
    """The columns of the table that holds the key."""
    table: str
    """The table referred to; with its namespace, `lab.samples`, when it is not on the search path."""
    references: tuple[str, ...]
    """The columns referred to, in the order of `columns`; empty when nobody says which."""


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

    @property
    def full_name(self) -> str:
        """`name`, or `namespace.name` when the namespace is not on the search path."""
        return f"{self.namespace}.{self.name}" if self.namespace else self.name

    def column(self, name: str) -> Column | None:
        """The column of this name, exact spelling first, then ignoring case."""
        lowered = name.lower()
        same = [column for column in self.columns if column.name.lower() == lowered]
        return next((column for column in same if column.name == name), same[0] if same else None)


@dataclass(frozen=True, slots=True)
class Schema:
    """All tables and views that a person may ask about."""

    tables: tuple[Table, ...]
    """In the order of the source."""
    case_sensitive: bool = False
    """True when a name with capitals must be quoted, as in PostgreSQL."""

    @classmethod
    def from_ddl(cls, text: str, dialect: str = "postgres") -> Schema:
        """The schema that DDL describes: CREATE TABLE and VIEW, ALTER TABLE ADD, COMMENT ON, CREATE TYPE and DOMAIN.

        Everything else in a dump (data, functions, grants) is passed over. `dialect` is `postgres`,
        `sqlite`, `duckdb` or `mysql`; it only matters for comments, quotes and the case of names.
        Raises SchemaError (with the line) when a table cannot be read, or when there is none.
        """
        from mnemosyne.schema.reading import read

        return read(text, dialect)

    def to_ddl(self) -> str:
        """The canonical DDL of the prompt; `from_ddl` of it prints the same text again.

        Tables come in an order of their own: what a table refers to before it, else by name; views last.
        """
        from mnemosyne.schema.writing import write

        return write(self)

    def table(self, name: str) -> Table | None:
        """The table of this name or `namespace.name`, exact spelling first, then ignoring case."""
        lowered = name.lower()
        same = [table for table in self.tables if lowered in (table.name.lower(), table.full_name.lower())]
        exact = (table for table in same if name in (table.name, table.full_name))
        return next(exact, same[0] if same else None)


def canonical_type(text: str) -> str:
    """The printed name of a type: `VARCHAR(100)` is TEXT, `bigserial` is INTEGER, `int4[]` is INTEGER[]."""
    from mnemosyne.schema.writing import type_name

    return type_name(text)
