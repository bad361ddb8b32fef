"""Foreign keys as pairs of places in rows, and the order in which tables stand above one another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mnemosyne.schema import Column, ForeignKey, Schema, Table
from mnemosyne.synthesis.pools import Privacy

Rows = dict[str, list[list[object]]]
"""Table to rows, cells in the order of its columns."""

Key = tuple[str, ...]
"""What a row refers to, or is referred to by: its cells as text."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One foreign key: cells of a child's row that are cells of a parent's row."""

    child: str
    """The table that refers."""
    places: tuple[int, ...]
    """Places of the key's cells in its rows."""
    parent: str
    """The table referred to."""
    targets: tuple[int, ...]
    """Places of the same cells in the parent's rows."""


def references(schema: Schema, privacy: Privacy = Privacy()) -> list[Reference]:
    """Every foreign key between tables of the schema whose columns may be read."""
    tables = {table.name: table for table in schema.tables}
    found = []
    for table in schema.tables:
        for key in table.foreign_keys:
            parent = tables.get(key.table)
            ends = _columns(table, key, parent) if parent is not None else None
            if parent is None or ends is None:
                continue
            if any(privacy.leaves_out(table.name, c.name) or privacy.leaves_out(parent.name, o.name) for c, o in ends):
                continue
            places = tuple(table.columns.index(own) for own, _ in ends)
            targets = tuple(parent.columns.index(other) for _, other in ends)
            found.append(Reference(table.name, places, parent.name, targets))
    return found


def _columns(table: Table, key: ForeignKey, parent: Table) -> list[tuple[Column, Column]] | None:
    """The two columns of each part of a key; None when nobody says which, or when one is not there."""
    others = key.references or parent.primary_key
    if not others or len(others) != len(key.columns):
        return None
    found = []
    for name, other in zip(key.columns, others, strict=True):
        own, their = table.column(name), parent.column(other)
        if own is None or their is None:
            return None
        found.append((own, their))
    return found


def key_of(row: Sequence[object], places: tuple[int, ...]) -> Key | None:
    """The key at these places of a row, the same for `5`, `5.0` and `'5'`; None when a part is NULL."""
    parts = [row[place] for place in places]
    return None if any(part is None for part in parts) else tuple(map(text_of, parts))


def text_of(cell: object) -> str:
    """A cell as the text by which it is compared."""
    if isinstance(cell, bool | float) and float(cell).is_integer():
        return str(int(cell))
    return str(cell)


def above(keys: Iterable[Reference], tables: Iterable[str]) -> Mapping[str, frozenset[str]]:
    """Every table to the tables that its rows lead to, itself only when its keys go in a circle."""
    straight: dict[str, set[str]] = {name: set() for name in tables}
    for key in keys:
        straight[key.child].add(key.parent)
    found = {}
    for name in straight:
        reached: set[str] = set()
        waiting = list(straight[name])
        while waiting:
            if (other := waiting.pop()) not in reached:
                reached.add(other)
                waiting += straight[other]
        found[name] = frozenset(reached)
    return found


def parents_first(keys: Sequence[Reference], tables: Sequence[str]) -> list[str]:
    """The tables, each behind those that it refers to, as far as keys do not go in circles."""
    parents: dict[str, list[str]] = {name: [] for name in tables}
    for key in keys:
        parents[key.child].append(key.parent)
    order: dict[str, None] = {}
    seen: set[str] = set()
    for start in tables:
        path = [(start, iter(parents[start]))] if start not in seen else []
        seen.add(start)
        while path:
            name, rest = path[-1]
            step = next((parent for parent in rest if parent not in seen), None)
            if step is None:
                order[name] = None
                path.pop()
            else:
                seen.add(step)
                path.append((step, iter(parents[step])))
    return list(order)
