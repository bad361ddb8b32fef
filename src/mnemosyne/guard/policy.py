"""Who may see what: permitted tables, hidden columns and row filters. A frozen record; YAML at the door."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TableRule:
    """What of one table may be seen."""

    columns: frozenset[str] | None = None
    """Lower-case names of the permitted columns, None for all."""
    hidden: frozenset[str] = frozenset()
    """Lower-case names of columns that are never read, even when `columns` names them."""
    rows: str = ""
    """A PostgreSQL condition on this table's columns; only rows for which it is true exist. Empty for all rows."""

    def permits(self, column: str) -> bool:
        """Whether this column, in lower case, may be read."""
        return column not in self.hidden and (self.columns is None or column in self.columns)

    @property
    def restricts(self) -> bool:
        """Whether the rule takes anything away."""
        return bool(self.columns is not None or self.hidden or self.rows)


@dataclass(frozen=True, slots=True)
class Policy:
    """The permitted part of a database for one person or role."""

    tables: Mapping[str, TableRule] = field(default_factory=dict)
    """Lower-case table name to its rule."""
    others: bool = False
    """Whether tables without a rule may be read in full."""

    def rule(self, table: str) -> TableRule | None:
        """The rule of a table, None when the table may not be read."""
        found = self.tables.get(table.lower())
        return found if found is not None else (TableRule() if self.others else None)
