"""Composing query trees: join paths out of foreign keys, and a builder that names tables only when it must.

A column inside a query under construction carries the *path* of its table (`#2:results/sample_id`), not an
alias: joins are added when a column of another table is first asked for, and aliases are given at `build`.
"""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass
from functools import cache
from typing import cast

import sqlglot
from sqlglot import exp

from mnemosyne.schema import ForeignKey, Schema, Table, writing


class NotApplicable(Exception):  # noqa: N818 - a signal inside this room
    """This draw cannot be finished with this schema; another one is tried."""


@dataclass(frozen=True, slots=True)
class Step:
    """One foreign key followed: up to the row referred to, or down to the rows that refer."""

    child: str
    """The table that holds the key."""
    key: ForeignKey
    """The key."""
    up: bool = True
    """True from child to parent."""

    @property
    def target(self) -> str:
        """The table that the step leads to."""
        return self.key.table if self.up else self.child


def tree_of(node: object) -> exp.Expression:
    """A node as what it is: sqlglot types some of its results more widely than they are."""
    return cast(exp.Expression, node)


Path = tuple[Step, ...]
"""Steps from the base table; empty for the base table itself."""


class Graph:
    """The foreign keys of a schema as a graph."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.tables: dict[str, Table] = {table.name: table for table in schema.tables}
        self._up: dict[str, dict[str, Path]] = {name: self._ancestors(name) for name in self.tables}

    def _ancestors(self, start: str) -> dict[str, Path]:
        """Every table reached by following keys upwards, by the shortest path. Two equally short paths are
        ambiguous, so the table is left out. Cycles end because a table is entered once."""
        found: dict[str, Path] = {start: ()}
        lengths: dict[str, int] = {start: 0}
        ambiguous: set[str] = set()
        queue: deque[str] = deque([start])
        while queue:
            here = queue.popleft()
            for key in self.tables[here].foreign_keys:
                if key.table not in self.tables or key.table == here:
                    continue
                path = (*found[here], Step(here, key))
                if key.table not in found:
                    found[key.table] = path
                    lengths[key.table] = len(path)
                    queue.append(key.table)
                elif lengths[key.table] == len(path) and key.table != start:
                    ambiguous.add(key.table)
        return {
            name: path
            for name, path in found.items()
            if name not in ambiguous and not any(step.target in ambiguous for step in path)
        }

    def identifier(self, name: str) -> exp.Expression:
        """A name, quoted only where PostgreSQL would need it, as the prompt's DDL prints it."""
        bare = writing.plain(name) and not (self.schema.case_sensitive and name != name.lower())
        return tree_of(exp.to_identifier(name, quoted=not bare))

    def up(self, base: str) -> dict[str, Path]:
        """Tables above `base` (itself too), each with its only shortest path."""
        return self._up[base]

    def down(self, parent: str) -> dict[str, Path]:
        """Tables below `parent`, each with the path down to it."""
        return {
            child: tuple(Step(step.child, step.key, up=False) for step in reversed(paths[parent]))
            for child, paths in self._up.items()
            if parent in paths and child != parent
        }


@cache
def _parsed(text: str) -> exp.Expression:
    return tree_of(sqlglot.parse_one(text, read="postgres"))


def frag(text: str, **parts: exp.Expression | str | int | float) -> exp.Expression:
    """The tree of `text`, with every `:name` replaced by the part of that name. Strings become literals."""
    tree = _parsed(text).copy()
    for hole in list(tree.find_all(exp.Placeholder)):
        part = parts[hole.name]
        node = part.copy() if isinstance(part, exp.Expression) else exp.convert(part)
        if hole is tree:
            return tree_of(node)
        hole.replace(node)
    return tree


def both(conditions: list[exp.Expression]) -> exp.Expression:
    """The conditions joined by AND, with parentheses around an OR."""
    wrapped = [
        exp.Paren(this=c.copy()) if isinstance(c, exp.Or) and len(conditions) > 1 else c.copy() for c in conditions
    ]
    tree = wrapped[0]
    for condition in wrapped[1:]:
        tree = exp.And(this=tree, expression=condition)
    return tree


_numbers = itertools.count(1)


