"""A query taken apart as Spider's official evaluation does it, for exact set match (EM) and hardness.

Source: Yu et al. 2018, "Spider", and its evaluation script. As there, values are ignored, DISTINCT is ignored,
columns joined by a foreign key count as one, and join conditions are not compared. Differences are stated in
docs/evaluation.md: any query that sqlglot can read has components, CTEs and window functions included, where
the script gives up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import sqlglot
from sqlglot import exp

from mnemosyne.schema import Schema

Hardness = Literal["easy", "medium", "hard", "extra"]


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison, without its value."""

    negated: bool
    """True behind NOT."""
    operator: str
    """`=`, `in`, `like` …"""
    unit: str
    """The left side, its columns as `table.column`."""
    nested: tuple[Components, ...] = ()
    """Subqueries on the right side."""


@dataclass(frozen=True, slots=True)
class Components:
    """One SELECT, clause by clause."""

    select: tuple[tuple[str, str], ...] = ()
    """(aggregate or empty, what it is of)."""
    tables: tuple[object, ...] = ()
    """Names, or components of subqueries, in the order of FROM."""
    joins: tuple[Condition, ...] = ()
    """Conditions of ON."""
    where: tuple[Condition, ...] = ()
    """Conditions of WHERE, left to right."""
    having: tuple[Condition, ...] = ()
    """Conditions of HAVING, left to right."""
    links: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """`and`, `or` between the conditions of `joins`, `where` and `having`."""
    group: tuple[str, ...] = ()
    """Grouping columns."""
    order: tuple[tuple[str, str], ...] = ()
    """(`asc` or `desc`, expression); the official script takes the direction of the last one for all."""
    order_aggregates: int = 0
    """How many ORDER BY expressions hold an aggregate."""
    limit: bool = False
    """Whether there is a LIMIT."""
    sets: tuple[tuple[str, Components], ...] = ()
    """(`union`, `intersect` or `except`, the query behind it)."""

    def keywords(self) -> set[str]:
        """The keywords that the official script compares."""
        found = {
            name for name, there in (("where", self.where), ("group", self.group), ("having", self.having)) if there
        }
        found |= {"order", *(direction for direction, _ in self.order)} if self.order else set()
        found |= {"limit"} if self.limit else set()
        found |= {name for name, _ in self.sets}
        conditions = self.joins + self.where + self.having
        found |= {"or"} if any("or" in links for links in self.links.values()) else set()
        found |= {"not"} if any(condition.negated for condition in conditions) else set()
        return found | {condition.operator for condition in conditions if condition.operator in ("in", "like")}


def read(sql: str, schema: Schema, dialect: str = "postgres") -> Components | None:
    """The components of a query, or None when it cannot be read as one."""
    try:
        tree = sqlglot.parse_one(sql, read=dialect)
    except (sqlglot.errors.SqlglotError, RecursionError):
        return None
    return _Reader(schema).query(tree) if isinstance(tree, exp.Query) else None


def exact_match(gold: Components | None, answer: Components | None) -> bool:
    """Spider's exact set match: every component the same, as sets where order means nothing."""
    if gold is None or answer is None:
        return False
    return (
        Counter(gold.select) == Counter(answer.select)
        and Counter(map(repr, gold.where)) == Counter(map(repr, answer.where))
        and set(gold.links["where"]) == set(answer.links["where"])
        and Counter(map(_bare, gold.group)) == Counter(map(_bare, answer.group))
        and (gold.having, gold.links["having"]) == (answer.having, answer.links["having"])
        and gold.order == answer.order
        and gold.keywords() == answer.keywords()
        and sorted(map(repr, gold.tables)) == sorted(map(repr, answer.tables))
        and [name for name, _ in gold.sets] == [name for name, _ in answer.sets]
        and all(exact_match(a, b) for (_, a), (_, b) in zip(gold.sets, answer.sets, strict=True))
    )


