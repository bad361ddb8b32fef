"""Which columns of a grouped SELECT have one value in each group: PostgreSQL's rule, where the engines differ.

SQLite returns the value of any row for the others, without a word, so such a query is refused there; PostgreSQL
and DuckDB refuse it themselves. PostgreSQL knows that a table's primary key in GROUP BY settles its other columns
(SQL:1999, functional dependency); DuckDB does not, so they are added to GROUP BY there, which changes no group.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from mnemosyne.guard.catalogue import Catalogue
from mnemosyne.guard.refused import Refused, piece
from mnemosyne.guard.scopes import Scope, Source
from mnemosyne.guard.words import word_set

Name = tuple[str, str]
"""(source, column), both in lower case."""


def settle(select: exp.Select, scope: Scope, catalogue: Catalogue, target: str) -> None:
    """Check or complete a resolved PostgreSQL SELECT for `target`. Raises Refused with the code `grouping`."""
    if target == "postgres":
        return
    group = select.args.get("group")
    if group is not None and (group.args.get("all") or group.find(exp.Rollup, exp.Cube, exp.GroupingSets)):
        return
    if group is not None:  # `GROUP BY (a, b)` names two keys, for which SQLite has no row value
        group.set("expressions", [part for item in group.expressions for part in _parts_of(item)])
    grouped = _Grouped(select, scope, catalogue)
    if group is None and not grouped.aggregates:
        return
    if target == "duckdb":
        grouped.complete()
    elif not grouped.one_extreme():
        grouped.need_one_value()


class _Grouped:
    def __init__(self, select: exp.Select, scope: Scope, catalogue: Catalogue) -> None:
        self.select, self.scope, self.catalogue = select, scope, catalogue
        self.aggregates: list[exp.Expression] = []
        self.loose: dict[Name, exp.Column] = {}
        group = select.args.get("group")
        keys = [self._key(item) for item in group.expressions] if group is not None else []
        self.keys = {self._plain(key) for key in keys}
        self.kinds = {type(key) for key in self.keys}
        self.names = {name for key in keys if (name := self._name(key)) is not None}
        for part in self._parts():
            if not self._is_output(part):
                self._look(part)

    def one_extreme(self) -> bool:
        """SQLite answers a lone MIN or MAX with the row that holds it, which is what such a question wants.

        Source: https://www.sqlite.org/lang_select.html, 'Bare columns in an aggregate query'.
        """
        return sum(isinstance(found, (exp.Max, exp.Min)) for found in self.aggregates) == 1

    def complete(self) -> None:
        """Add to GROUP BY what primary keys in it settle."""
        settled = self._with_keys(set(self.names))
        group = self.select.args.get("group")
        for name, column in self.loose.items():
            if group is not None and name in settled:
                group.append("expressions", column.copy())

    def need_one_value(self) -> None:
        """Refuse a column that may have several values in a group."""
        settled = self._closed(set(self.names))
        for name, column in self.loose.items():
            if name not in settled:
                where = "its group" if self.select.args.get("group") is not None else "the rows that are counted"
                raise Refused(
                    "grouping",
                    f"{column.name} may have many values in {where}, and none of them is asked for",
                    place=piece(column),
                    hint=f"Put {piece(column)} into GROUP BY, or into an aggregate such as MIN or MAX.",
                )

    def _parts(self) -> Iterator[exp.Expression]:
        yield from self.select.expressions
        having = self.select.args.get("having")
        if having is not None:
            yield having
        order = self.select.args.get("order")
        if order is not None:
            yield from order.expressions

    def _is_output(self, part: exp.Expression) -> bool:
        """Whether an item of ORDER BY is the name of an output."""
        column = part.this if isinstance(part, exp.Ordered) else None
        return (
            isinstance(column, exp.Column)
            and not column.table
            and any(
                isinstance(item, exp.Alias) and item.alias.lower() == column.name.lower()
                for item in self.select.expressions
            )
        )

    def _look(self, part: exp.Expression) -> None:
        """Collect aggregates, and columns that are neither in one nor in a key."""
        stack = [(part, False)]
        while stack:
            node, windowed = stack.pop()
            if isinstance(node, exp.Query) or (type(node) in self.kinds and self._plain(node) in self.keys):
                continue
            if isinstance(node, exp.AggFunc) and not windowed:
                self.aggregates.append(node)
                continue
            if isinstance(node, exp.Anonymous) and node.name.lower() in _AGGREGATES and not windowed:
                self.aggregates.append(node)
                continue
            if isinstance(node, exp.WithinGroup) or (isinstance(node, exp.Filter) and not windowed):
                self.aggregates.append(node)
                continue
            if isinstance(node, exp.Column):
                name = self._name(node)
                if name is not None and name not in self.names:
                    self.loose.setdefault(name, node)
                continue
            over = isinstance(node, exp.Window)
            wraps = isinstance(node, (exp.Filter, exp.IgnoreNulls, exp.RespectNulls)) and windowed
            stack += [(child, (over or wraps) and child is node.this) for child in node.iter_expressions()]

    def _key(self, item: exp.Expression) -> exp.Expression:
        """What an item of GROUP BY stands for: a position, the name of an output, or itself."""
        outputs = self.select.expressions
        if isinstance(item, exp.Literal) and not item.is_string and item.name.isdigit():
            position = int(item.name)
            item = outputs[position - 1] if 1 <= position <= len(outputs) else item
        elif isinstance(item, exp.Column) and not item.table and self._name(item) is None:
            item = next((one for one in outputs if one.alias.lower() == item.name.lower()), item)
        while isinstance(item, (exp.Alias, exp.Paren)):
            item = item.this
        return item

    def _plain(self, node: exp.Expression) -> exp.Expression:
        """The node with every own column written (source, column) in lower case."""
        if isinstance(node, exp.Column):
            return self._column(node)
        copy = node.copy()
        for column in list(copy.find_all(exp.Column)):
            column.replace(self._column(column))
        return copy

    def _column(self, column: exp.Column) -> exp.Expression:
        name = self._name(column)
        return exp.column(name[1], table=name[0]) if name is not None else column.copy()

    def _name(self, node: exp.Expression) -> Name | None:
        """The source of this SELECT and the column, None for an output's name, and for what lies further out."""
        if not isinstance(node, exp.Column):
            return None
        table, low = node.table.lower(), node.name.lower()
        if table:
            return (table, low) if table in self.scope.sources else None
        if low in self.scope.merged:
            return ("", low)
        return next(((key, low) for key, source in self.scope.sources.items() if low in source.by_name), None)

    def _with_keys(self, settled: set[Name]) -> set[Name]:
        """With every column of a table whose whole primary key is settled."""
        for key, source in self.scope.sources.items():
            primary = self._primary(source)
            if primary and all((key, column) in settled for column in primary):
                settled |= {(key, column) for column in source.by_name}
        return settled

    def _primary(self, source: Source) -> list[str]:
        known = self.catalogue.find(source.table) if source.table else None
        return [column.lower() for column in known.table.primary_key] if known is not None else []

    def _closed(self, settled: set[Name]) -> set[Name]:
        """With what keys and equal columns settle, as far as that goes."""
        pairs = list(self._equal())
        before = -1
        while len(settled) != before:
            before = len(settled)
            settled = self._with_keys(settled)
            for left, right in pairs:
                if left is None or right is None:
                    settled |= {name for name in (left, right) if name is not None}
                elif left in settled or right in settled:
                    settled |= {left, right}
        return settled

    def _equal(self) -> Iterator[tuple[Name | None, Name | None]]:
        """Columns that WHERE and joins make equal; None stands for a constant."""
        where = self.select.args.get("where")
        conditions = [where.this] if where is not None else []
        joins = [join for join in self.select.find_all(exp.Join) if join.parent_select is self.select]
        conditions += [join.args["on"] for join in joins if join.args.get("on") is not None]
        for condition in conditions:
            for part in condition.flatten() if isinstance(condition, exp.And) else [condition]:
                part = part.unnest()
                if isinstance(part, exp.EQ):
                    left, right = part.this.unnest(), part.expression.unnest()
                    names = self._name(left), self._name(right)
                    if all(
                        name is not None or isinstance(side, exp.Literal)
                        for name, side in zip(names, (left, right), strict=True)
                    ):
                        yield names
        for low in self.scope.merged:
            for key, source in self.scope.sources.items():
                if low in source.by_name:
                    yield ("", low), (key, low)


_AGGREGATES = word_set(
    """
    every bool_and bool_or bit_and bit_or bit_xor array_agg string_agg json_agg jsonb_agg json_object_agg
    jsonb_object_agg mode percentile_cont percentile_disc any_value regr_avgx regr_avgy regr_count regr_intercept
    regr_r2 regr_slope regr_sxx regr_sxy regr_syy corr covar_pop covar_samp stddev stddev_pop stddev_samp variance
    var_pop var_samp
    """
)
"""PostgreSQL's aggregates, for those that the parser keeps by name only."""


def _parts_of(item: exp.Expression) -> list[exp.Expression]:
    return list(item.expressions) if isinstance(item, exp.Tuple) else [item]
