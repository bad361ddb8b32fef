"""The two outcomes of the guard: `SafeQuery` and `Refusal`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Dialect = Literal["postgres", "sqlite", "duckdb"]
"""The dialects that Mnemosyne executes."""


@dataclass(frozen=True, slots=True)
class SafeQuery:
    """One read-only statement that passed every check. Only `guard.check` makes one."""

    sql: str
    """The statement as printed in `dialect`: this text runs, never the text that came in."""
    dialect: Dialect
    """The dialect of `sql`."""
    source: str
    """The statement as written, in the dialect it was written in."""
    tables: tuple[str, ...] = ()
    """Tables and views that it reads, each once, in order of appearance."""
    columns: tuple[tuple[str, str], ...] = ()
    """(table, column) pairs that it reads."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a text is not run."""

    code: str
    """A short stable name of the rule, such as `unknown-column` or `not-one-statement`."""
    reason: str
    """One sentence for the person and for the repairing model."""
    place: str = ""
    """The piece of the text that is refused, or `line L, column C`."""
    hint: str = ""
    """What would help, such as the nearest names."""