def hardness(query: Components | None) -> Hardness:
    """Spider's four levels, by the official counting rules."""
    if query is None:
        return "extra"
    conditions = query.joins + query.where + query.having
    clauses = sum(map(bool, (query.where, query.group, query.order, query.limit)))
    clauses += max(0, len(query.tables) - 1)
    clauses += sum(links.count("or") for links in query.links.values())
    clauses += sum(condition.operator == "like" for condition in conditions)
    nested = sum(len(condition.nested) for condition in conditions) + len(query.sets)
    others = (_aggregates(query) > 1) + (len(query.select) > 1) + (len(query.where) > 1) + (len(query.group) > 1)
    if clauses <= 1 and not others and not nested:
        return "easy"
    if not nested and ((others <= 2 and clauses <= 1) or (clauses <= 2 and others < 2)):
        return "medium"
    if (
        (others > 2 and clauses <= 2 and not nested)
        or (2 < clauses <= 3 and others <= 2 and not nested)
        or (clauses <= 1 and not others and nested <= 1)
    ):
        return "hard"
    return "extra"


def _aggregates(query: Components) -> int:
    """As the official script counts them, its habit of counting NOT and the links of HAVING included."""
    count = sum(bool(aggregate) for aggregate, _ in query.select) + query.order_aggregates
    count += sum(condition.negated for condition in query.where + query.having)
    return count + len(query.links["having"])


def _bare(column: str) -> str:
    return column.rpartition(".")[2]


class _Reader:
    """Reads trees against one schema."""

    def __init__(self, schema: Schema) -> None:
        self.columns = {table.name.lower(): {c.name.lower() for c in table.columns} for table in schema.tables}
        self.twins = _foreign_key_groups(schema)

    def query(self, tree: exp.Expr, ctes: Mapping[str, Components] | None = None) -> Components:
        ctes = dict(ctes or {})
        with_ = tree.args.get("with_") or tree.args.get("with")
        for cte in with_.expressions if with_ else ():
            ctes[cte.alias.lower()] = self.query(cte.this, ctes)
        if isinstance(tree, exp.Subquery):
            return self.query(tree.this, ctes)
        if isinstance(tree, exp.SetOperation):
            return self._set_operation(tree, ctes)
        return self._select(tree, ctes)

    def _set_operation(self, tree: exp.SetOperation, ctes: Mapping[str, Components]) -> Components:
        left, right = self.query(tree.left, ctes), self.query(tree.right, ctes)
        scope = _Scope(self, tree.right, ctes)
        if tree.args.get("order") or tree.args.get("limit"):  # written behind the last SELECT, and read as its own
            right = _replace(right, order=scope.order(tree), limit=bool(tree.args.get("limit")))
        return _replace(left, sets=(*left.sets, (tree.key, right)))

    def _select(self, tree: exp.Expr, ctes: Mapping[str, Components]) -> Components:
        scope = _Scope(self, tree, ctes)
        joins = [join.args["on"] for join in tree.args.get("joins") or () if join.args.get("on")]
        parts = {name: scope.conditions(tree.args[name].this) if tree.args.get(name) else ((), ())
                 for name in ("where", "having")}  # fmt: skip
        on = [scope.conditions(condition) for condition in joins]
        group = tree.args.get("group")
        ordered = tree.args["order"].expressions if tree.args.get("order") else []
        return Components(
            select=tuple(scope.item(item) for item in tree.expressions),
            tables=scope.units,
            joins=tuple(condition for conditions, _ in on for condition in conditions),
            where=parts["where"][0],
            having=parts["having"][0],
            links={
                "joins": tuple(link for _, links in on for link in links),
                **{name: links for name, (_, links) in parts.items()},
            },
            group=tuple(scope.text(scope.output(item)) for item in group.expressions) if group else (),
            order=scope.order(tree),
            order_aggregates=sum(scope.output(item.this).find(exp.AggFunc) is not None for item in ordered),
            limit=bool(tree.args.get("limit")),
        )


