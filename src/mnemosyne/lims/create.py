"""Fill a new database with the demo laboratory: SQLite, DuckDB or PostgreSQL, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from mnemosyne.errors import DatabaseError
from mnemosyne.lims import writers
from mnemosyne.lims.contract import TABLES
from mnemosyne.lims.population import batches

Progress = Callable[[str, int], None]
"""Called with a table's name and the rows written to it so far."""


@dataclass(frozen=True, slots=True)
class Created:
    """What `create` did."""

    url: str
    """Where the laboratory is."""
    rows: dict[str, int]
    """Table name to rows, in the order of the schema."""


def create(
    url: str,
    *,
    seed: int = 0,
    scale: float = 1.0,
    today: date | None = None,
    progress: Progress | None = None,
    force: bool = False,
) -> Created:
    """Create the laboratory of `seed` at `url` (`sqlite:///FILE`, `duckdb:///FILE`, `postgresql://…`).

    `scale` multiplies the 3,000 samples and 12,000 results of the usual laboratory; dates end at `today`.
    The database appears whole or not at all. Raises DatabaseError when there is one already; with `force` a demo
    laboratory is replaced, and anything else is left as it is, with a DatabaseError too.
    """
    if not 0.001 <= scale <= 10_000:
        raise DatabaseError(
            f"A laboratory of scale {scale:g} cannot be made.", hint="Choose a scale from 0.001 to 10000."
        )
    if seed < 0:
        raise DatabaseError(f"{seed} is not a seed.", hint="Choose a whole number from 0.")
    rows = dict.fromkeys(TABLES, 0)
    with writers.open_writer(url, force=force) as writer:
        for table, columns in batches(seed, scale, today or date.today()):
            writer.write(table, columns)
            rows[table] += len(next(iter(columns.values())))
            if progress is not None:
                progress(table, rows[table])
    return Created(writer.url, rows)
