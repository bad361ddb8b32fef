"""The demo laboratory: eight tables, filled with realistic and entirely fictional data.

`create` fills a new SQLite or DuckDB file or a PostgreSQL database; the same seed, scale and date
give the same rows in all three. The contract (columns, value lists, determinands, methods, what the
words of a question mean) lies in `mnemosyne/data/lims/`.
"""

from __future__ import annotations

from mnemosyne.lims.contract import conventions, ddl, schema
from mnemosyne.lims.create import create

__all__ = ["conventions", "create", "ddl", "schema"]
