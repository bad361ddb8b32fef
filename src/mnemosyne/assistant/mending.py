"""Joins that a draft forgot, added by the schema's keys: no model is asked, and nothing is guessed.

Small models write `WHERE d.category = …` without joining determinands, or ask a table for a column that its parent
has. Where one table alone can be meant, and one shortest way of foreign keys from child to parent leads there from
the tables of that SELECT, the join is what was meant: it multiplies no row, and where a key may be empty it is an
outer one, so that it loses none. Anything less certain is left to the model that repairs.
"""

from __future__ import annotations

from collections.abc import Iterator

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.scope import Scope, traverse_scope

from mnemosyne.schema import ForeignKey, Schema, Table

FAR = 3
"""Joins at most that one column may need."""

Way = list[tuple[ForeignKey, Table, Table]]
"""Keys from child to parent: (key, child, parent) each."""


def mend(sql: str, schema: Schema) -> str | None:
    """The query with the joins that its columns need, or None when nothing certain can be done.

    `schema` is the whole one: what a policy hides must not look as if it were missing.
    """
    try:
        tree = sqlglot.parse_one(sql, read="postgres")
        selects = [(one.expression, one) for one in traverse_scope(tree) if isinstance(one.expression, exp.Select)]
        changed = sum(_Select(select, scope, schema).mend() for select, scope in selects)
        if not changed or any(_says_nothing(node) for node in tree.find_all(exp.Binary)):
            return None
        return tree.sql(dialect="postgres")
    except (SqlglotError, RecursionError, _Unsure):
        return None


class _Unsure(Exception):
    """A column that no certain way leads to."""


