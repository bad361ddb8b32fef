"""Who may see what: permitted tables, hidden columns and row filters. A frozen record; YAML at the door.

The engine enforces it: a table that a rule narrows is replaced by a subquery that has only the permitted
columns and rows, so that no way to name a column, known or forgotten, can reach what was taken away.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mnemosyne.errors import SettingsError


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
    def narrows(self) -> bool:
        """Whether the rule takes anything away."""
        return bool(self.columns is not None or self.hidden or self.rows)


@dataclass(frozen=True, slots=True)
class Policy:
    """The permitted part of a database for one person or role."""

    tables: Mapping[str, TableRule] = field(default_factory=dict)
    """Lower-case `table` (in every namespace) or `namespace.table` (in this one, before the other) to its rule."""
    others: bool = False
    """Whether tables without a rule may be read in full. A view must be named: it may show what its tables hide."""

    def rule(self, table: str, *, namespace: str = "", is_view: bool = False) -> TableRule | None:
        """The rule of a table or view, None when it may not be read."""
        found = self.tables.get(f"{namespace}.{table}".lower()) if namespace else None
        found = self.tables.get(table.lower()) if found is None else found
        return found if found is not None else (TableRule() if self.others and not is_view else None)

    @property
    def text(self) -> str:
        """All of the policy in one line, the same for equal policies: what is kept on disk is kept apart by it."""
        rules = {
            name: [None if rule.columns is None else sorted(rule.columns), sorted(rule.hidden), rule.rows]
            for name, rule in self.tables.items()
        }
        return json.dumps([rules, self.others], sort_keys=True)


def read_policy(path: Path) -> Policy:
    """The policy of a YAML file. Raises SettingsError, naming the key, when it has no meaning.

    ```yaml
    others: false            # tables not named below may not be read; views never, unless named
    tables:
      samples: {}            # in full, in every namespace that has such a table; lab.samples means that one
      clients:
        hide: [contact_email]
      results:
        columns: [result_id, sample_id, numeric_value, pass_fail, test_date, approved_date]
        rows: approved_date IS NOT NULL
    ```
    """
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"The policy {path} cannot be read: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"The policy {path} is not YAML: {error}.") from None
    return _policy(content, str(path))


def _policy(content: Any, path: str) -> Policy:
    content = _mapping(content, path, {"tables", "others"})
    others = content.get("others", False)
    if not isinstance(others, bool):
        raise SettingsError(f"{path}: others is true or false, not {others!r}.")
    tables = content.get("tables") or {}
    if not isinstance(tables, dict):
        raise SettingsError(f"{path}: tables maps each table to its rule.")
    return Policy({str(name).lower(): _rule(rule, f"{path}: {name}") for name, rule in tables.items()}, others)


def _rule(content: Any, place: str) -> TableRule:
    content = _mapping(content, place, {"columns", "hide", "rows"})
    rows = content.get("rows", "")
    if not isinstance(rows, str):
        raise SettingsError(f"{place}: rows is a condition in SQL, not {rows!r}.")
    columns = _names(content["columns"], place) if "columns" in content else None
    return TableRule(columns, _names(content.get("hide", []), place), rows.strip())


def _mapping(content: Any, place: str, keys: set[str]) -> dict[str, Any]:
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SettingsError(f"{place}: expected keys {', '.join(sorted(keys))}.")
    unknown = set(map(str, content)) - keys
    if unknown:
        raise SettingsError(f"{place}: {', '.join(sorted(unknown))} is no key; keys are {', '.join(sorted(keys))}.")
    return content


def _names(content: Any, place: str) -> frozenset[str]:
    if not isinstance(content, list) or not all(isinstance(name, str) for name in content):
        raise SettingsError(f"{place}: columns and hide are lists of names.")
    return frozenset(name.lower() for name in content)
