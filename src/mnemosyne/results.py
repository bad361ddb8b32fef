"""What a query returned (`Result`), how it failed (`Failure`), and the only meaning of "same answer".

This room knows no SQL and no database.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Value = None | bool | int | float | str | bytes
"""A cell. Databases turn dates to ISO text, decimals to float, other types to text."""

Row = tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """The rows that a query returned."""

    columns: tuple[str, ...]
    """Names as the database gave them; `same` never looks at them."""
    rows: tuple[Row, ...]
    """The rows in the order the database gave them."""
    truncated: bool = False
    """True when the row or byte cap cut the rows."""
    seconds: float = 0.0
    """Wall time inside the database."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A query that the database rejected or that was stopped: an expected outcome, so a value."""

    kind: Literal["error", "timeout", "memory", "cancelled", "crash"]
    """What class of failure."""
    message: str
    """The database's own words, without its decoration."""
    seconds: float = 0.0
    """Wall time until the failure."""
