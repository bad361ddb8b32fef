"""`Example`: one question, its gold SQL and the schema that it is asked of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Example:
    """One question-SQL pair. As JSONL: one object a line, fields of these names, empty ones left out."""

    id: str
    """Unique within its file."""
    question: str
    """As a person would ask."""
    sql: str
    """The gold query, in `dialect`."""
    schema: str
    """Name of the schema, such as `lab` or `spider/activity_1`; `schemas/NAME.sql` beside the file holds its DDL.
    A value with `CREATE TABLE` in it is DDL itself."""
    dialect: str = "postgres"
    """Dialect of `sql`."""
    tier: str = ""
    """`simple`, `moderate` or `complex`."""
    tags: tuple[str, ...] = ()
    """Pattern, tables, functions and voices, such as `pattern:anti-join`, `table:samples`, `function:LAG`."""
    source: str = ""
    """Where it comes from: `lab-train`, `spider`, `wikisql` …"""
    hints: tuple[str, ...] = ()
    """Stored values that grounding would add, in the form of `prompt.build`."""
    reason: str = ""
    """Why no query answers the question; only where `sql` is empty."""