class _Scope:
    """The names that one SELECT sees."""

    def __init__(self, reader: _Reader, tree: exp.Expr, ctes: Mapping[str, Components]) -> None:
        self.reader, self.tree, self.ctes = reader, tree, ctes
        self.aliases: dict[str, str] = {}
        units: list[object] = []
        from_ = tree.args.get("from_") or tree.args.get("from")
        sources = [from_.this] if from_ else []
        sources += [join.this for join in tree.args.get("joins") or ()]
        for source in sources:
            name = source.name.lower() if isinstance(source, exp.Table) else ""
            self.aliases[(source.alias or name).lower()] = name
            units.append(name if name and name not in ctes else ctes[name] if name else reader.query(source, ctes))
        self.units = tuple(units)

    def item(self, item: exp.Expr) -> tuple[str, str]:
        """(aggregate, what it is of) of one projection."""
        item = item.unalias()
        if isinstance(item, exp.AggFunc):
            inner = item.this.expressions[0] if isinstance(item.this, exp.Distinct) else item.this
            return item.key, self.text(inner) if isinstance(inner, exp.Expr) else "*"
        return "", self.text(item)

    def output(self, expression: exp.Expr) -> exp.Expr:
        """What an ordinal or an output name of ORDER BY or GROUP BY stands for."""
        items = self.tree.expressions
        if isinstance(expression, exp.Literal) and expression.is_int and 0 < int(expression.name) <= len(items):
            return items[int(expression.name) - 1].unalias()  # type: ignore[no-any-return]
        if isinstance(expression, exp.Column) and not expression.table:
            for item in items:
                if isinstance(item, exp.Alias) and item.alias.lower() == expression.name.lower():
                    return item.this  # type: ignore[no-any-return]
        return expression

    def order(self, tree: exp.Expr) -> tuple[tuple[str, str], ...]:
        order = tree.args.get("order")
        items = order.expressions if order else []
        return tuple(("desc" if item.args.get("desc") else "asc", self.text(self.output(item.this))) for item in items)

    def text(self, expression: exp.Expr) -> str:
        """An expression with `table.column` columns, without values, aliases and DISTINCT."""

        def plain(node: exp.Expr) -> exp.Expr:
            if isinstance(node, exp.Column):
                return exp.Var(this=self.column(node))
            if isinstance(node, exp.Literal):
                return exp.Var(this="?")
            if isinstance(node, exp.Distinct) and node.expressions:
                return plain(node.expressions[0])
            if isinstance(node, exp.Paren):
                return plain(node.this)
            return node

        return expression.unalias().copy().transform(plain).sql().lower()

    def column(self, column: exp.Column) -> str:
        name, table = column.name.lower(), column.table.lower()
        if name == "*":
            return "*"
        if table:
            table = self.aliases.get(table) or table
        else:
            table = next((t for t in self.aliases.values() if name in self.reader.columns.get(t, ())), "")
        full = f"{table}.{name}" if table else name
        return self.reader.twins.get(full, full)

    def conditions(self, tree: exp.Expr) -> tuple[tuple[Condition, ...], tuple[str, ...]]:
        """The comparisons of a condition, left to right, and what links them."""
        tree = tree.unnest()
        if isinstance(tree, exp.Connector):
            left, left_links = self.conditions(tree.left)
            right, right_links = self.conditions(tree.right)
            return left + right, (*left_links, tree.key, *right_links)
        return (self.condition(tree),), ()

    def condition(self, tree: exp.Expr) -> Condition:
        negated = False
        while isinstance(tree, exp.Not):
            negated, tree = not negated, tree.this.unnest()
        right = [part for key, part in tree.args.items() if key != "this" and part is not None]
        flat = [node for part in right for node in (part if isinstance(part, list) else [part])]
        nested = tuple(
            self.reader.query(node.unnest(), self.ctes)
            for node in flat
            if isinstance(node, exp.Expr) and isinstance(node.unnest(), exp.Query)
        )
        if isinstance(tree, exp.Exists):
            return Condition(negated, "exists", "", (self.reader.query(tree.this, self.ctes),))
        operator = {"ilike": "like"}.get(tree.key, tree.key)
        compares = isinstance(tree, exp.Predicate) and isinstance(tree.this, exp.Expr)
        return Condition(
            negated, operator if compares else "is true", self.text(tree.this if compares else tree), nested
        )


def _replace(components: Components, **changes: object) -> Components:
    from dataclasses import replace

    return replace(components, **changes)  # type: ignore[arg-type]


def _foreign_key_groups(schema: Schema) -> dict[str, str]:
    """Every column of a foreign key to one name for all the columns that it is joined with."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            name = parent[name]
        return name

    for table in schema.tables:
        for key in table.foreign_keys:
            for ours, theirs in zip(key.columns, key.references, strict=False):
                parent[root(f"{table.name}.{ours}".lower())] = root(f"{key.table}.{theirs}".lower())
    return {name: root(name) for name in list(parent)}