class _Select:
    """One SELECT of a query, and the tables in its FROM."""

    def __init__(self, select: exp.Select, scope: Scope, schema: Schema) -> None:
        self.select, self.scope, self.schema = select, scope, schema
        self.own = dict.fromkeys(scope.selected_sources)
        self.tables: dict[str, Table] = {}
        for alias in self.own:
            source = scope.sources.get(alias)
            if isinstance(source, exp.Table) and (table := _stored(source, schema)) is not None:
                self.tables[alias] = table
        self.around = dict.fromkeys(name for parent in _around(scope) for name in parent.selected_sources)
        self.bare = [name for name, table in self.tables.items() if name == table.name]
        for parent in _around(scope):
            for name, (_, source) in parent.selected_sources.items():
                if isinstance(source, exp.Table) and source.name == name and _stored(source, schema) is not None:
                    self.bare.append(name)
        self.optional = _optional(select)
        self.renamed: dict[str, str] = {}
        self.outputs = {item.alias.lower() for item in select.expressions if item.alias}

    def mend(self) -> int:
        """Add what is missing; how many columns were given a table."""
        first, alone = next(iter(self.own), ""), len(self.own) == 1
        missing = [column for column in self._columns() if not self._is_known(column)]
        if not missing:
            return 0
        if any(column.find_ancestor(exp.Join) is not None for column in missing):
            raise _Unsure  # a join on a column that is not there: the way itself is wrong
        for column in missing:
            column.set("table", exp.to_identifier(self._holder(column)))
        if alone:
            self._qualify(first)
        return len(missing)

    def _columns(self) -> Iterator[exp.Column]:
        """The columns of this SELECT itself, not those of queries inside it."""
        for node in self.select.walk(prune=lambda node: isinstance(node, exp.Query) and node is not self.select):
            if isinstance(node, exp.Column) and not isinstance(node.this, exp.Star):
                yield node

    def _is_known(self, column: exp.Column) -> bool:
        """Whether a source in sight has the column; what subqueries and outer queries offer is not judged."""
        alias, name = column.table, column.name.lower()
        if alias and alias not in self.own:
            return alias in self.around
        if alias:
            return alias not in self.tables or _has(self.tables[alias], name)
        if name in self.outputs or self.scope.is_subquery or len(self.tables) < len(self.own):
            return True
        return any(_has(table, name) for table in self.tables.values())

    def _holder(self, column: exp.Column) -> str:
        """The alias of the one table that can be meant, joined now if it must be. Raises _Unsure."""
        alias, name = column.table, column.name.lower()
        if alias in self.renamed:
            if _has(self.tables[self.renamed[alias]], name):
                return self.renamed[alias]
            raise _Unsure
        unjoined = bool(alias) and alias not in self.own
        meant = [one for one in self.bare if unjoined and one[:1].lower() == alias.lower()]
        if meant:  # an alias that FROM forgot to give: `FROM samples … WHERE s.status`
            if len(meant) > 1 or not _has(self.schema.table(meant[0]), name):
                raise _Unsure
            return meant[0]
        inside = [a for a, table in self.tables.items() if _has(table, name)]
        if unjoined:
            inside = [a for a in inside if alias.lower() in (a.lower(), self.tables[a].name.lower())]
        if len(inside) == 1:
            return inside[0]
        holders = [table for table in self.schema.tables if _has(table, name)]
        if unjoined:  # the draft's name for a table that it did not join
            holders = [table for table in holders if table.name[:1].lower() == alias[:1].lower()]
        ways = [(way, start) for holder in holders for start in self.own for way in self._ways(start, holder)]
        reached = {id(way[-1][2]) for way, _ in ways}
        shortest = min((len(way) for way, _ in ways), default=0)
        ways = [found for found in ways if len(found[0]) == shortest]
        if inside or len(reached) != 1 or len(ways) != 1:
            raise _Unsure
        way, at = ways[0]
        for key, _, parent in way:
            at = self._join(at, key, parent, alias if unjoined and parent is way[-1][2] else "")
        if unjoined:
            if at in self.renamed.values():
                raise _Unsure  # two names for one table: a self-join was meant
            self.renamed[alias] = at
        return at

    def _ways(self, start: str, holder: Table) -> Iterator[Way]:
        """Ways of keys from a table of the query, child to parent, to the holder."""
        first = self.tables.get(start)
        paths: list[tuple[Table, Way]] = [(first, [])] if first is not None else []
        for _ in range(FAR):
            longer = []
            for table, path in paths:
                for key in table.foreign_keys:
                    parent = self.schema.table(key.table)
                    if parent is None or any(parent is step[1] for step in path) or parent is first:
                        continue
                    way = [*path, (key, table, parent)]
                    if parent is holder:
                        yield way
                    longer.append((parent, way))
            paths = longer

    def _join(self, at: str, key: ForeignKey, parent: Table, wished: str) -> str:
        """Join a parent to the source `at`, unless it is there already; its alias."""
        for alias, table in self.tables.items():
            if table is parent:
                return alias
        keys = key.references or parent.primary_key
        if len(keys) != len(key.columns) or parent.name.lower() in {name.lower() for name in self.scope.cte_sources}:
            raise _Unsure
        alias = self._free(parent, wished)
        on = exp.and_(*(
            exp.EQ(this=exp.column(mine, table=at), expression=exp.column(theirs, table=alias))
            for mine, theirs in zip(key.columns, keys, strict=True)
        ))  # fmt: skip
        item = exp.table_(parent.name, db=parent.namespace or None)
        empty = any(c.nullable for c in self.tables[at].columns if c.name in key.columns)
        if empty or at in self.optional:
            self.optional.add(alias)
        for join in self.select.args.get("joins") or []:
            if not (join.kind or join.side or join.method or join.args.get("on") or join.args.get("using")):
                join.set("kind", "CROSS")  # a comma binds less tightly than the new JOIN
        joined = item if alias == parent.name else exp.alias_(item, alias, table=True)
        self.select.append("joins", exp.Join(this=joined, on=on, side="LEFT" if alias in self.optional else None))
        self.tables[alias] = parent
        self.own[alias] = None
        return alias

    def _free(self, table: Table, wished: str) -> str:
        """A name for a joined table: the draft's own, the table's first letter, or the table's name."""
        taken = {name.lower() for name in (*self.own, *self.around)}
        short = any(alias != found.name for alias, found in self.tables.items())
        for name in (wished, table.name[:1].lower() if short else "", table.name):
            if name and name.lower() not in taken:
                return name
        raise _Unsure

    def _qualify(self, first: str) -> None:
        """Say whose each bare column is, now that there are several tables: the one that the draft had."""
        for item in self.select.expressions:
            if isinstance(item, exp.Star):
                item.replace(exp.Column(this=exp.Star(), table=exp.to_identifier(first)))
        for column in self._columns():
            name = column.name.lower()
            ordered = column.find_ancestor(exp.Order) is not None and name in self.outputs
            if column.table or ordered:
                continue
            if _has(self.tables.get(first), name):
                column.set("table", exp.to_identifier(first))
            elif name not in self.outputs:
                raise _Unsure


