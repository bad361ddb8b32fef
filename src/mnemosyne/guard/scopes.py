"""What a name can mean at a place of a query: columns, the sources that offer them, and the scope around them."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlglot import exp


@dataclass(slots=True)
class Field:
    """A column that a source offers."""

    name: str
    """The spelling that a reference must have."""
    quoted: bool = False
    """Whether the spelling counts."""
    origin: tuple[str, str] | None = None
    """(table, column) when it is a stored column unchanged."""
    unnamed: exp.Expression | None = None
    """The expression without an alias that it comes from; a reference gives it an alias."""


@dataclass(slots=True)
class Source:
    """An item of FROM."""

    name: str
    """The alias, or the table's name."""
    quoted: bool
    """Whether the spelling counts."""
    fields: list[Field]
    """In the order of `*`."""
    table: str = ""
    """The stored table, empty for anything else."""
    by_name: dict[str, list[Field]] = field(init=False)
    """Lower-case name to the columns of that name."""

    def __post_init__(self) -> None:
        self.by_name = {}
        for one in self.fields:
            self.by_name.setdefault(one.name.lower(), []).append(one)


@dataclass(slots=True)
class Scope:
    """The sources of one SELECT, and what lies around it."""

    ctes: dict[str, Source]
    """Common table expressions in sight, by lower-case name as written."""
    outer: Scope | None
    """The scope of the query that this one is nested in."""
    sources: dict[str, Source] = field(default_factory=dict)
    """By lower-case name, in the order of FROM."""
    merged: dict[str, Field] = field(default_factory=dict)
    """Columns that USING or NATURAL made one."""
    aliases: dict[str, list[tuple[Field, exp.Expression]]] = field(default_factory=dict)
    """Names that the projection gives, with their expressions."""
    waiting: list[exp.Expression] = field(default_factory=list)
    """Conditions of joins that are resolved when all of FROM is known."""