class Query:
    """A SELECT under construction over one base table and what is joined to it."""

    def __init__(self, graph: Graph, base: str, aliases: dict[str, str], parent: Query | None = None) -> None:
        self.graph, self.base, self.aliases, self.parent = graph, base, aliases, parent
        self.number = next(_numbers)
        self.paths: dict[Path, str] = {(): "JOIN"}
        self.extra_on: dict[Path, list[exp.Expression]] = {}
        self.selected: list[exp.Expression] = []
        self.conditions: list[exp.Expression] = []
        self.groups: list[exp.Expression] = []
        self.having: list[exp.Expression] = []
        self.orders: list[exp.Expression] = []
        self.limited: int | None = None
        self.distinct = False
        self.distinct_on: list[exp.Expression] = []
        self.named = parent is not None
        """Whether tables are given aliases even when there is only one."""
        if parent is not None:
            parent.named = True

    def key(self, path: Path) -> str:
        """What a column of the table at `path` carries until aliases are given."""
        return f"#{self.number}:" + "/".join(
            f"{'<' if not s.up else '>'}{s.child}.{','.join(s.key.columns)}" for s in path
        )

    def join(self, path: Path, kind: str = "JOIN", on: list[exp.Expression] | None = None) -> None:
        """Join the table at `path` and those before it."""
        for end in range(1, len(path) + 1):
            self.paths.setdefault(path[:end], kind)
        if on:
            self.extra_on.setdefault(path, []).extend(on)

    def at(self, path: Path, column: str) -> exp.Expression:
        """A column of the table at `path`, joining it."""
        self.join(path)
        return exp.column(self.graph.identifier(column), table=exp.to_identifier(self.key(path), quoted=True))

    def col(self, table: str, column: str) -> exp.Expression:
        """A column of a table already joined, or of an ancestor of the base. Raises NotApplicable when neither."""
        for path in self.paths:
            if (path[-1].target if path else self.base) == table:
                return self.at(path, column)
        above = self.graph.up(self.base).get(table)
        if above is None:
            raise NotApplicable
        return self.at(above, column)

    def knows(self, table: str) -> bool:
        """Whether `col` can reach `table`."""
        return table in self.graph.up(self.base) or any(p and p[-1].target == table for p in self.paths)

    def localise(self, tree: exp.Expression) -> exp.Expression:
        """A copy of a lexicon's expression (`table.column`) in terms of this query."""
        copy = tree.copy()
        for column in list(copy.find_all(exp.Column)):
            node = self.col(column.table, column.name)
            if column is copy:
                return node
            column.replace(node)
        return copy

    def select(self, tree: exp.Expression, alias: str = "") -> Query:
        """Add a column to what is returned."""
        self.selected.append(tree_of(exp.alias_(tree.copy(), alias)) if alias else tree.copy())
        return self

    def where(self, *conditions: exp.Expression) -> Query:
        """Add conditions, each once."""
        self.conditions += [c for c in conditions if c not in self.conditions]
        return self

    def group(self, *trees: exp.Expression) -> Query:
        """Add group keys."""
        self.groups += [t.copy() for t in trees]
        return self

    def order(self, tree: exp.Expression | str, desc: bool = False) -> Query:
        """Add an ordering; a string is the alias of a returned column."""
        node = exp.column(tree) if isinstance(tree, str) else tree.copy()
        self.orders.append(exp.Ordered(this=node, desc=desc or None, nulls_first=desc))
        return self

    def build(self) -> exp.Select:
        """The finished SELECT, with aliases where more than one table takes part."""
        names = self._names()
        tree = exp.Select()
        tree = tree.select(*(self.selected or [exp.Star()]), copy=False)
        tree = tree.from_(self._table((), names), copy=False)
        for path, kind in self.paths.items():
            if path:
                on = both([self._on(path), *self.extra_on.get(path, [])])
                tree.append("joins", exp.Join(this=self._table(path, names), side=kind[:-5] or None, on=on))
        if self.conditions:
            tree.set("where", exp.Where(this=both(self.conditions)))
        if self.groups:
            tree.set("group", exp.Group(expressions=[g.copy() for g in self.groups]))
        if self.having:
            tree.set("having", exp.Having(this=both(self.having)))
        if self.orders:
            tree.set("order", exp.Order(expressions=[o.copy() for o in self.orders]))
        if self.limited is not None:
            tree = tree.limit(self.limited, copy=False)
        if self.distinct_on:
            tree.set("distinct", exp.Distinct(on=exp.Tuple(expressions=[t.copy() for t in self.distinct_on])))
        elif self.distinct:
            tree.set("distinct", exp.Distinct())
        return self._resolve(tree, names)

    def _names(self) -> dict[Path, str]:
        """The alias of each joined table; empty strings when the base table stands alone."""
        if len(self.paths) == 1 and not self.named:
            return {(): ""}
        taken = set(self.parent._names().values()) if self.parent else set()
        names: dict[Path, str] = {}
        for path in self.paths:
            stem = self.aliases[path[-1].target if path else self.base]
            name = stem
            for number in itertools.count(2):
                if name not in taken:
                    break
                name = f"{stem}{number}"
            names[path] = name
            taken.add(name)
        return names

    def _table(self, path: Path, names: dict[Path, str]) -> exp.Expression:
        table = exp.Table(this=self.graph.identifier(path[-1].target if path else self.base))
        return tree_of(exp.alias_(table, names[path], table=True)) if names[path] else table

    def _on(self, path: Path) -> exp.Expression:
        step = path[-1]
        before = path[:-1]
        parent, child = (path, before) if step.up else (before, path)
        return both(
            [
                exp.EQ(this=self.at(child, mine), expression=self.at(parent, theirs))
                for mine, theirs in zip(step.key.columns, step.key.references, strict=True)
            ]
        )

    def _resolve(self, tree: exp.Select, names: dict[Path, str]) -> exp.Select:
        mine = {self.key(path): name for path, name in names.items()}
        for column in tree.find_all(exp.Column):
            if column.table in mine:
                name = mine[column.table]
                column.set("table", exp.to_identifier(name) if name else None)
        return tree
