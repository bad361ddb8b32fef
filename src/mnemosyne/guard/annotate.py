"""Write the kind of every expression of a PostgreSQL query into its tree, as `node.meta["kind"]`.

Columns are resolved through aliases, derived tables, CTEs and outer queries to the types of the schema.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from mnemosyne.guard.kinds import (
    Columns,
    Kind,
    common,
    element_kind,
    kind_of,
    kind_of_type,
    marked,
    rule,
    series_kind,
)
from mnemosyne.schema import Schema


class Scope:
    """The sources of one SELECT, and the query around it."""

    def __init__(self, outer: Scope | None, ctes: Mapping[str, Columns]) -> None:
        self.outer = outer
        self.ctes = dict(ctes)
        self.sources: dict[str, Columns] = {}
        self.outputs: Columns = {}

    def lookup(self, column: exp.Column) -> Kind:
        """The kind of a column by name, here or further out."""
        name, table = column.name.lower(), column.table.lower()
        scope: Scope | None = self
        while scope is not None:
            for alias, columns in scope.sources.items():
                if (not table or alias == table) and name in columns:
                    return columns[name]
            if not table and name in scope.outputs:
                return scope.outputs[name]
            if not table and name in scope.sources and len(scope.sources[name]) == 1:
                return next(iter(scope.sources[name].values()))  # FROM generate_series(…) AS n
            scope = scope.outer
        return "unknown"


def annotate(tree: exp.Expression, schema: Schema) -> None:
    """Write the kind of every expression of a query into the tree."""
    _Annotator(schema).query(tree, None, {})


def _tables(schema: Schema) -> dict[str, Columns]:
    """Table to column to kind; the last few schemas are kept, because every question asks for the same."""
    kept = _kept.get(id(schema))
    if kept is not None and kept[0] is schema:
        return kept[1]
    tables: dict[str, Columns] = {
        table.name.lower(): {column.name.lower(): kind_of_type(column.type) for column in table.columns}
        for table in schema.tables
    }
    if len(_kept) >= 64:
        _kept.clear()
    _kept[id(schema)] = (schema, tables)
    return tables


_kept: dict[int, tuple[Schema, dict[str, Columns]]] = {}


class _Annotator:
    def __init__(self, schema: Schema) -> None:
        self.tables = _tables(schema)

    def query(self, node: exp.Expression, outer: Scope | None, ctes: Mapping[str, Columns]) -> Columns:
        """Annotate a query; its output columns."""
        known = dict(ctes)
        with_ = node.args.get("with_")
        for cte in with_.expressions if with_ is not None else ():
            name = cte.alias.lower()
            if with_ is not None and with_.args.get("recursive") and isinstance(cte.this, exp.SetOperation):
                # The first branch decides the kinds that the second one sees.
                known[name] = _renamed(self.query(cte.this.this, outer, known), cte.args.get("alias"))
            known[name] = _renamed(self.query(cte.this, outer, known), cte.args.get("alias"))
        if isinstance(node, exp.Subquery):
            return self.query(node.this, outer, known)
        if isinstance(node, exp.SetOperation):
            return self._union(node, outer, known)
        if isinstance(node, exp.Select):
            return self._select(node, outer, known)
        if isinstance(node, exp.Values):
            return self._values(node, Scope(outer, known))
        return {}

    def _union(self, node: exp.SetOperation, outer: Scope | None, known: Mapping[str, Columns]) -> Columns:
        left = self.query(node.this, outer, known)
        right = list(self.query(node.expression, outer, known).values())
        both = {name: common(kind, right[i]) if i < len(right) else kind for i, (name, kind) in enumerate(left.items())}
        scope = Scope(None, known)
        scope.outputs = both
        for part in ("order", "limit", "offset"):
            if node.args.get(part) is not None:
                self.expression(node.args[part], scope)
        return both

    def _select(self, node: exp.Select, outer: Scope | None, known: Mapping[str, Columns]) -> Columns:
        scope = Scope(outer, known)
        from_ = node.args.get("from_")
        if from_ is not None:
            self._source(from_.this, scope)
        for join in [*(node.args.get("joins") or ()), *(node.args.get("laterals") or ())]:
            self._source(join.this if isinstance(join, exp.Join) else join, scope)
        for join in node.args.get("joins") or ():
            if join.args.get("on") is not None:
                self.expression(join.args["on"], scope)
        outputs: Columns = {}
        for i, item in enumerate(node.expressions):
            self.expression(item, scope)
            if item.is_star:
                for alias, columns in scope.sources.items():
                    if not isinstance(item, exp.Column) or alias == item.table.lower():
                        outputs.update(columns)
            else:
                outputs[item.alias_or_name.lower() or f"?{i}"] = kind_of(item)
        for part in ("where", "group"):
            if node.args.get(part) is not None:
                self.expression(node.args[part], scope)
        scope.outputs = outputs
        for part, value in node.args.items():
            if part in ("group", "having", "order", "limit", "offset", "qualify", "distinct", "windows"):
                for child in value if isinstance(value, list) else [value]:
                    if isinstance(child, exp.Expression):
                        self.expression(child, scope)
        return outputs

    def _source(self, node: exp.Expression, scope: Scope) -> None:
        """Add one item of FROM to the scope."""
        alias = node.args.get("alias")
        columns: Columns = {}
        if isinstance(node, exp.Table):
            if isinstance(node.this, exp.Identifier):
                name = node.name.lower()
                columns = scope.ctes[name] if name in scope.ctes else self.tables.get(name, {})
            else:
                self.expression(node.this, scope)
                columns = {(node.alias or node.this.name or "?").lower(): series_kind(node.this)}
        elif isinstance(node, exp.Lateral):
            columns = self._lateral(node, scope)
        elif isinstance(node, exp.Unnest):
            for item in node.expressions:
                self.expression(item, scope)
            columns = {(node.alias or "unnest").lower(): element_kind(node)}
        elif isinstance(node, (exp.Subquery, exp.Values)):
            for join in node.args.get("joins") or ():
                self._source(join.this, scope)
            columns = self.query(node, scope.outer, scope.ctes)
        scope.sources[(node.alias_or_name or f"?{len(scope.sources)}").lower()] = _renamed(columns, alias)
        for join in (node.args.get("joins") or ()) if isinstance(node, exp.Table) else ():
            self._source(join.this, scope)

    def _lateral(self, node: exp.Lateral, scope: Scope) -> Columns:
        if isinstance(node.this, exp.Subquery):
            return self.query(node.this, scope, scope.ctes)
        self.expression(node.this, scope)
        return {(node.alias or "?").lower(): series_kind(node.this)}

    def _values(self, node: exp.Values, scope: Scope) -> Columns:
        columns: Columns = {}
        for row in node.expressions:
            for i, item in enumerate(row.expressions if isinstance(row, exp.Tuple) else [row]):
                self.expression(item, scope)
                name = f"column{i + 1}"
                columns[name] = common(columns.get(name, kind_of(item)), kind_of(item))
        return _renamed(columns, node.args.get("alias"))

    def expression(self, node: exp.Expression, scope: Scope) -> None:
        """Annotate an expression, children first; queries in it see `scope` from inside."""
        if isinstance(node, (exp.Select, exp.SetOperation, exp.Subquery)):
            outputs = self.query(node, scope, scope.ctes)
            marked(node, next(iter(outputs.values()), "unknown"))
            return
        for child in node.iter_expressions():
            self.expression(child, scope)
        if isinstance(node, exp.Column):
            marked(node, scope.lookup(node))
        else:
            kind = rule(node)
            if kind != "unknown":
                marked(node, kind)


def _renamed(columns: Columns, alias: object) -> Columns:
    """Columns under the names of `AS t(a, b)`."""
    names = [name.name.lower() for name in alias.columns] if isinstance(alias, exp.TableAlias) else []
    return {names[i] if i < len(names) else name: kind for i, (name, kind) in enumerate(columns.items())}
