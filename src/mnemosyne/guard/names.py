"""Every name of a query to its table and column, in the scopes that the engines see.

`resolve` walks the queries of a tree from the outside in. It rewrites each name to the spelling of its
declaration, expands `*`, gives a CTE that hides a table another name, and refuses what it does not know.
It does not know types. sqlglot's own `qualify` is not used: it copies the tree several times, resolves
`ORDER BY` and recursive terms differently from the engines, and its messages name no neighbours.
"""

from __future__ import annotations

from sqlglot import exp

from mnemosyne.guard import words
from mnemosyne.guard.catalogue import is_system_name
from mnemosyne.guard.grouping import settle
from mnemosyne.guard.references import References
from mnemosyne.guard.refused import Refused, piece
from mnemosyne.guard.scopes import Field, Scope, Source
from mnemosyne.guard.unknown import refuse_ambiguous, refuse_column, refuse_source, refuse_table


class Resolver(References):
    """One pass over one tree. `tables` and `columns` say afterwards what it reads."""

    # ------------------------------------------------------------------ queries

    def query(self, node: exp.Expression, outer: Scope | None, ctes: dict[str, Source]) -> list[Field]:
        """Resolve a query; its output columns."""
        ctes = self._with(node, outer, ctes)
        if isinstance(node, exp.Select):
            return self._select(node, outer, ctes)
        if isinstance(node, exp.SetOperation):
            return self._set_operation(node, outer, ctes)
        if isinstance(node, exp.Subquery):
            fields = self.query(node.this, outer, ctes)
            self._tail(node, fields, outer, ctes)
            return fields
        if isinstance(node, exp.Values):
            return self._values(node, Scope(ctes, outer))
        raise Refused("construct", f"{type(node).__name__.upper()} is not a query")

    def _with(self, node: exp.Expression, outer: Scope | None, ctes: dict[str, Source]) -> dict[str, Source]:
        clause = node.args.get("with_")
        if clause is None:
            return ctes
        ctes = dict(ctes)
        recursive = bool(clause.args.get("recursive")) or self.written == "sqlite"
        seen: set[str] = set()
        for cte in clause.expressions:
            alias = cte.args["alias"]
            written = alias.this.name.lower()
            if written in seen:
                raise Refused("duplicate-name", f"WITH defines {alias.this.name} twice", place=alias.this.name)
            seen.add(written)
            self._keep_apart(alias.this)
            ctes[written] = self._cte(cte, written, outer, ctes, recursive)
        return ctes

    def _keep_apart(self, name: exp.Identifier) -> None:
        """A CTE with the name of a table is renamed, so that no engine can take one for the other."""
        if name.name.lower() in self.catalogue.tables or name.name.lower() in self.catalogue.denied:
            self.renamed += 1
            name.set("this", f"{name.name}_cte{self.renamed if self.renamed > 1 else ''}")
        elif is_system_name(name.name):
            raise Refused("system-catalogue", f"{name.name} is a name of the database itself", place=name.name)

    def _cte(self, cte: exp.CTE, written: str, outer: Scope | None, ctes: dict[str, Source], recursive: bool) -> Source:
        body, alias = cte.this, cte.args["alias"]
        if not (recursive and isinstance(body, exp.SetOperation)):
            return self._named(alias, self.query(body, outer, ctes))
        inside = self._with(body, outer, ctes)
        itself = self._named(alias, self.query(body.this, outer, inside))
        inside = {**inside, written: itself}
        self.query(body.expression, outer, inside)
        self._tail(body, itself.fields, outer, inside)
        return itself

    def _named(self, alias: exp.TableAlias, fields: list[Field]) -> Source:
        """A query as a source: its columns renamed by the list after the alias, and each with a name of its own."""
        columns = alias.args.get("columns") or []
        if len(columns) > len(fields):
            raise Refused("syntax", f"{alias.name} names {len(columns)} columns but its query returns {len(fields)}")
        named = [
            Field(column.name, bool(column.args.get("quoted")), old.origin)
            for column, old in zip(columns, fields, strict=False)
        ]
        return Source(alias.name, bool(alias.this.args.get("quoted")), named + fields[len(columns) :])

    def _set_operation(self, node: exp.SetOperation, outer: Scope | None, ctes: dict[str, Source]) -> list[Field]:
        branches: list[exp.Expression] = []
        operations: list[exp.SetOperation] = []
        left: exp.Expression = node
        while isinstance(left, exp.SetOperation) and (left is node or not left.args.get("with_")):
            operations.append(left)
            branches.append(left.expression)
            left = left.this
        fields = self.query(left, outer, ctes)
        for branch, operation in zip(reversed(branches), reversed(operations), strict=True):
            other = self.query(branch, outer, ctes)
            if len(other) != len(fields):
                raise Refused(
                    "syntax", f"the two sides of {operation.key.upper()} return {len(fields)} and {len(other)} columns"
                )
            self._tail(operation, fields, outer, ctes, others=other)
        return [Field(one.name, one.quoted, None, one.unnamed) for one in fields]

    def _tail(
        self,
        node: exp.Expression,
        fields: list[Field],
        outer: Scope | None,
        ctes: dict[str, Source],
        others: list[Field] | None = None,
    ) -> None:
        """ORDER BY, LIMIT and OFFSET of a set operation or a bracketed query: they see output columns only."""
        scope = Scope(ctes, outer)
        scope.sources[""] = Source("", False, fields)
        order = node.args.get("order")
        if order is not None and others is not None:
            for item in order.expressions:
                self._by_position(item, fields, others)
        for clause in ("order", "limit", "offset"):
            if node.args.get(clause) is not None:
                self._expression(node.args[clause], scope)

    @staticmethod
    def _by_position(item: exp.Expression, fields: list[Field], others: list[Field]) -> None:
        """SQLite lets ORDER BY name a column of any side; its position says the same everywhere."""
        column = item.this
        if not isinstance(column, exp.Column) or column.args.get("table"):
            return
        low = column.name.lower()
        if any(one.name.lower() == low for one in fields):
            return
        for position, one in enumerate(others, 1):
            if one.name.lower() == low:
                column.replace(exp.Literal.number(position))
                return

    def _values(self, node: exp.Values, scope: Scope) -> list[Field]:
        for row in node.expressions:
            self._expression(row, scope)
        first = node.expressions[0]
        width = len(first.expressions) if isinstance(first, exp.Tuple) else 1
        widths = {len(row.expressions) if isinstance(row, exp.Tuple) else 1 for row in node.expressions}
        if widths != {width}:
            raise Refused("syntax", "the rows of VALUES have different lengths", place="VALUES")
        prefix, start = ("col", 0) if self.written == "duckdb" else ("column", 1)
        return [Field(f"{prefix}{index + start}") for index in range(width)]

    # ------------------------------------------------------------------ SELECT

    def _select(self, node: exp.Select, outer: Scope | None, ctes: dict[str, Source]) -> list[Field]:
        scope = Scope(ctes, outer)
        start = node.args.get("from_")
        if start is not None:
            self._source(start.this, scope)
        for lateral in node.args.get("laterals") or []:
            self._source(lateral, scope)
        for join in node.args.get("joins") or []:
            self._join(join, scope)
        for condition in scope.waiting:
            self._expression(condition, scope)
        fields = self._projection(node, scope)
        for clause in ("where", "having", "qualify"):
            if node.args.get(clause) is not None:
                self._expression(node.args[clause], scope, aliases="expand")
        if node.args.get("group") is not None:
            self._expression(node.args["group"], scope, aliases="expand")
        for window in node.args.get("windows") or []:
            self._expression(window, scope)
        if node.args.get("order") is not None:
            for item in node.args["order"].expressions:
                self._order_item(item, scope)
        for clause in ("limit", "offset"):
            if node.args.get(clause) is not None:
                self._expression(node.args[clause], scope)
        if self.written == "postgres":
            settle(node, scope, self.catalogue, self.target)
        return fields

    def _join(self, join: exp.Join, scope: Scope) -> None:
        before = list(scope.sources.values())
        self._source(join.this, scope)
        added = [source for source in scope.sources.values() if all(source is not old for old in before)]
        if join.args.get("using"):
            for name in join.args["using"]:
                self._merge(name.name, before, added, scope, name)
        elif str(join.args.get("method") or "").upper() == "NATURAL":
            self._natural(join, before, added, scope)
        condition = join.args.get("on")
        if condition is None:
            return
        if self.written == "sqlite":
            scope.waiting.append(condition)  # SQLite lets ON name a table that is joined later
        else:
            self._expression(condition, scope)

    def _natural(self, join: exp.Join, before: list[Source], added: list[Source], scope: Scope) -> None:
        """NATURAL, written out: the database may have more columns in common than the schema says."""
        left = {low for source in before for low in source.by_name}
        common = list(dict.fromkeys(low for source in added for low in source.by_name if low in left))
        names = [exp.Identifier(this=low, quoted=False) for low in common]
        for name in names:
            self._merge(name.name, before, added, scope, name)
        join.set("method", None)
        if names:
            join.set("using", names)
        elif join.args.get("side"):
            join.set("on", exp.Boolean(this=True))
        else:
            join.set("kind", "CROSS")

    def _merge(
        self,
        name: str,
        before: list[Source],
        added: list[Source],
        scope: Scope,
        written: exp.Expression | None,
    ) -> None:
        low = name.lower()
        left = [one for source in before for one in source.by_name.get(low, [])]
        right = [one for source in added for one in source.by_name.get(low, [])]
        if not left or not right:
            side = added[0] if added and left else before[0]
            refuse_column(name, [side.table or side.name], side.name, self.catalogue)
        for one in left + right:
            self._read(one)
        scope.merged[low] = left[0]
        if isinstance(written, exp.Column):
            written = written.this
        if isinstance(written, exp.Identifier):
            written.set("this", left[0].name)
            written.set("quoted", left[0].quoted)

    def _source(self, item: exp.Expression, scope: Scope) -> None:
        if isinstance(item, exp.Table):
            self._table(item, scope)
        elif isinstance(item, exp.Subquery):
            self._derived(item, scope, None if not isinstance(item.parent, exp.Lateral) else scope)
        elif isinstance(item, exp.Lateral):
            self._lateral(item, scope)
        elif isinstance(item, exp.Values):
            fields = self._values(item, Scope(scope.ctes, scope.outer))
            self._add_aliased(item, fields, scope)
        elif isinstance(item, exp.Unnest):
            for argument in item.expressions:
                self._expression(argument, scope)
            self._add_aliased(item, self._function_fields(item, "unnest"), scope)
        else:
            raise Refused("construct", f"{type(item).__name__.upper()} is not allowed in FROM")
        for lateral in item.args.get("laterals") or []:
            self._source(lateral, scope)
        for join in item.args.get("joins") or []:
            self._join(join, scope)

    def _table(self, item: exp.Table, scope: Scope) -> None:
        if not isinstance(item.this, exp.Identifier):
            self._table_function(item, scope)
            return
        name, namespace = item.name, item.text("db")
        cte = scope.ctes.get(name.lower()) if not namespace else None
        if cte is not None:
            self._spell(item.this, cte.name, cte.quoted)
            self._add_aliased(item, cte.fields, scope, default=cte)
            return
        if is_system_name(name, namespace):
            raise Refused("system-catalogue", f"{piece(item)} belongs to the database itself", place=name)
        known = self.catalogue.find(name, namespace)
        if known is None:
            refuse_table(item, self.catalogue)
        table = known.table
        self.tables[table.name] = None
        self._spell(item.this, table.name, self._is_mixed(table.name))
        item.set("db", exp.to_identifier(table.namespace) if table.namespace else None)
        fields = [Field(column, self._is_mixed(column), (table.name, column)) for column in known.columns.values()]
        source = Source(table.name, self._is_mixed(table.name), fields, table=table.name)
        self._add_aliased(item, fields, scope, default=source)

    def _table_function(self, item: exp.Table, scope: Scope) -> None:
        if self.written == "sqlite" and item.this.name.lower() == words.LIST_TABLE:
            self._expression(item.this, scope)
            self._add_aliased(item, [Field("value")], scope)
            return
        if not isinstance(item.this, (exp.GenerateSeries, exp.Unnest)):
            raise Refused(
                "function",
                f"{piece(item.this)[:60]} is not allowed in FROM",
                place=piece(item.this)[:60],
                hint="Only generate_series, unnest and subqueries may stand there.",
            )
        self._expression(item.this, scope)
        self._add_aliased(item, self._function_fields(item, "generate_series"), scope)

    @staticmethod
    def _function_fields(item: exp.Expression, name: str) -> list[Field]:
        """A function in FROM is a table of one column, which takes the name of the alias."""
        alias = item.args.get("alias")
        if alias is not None and alias.args.get("columns"):
            return [Field(column.name, bool(column.args.get("quoted"))) for column in alias.args["columns"]]
        if alias is not None and isinstance(alias.this, exp.Identifier):
            alias.set("columns", [alias.this.copy()])
            return [Field(alias.this.name, bool(alias.this.args.get("quoted")))]
        return [Field(name)]

    def _derived(self, item: exp.Subquery, scope: Scope, outer: Scope | None) -> None:
        if isinstance(item.this, (exp.Table, exp.Values)) or (
            isinstance(item.this, exp.Subquery) and item.this.args.get("joins")
        ):
            if item.args.get("alias") is not None and isinstance(item.this, exp.Table):
                raise Refused("construct", "a join in brackets may not have an alias; name its tables instead")
            if isinstance(item.this, exp.Values):
                self._add_aliased(item, self._values(item.this, Scope(scope.ctes, scope.outer)), scope)
            else:
                self._source(item.this, scope)
            return
        fields = self.query(item, scope.outer if outer is None else outer, scope.ctes)
        self._add_aliased(item, fields, scope)

    def _lateral(self, item: exp.Lateral, scope: Scope) -> None:
        inner = item.this
        if isinstance(inner, exp.Subquery):
            fields = self.query(inner, scope, scope.ctes)
        elif isinstance(inner, (exp.Unnest, exp.GenerateSeries)):
            self._expression(inner, scope)
            fields = self._function_fields(item, "unnest" if isinstance(inner, exp.Unnest) else "generate_series")
        else:
            raise Refused("function", f"{piece(inner)[:60]} is not allowed in LATERAL", place=piece(inner)[:60])
        self._add_aliased(item, fields, scope)

    def _add_aliased(
        self, item: exp.Expression, fields: list[Field], scope: Scope, default: Source | None = None
    ) -> None:
        alias = item.args.get("alias")
        if alias is not None and isinstance(alias.this, exp.Identifier):
            source = self._named(alias, fields)
            source.table = default.table if default is not None else ""
        elif default is not None:
            source = Source(default.name, default.quoted, fields, table=default.table)
        else:
            source = Source("", False, fields)
        key = source.name.lower()
        if key == "":
            key = f" {len(scope.sources)}"
        if key in scope.sources:
            raise Refused(
                "duplicate-name",
                f"{source.name} stands twice in FROM; give each its own alias",
                place=source.name,
            )
        scope.sources[key] = source

    # ------------------------------------------------------------------ projection and order

    def _projection(self, node: exp.Select, scope: Scope) -> list[Field]:
        if not node.expressions:
            raise Refused("syntax", "SELECT names nothing to return")
        expressions: list[exp.Expression] = []
        fields: list[Field] = []
        starred = False
        for item in node.expressions:
            if self._is_star(item):
                starred = True
                for column, one in self._expand(item, scope):
                    expressions.append(column)
                    fields.append(one)
                continue
            expressions.append(item)
        if starred:
            node.set("expressions", expressions)
        fields = []
        for item in node.args["expressions"]:
            if not starred or not item.meta.get("expanded"):
                self._expression(item, scope, aliases="projection")
        for item in node.args["expressions"]:
            one = self._output(item, scope)
            fields.append(one)
            scope.aliases.setdefault(one.name.lower(), []).append((one, item))
        distinct = node.args.get("distinct")
        if distinct is not None:
            self._expression(distinct, scope, aliases="expand")
        return fields

    @staticmethod
    def _is_star(item: exp.Expression) -> bool:
        return isinstance(item, exp.Star) or (isinstance(item, exp.Column) and isinstance(item.this, exp.Star))

    def _expand(self, item: exp.Expression, scope: Scope) -> list[tuple[exp.Expression, Field]]:
        wanted = item.text("table").lower() if isinstance(item, exp.Column) else ""
        if wanted and wanted not in scope.sources:
            refuse_source(item.text("table"), scope, self.catalogue)
        if not scope.sources:
            raise Refused("syntax", "SELECT * needs a table in FROM")
        columns: list[tuple[exp.Expression, Field]] = []
        if not wanted and self.written == "postgres":
            columns += [(self._column(one, None), one) for one in scope.merged.values()]
        seen: set[str] = set(scope.merged) if columns else set()
        for key, source in scope.sources.items():
            if wanted and key != wanted:
                continue
            for one in source.fields:
                low = one.name.lower()
                if not wanted and low in scope.merged:
                    if low in seen:
                        continue
                    seen.add(low)
                    columns.append((self._column(one, None), one))
                    continue
                qualifier = source if wanted or len(scope.sources) > 1 else None
                columns.append((self._column(one, qualifier), one))
        if not columns:
            raise Refused("denied", "no column of this table may be read", place="*")
        for column, one in columns:
            column.meta["expanded"] = True
            column.meta["field"] = one
            self._read(one)
        return columns

    def _column(self, one: Field, source: Source | None) -> exp.Column:
        self._give_name(one)
        table = exp.Identifier(this=source.name, quoted=source.quoted) if source is not None and source.name else None
        return exp.Column(this=exp.Identifier(this=one.name, quoted=one.quoted), table=table)

    def _output(self, item: exp.Expression, scope: Scope) -> Field:
        if isinstance(item, exp.Alias):
            name = item.args["alias"]
            inner = item.this
            origin = inner.meta.get("origin") if isinstance(inner, exp.Column) else None
            return Field(name.name, bool(name.args.get("quoted")), origin)
        if isinstance(item, exp.Column):
            one = item.meta.get("field")
            origin = one.origin if one is not None else item.meta.get("origin")
            return Field(item.name, bool(item.this.args.get("quoted")), origin)
        return Field(self._natural_name(item), False, None, item)

    def _natural_name(self, item: exp.Expression) -> str:
        """The name that PostgreSQL gives a column without an alias (SQLite: its text)."""
        if self.written == "sqlite":
            return piece(item, "sqlite").lower()
        while isinstance(item, (exp.Window, exp.Filter, exp.WithinGroup, exp.Paren, exp.Cast)):
            item = item.this
        if isinstance(item, exp.Column):
            return item.name
        if isinstance(item, exp.Anonymous):
            return item.name.lower()
        if isinstance(item, exp.Case):
            return "case"
        if isinstance(item, exp.Func):
            return item.sql_name().lower()
        return "?column?"

    def _order_item(self, item: exp.Expression, scope: Scope) -> None:
        """A bare name in ORDER BY is an output column first, a column of FROM otherwise."""
        column = item.this
        if isinstance(column, exp.Column) and not column.args.get("table") and isinstance(column.this, exp.Identifier):
            outputs = scope.aliases.get(column.name.lower(), [])
            if outputs:
                first, expression = outputs[0]
                if isinstance(expression, exp.Alias):
                    self._spell(column.this, first.name, first.quoted)
                    return
                if isinstance(expression, exp.Column):
                    if len(outputs) > 1 and len({piece(text) for _, text in outputs}) > 1 and self.written != "sqlite":
                        refuse_ambiguous(column.name, scope)
                    column.replace(self._plain_copy(expression))
                    return
        self._expression(item, scope, aliases="expand")

    @staticmethod
    def _plain_copy(expression: exp.Expression) -> exp.Expression:
        return expression.copy()