def group(sql: str) -> str | None:
    """The query with every plain output column of its grouped SELECTs in their GROUP BY, or None when nothing lacks.

    Only what is grouped already, or counts: `SELECT name, MAX(day)` without GROUP BY may mean the one row of that day.
    """
    try:
        tree = sqlglot.parse_one(sql, read="postgres")
    except (SqlglotError, RecursionError):
        return None
    changed = False
    for select in tree.find_all(exp.Select):
        grouping = select.args.get("group")
        if grouping is not None and (grouping.args.get("all") or grouping.find(exp.Rollup, exp.Cube, exp.GroupingSets)):
            continue
        if grouping is None and not _counts(select):
            continue
        listed = {item.sql() for item in grouping.expressions} if grouping is not None else set()
        for position, item in enumerate(select.expressions, 1):
            inner = item.unalias()
            lacks = not {inner.sql(), item.alias_or_name, str(position)} & listed
            plain = inner.find(exp.AggFunc, exp.Window, exp.Query, exp.Star) is None
            if lacks and plain and inner.find(exp.Column) is not None:
                select.group_by(inner.copy(), copy=False)
                changed = True
    return tree.sql(dialect="postgres") if changed else None


def _counts(select: exp.Select) -> bool:
    """Whether a SELECT without GROUP BY collects rows, and not only for the one row of an extreme."""
    found = [
        node
        for item in select.expressions
        for node in item.walk(prune=lambda node: isinstance(node, (exp.Query, exp.Window)))
        if isinstance(node, exp.AggFunc)
    ]
    return bool(found) and not any(isinstance(node, (exp.Max, exp.Min)) for node in found)


def _stored(source: exp.Table, schema: Schema) -> Table | None:
    """The stored table that an item of FROM is."""
    return schema.table(f"{source.db}.{source.name}" if source.db else source.name)


def _around(scope: Scope) -> Iterator[Scope]:
    """The SELECTs around this one: a subquery and a LATERAL see the names in their FROM."""
    while scope.parent is not None:
        scope = scope.parent
        if isinstance(scope.expression, exp.Select):
            yield scope


def _optional(select: exp.Select) -> set[str]:
    """The sources whose rows an outer join may leave empty."""
    found: set[str] = set()
    source = select.args.get("from_") or select.args.get("from")
    before = {source.this.alias_or_name} if source is not None else set()
    for join in select.args.get("joins") or []:
        if join.side in ("LEFT", "FULL"):
            found.add(join.this.alias_or_name)
        if join.side in ("RIGHT", "FULL"):
            found |= before
        before.add(join.this.alias_or_name)
    return found


def _says_nothing(node: exp.Binary) -> bool:
    """Whether a comparison compares a column with itself."""
    left, right = node.args.get("this"), node.args.get("expression")
    return isinstance(left, exp.Column) and isinstance(right, exp.Column) and left == right


def _has(table: Table | None, name: str) -> bool:
    return table is not None and any(column.name.lower() == name for column in table.columns)
