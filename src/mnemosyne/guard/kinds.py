"""What kind of value every expression of a PostgreSQL query has: the knowledge that a translation needs.

`annotate` writes a kind into `node.meta["kind"]` of every expression, from the column types of the schema
and PostgreSQL's rules. It resolves columns through aliases, derived tables, CTEs and outer queries; what it
cannot know is `unknown`, never an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, cast

from sqlglot import exp

from mnemosyne.schema import Schema

Kind = Literal[
    "int", "numeric", "float", "bool", "text", "date", "midnight", "timestamp", "time", "interval", "array", "unknown"
]
"""`midnight` is a timestamp that is always at 00:00, such as DATE_TRUNC('month', d) or a date plus whole days;
`numeric` is PostgreSQL's exact decimal."""

Columns = dict[str, Kind]
"""Lower-case column names of a table or query, in order, to kinds."""

NUMBERS = frozenset({"int", "numeric", "float"})
DAYS = frozenset({"date", "midnight"})
TIMES = frozenset({"date", "midnight", "timestamp"})


def kind_of(node: exp.Expression | None) -> Kind:
    """The kind that `annotate` found, or that `marked` set."""
    return "unknown" if node is None else cast(Kind, node.meta.get("kind", "unknown"))


def marked(node: exp.Expression, kind: Kind) -> exp.Expression:
    """The node, with its kind written into it."""
    node.meta["kind"] = kind
    return node


def kind_of_type(text: str) -> Kind:
    """The kind of a column type as a database writes it, such as `VARCHAR(100)`."""
    name = text.upper().split("(")[0].strip()
    if name.endswith("[]"):
        return "array"
    for prefixes, kind in _TYPE_NAMES:
        if name.startswith(prefixes):
            return kind
    return "unknown"


_TYPE_NAMES: tuple[tuple[tuple[str, ...], Kind], ...] = (
    (("INTERVAL",), "interval"),
    (("INT", "BIGINT", "SMALLINT", "TINYINT", "MEDIUMINT", "SERIAL", "BIGSERIAL", "HUGEINT", "UINT", "UBIGINT"), "int"),
    (("NUMERIC", "DECIMAL"), "numeric"),
    (("FLOAT", "DOUBLE", "REAL"), "float"),
    (("BOOL",), "bool"),
    (("DATETIME", "TIMESTAMP"), "timestamp"),
    (("DATE",), "date"),
    (("TIME",), "time"),
    (("VARCHAR", "CHAR", "TEXT", "BPCHAR", "NVARCHAR", "UUID", "STRING", "CLOB", "NAME", "CITEXT"), "text"),
)


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


class _Annotator:
    def __init__(self, schema: Schema) -> None:
        self.tables: dict[str, Columns] = {
            table.name.lower(): {column.name.lower(): kind_of_type(column.type) for column in table.columns}
            for table in schema.tables
        }

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
        both = {
            name: _common(kind, right[i]) if i < len(right) else kind for i, (name, kind) in enumerate(left.items())
        }
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
                columns = {(node.alias or node.this.name or "?").lower(): _series_kind(node.this)}
        elif isinstance(node, exp.Lateral):
            columns = self._lateral(node, scope)
        elif isinstance(node, exp.Unnest):
            for item in node.expressions:
                self.expression(item, scope)
            columns = {(node.alias or "unnest").lower(): _element_kind(node)}
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
        return {(node.alias or "?").lower(): _series_kind(node.this)}

    def _values(self, node: exp.Values, scope: Scope) -> Columns:
        columns: Columns = {}
        for row in node.expressions:
            for i, item in enumerate(row.expressions if isinstance(row, exp.Tuple) else [row]):
                self.expression(item, scope)
                name = f"column{i + 1}"
                columns[name] = _common(columns.get(name, kind_of(item)), kind_of(item))
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


def _common(a: Kind, b: Kind) -> Kind:
    """The kind of CASE, COALESCE or UNION over both."""
    if a == b or b == "unknown":
        return a
    if a == "unknown":
        return b
    for kind in ("timestamp", "midnight", "float", "numeric"):
        if kind in (a, b) and {a, b} <= (TIMES if kind in TIMES else NUMBERS):
            return cast(Kind, kind)
    return a


def _fold(nodes: list[exp.Expression | None]) -> Kind:
    kind: Kind = "unknown"
    for node in nodes:
        if node is not None and not isinstance(node, exp.Null) and not (kind != "unknown" and _is_text(node)):
            kind = _common(kind, kind_of(node))
    return kind


def _is_text(node: exp.Expression) -> bool:
    """A quoted literal takes the kind of what it stands beside."""
    return isinstance(node, exp.Literal) and node.is_string


def _series_kind(node: exp.Expression) -> Kind:
    if isinstance(node, (exp.GenerateSeries, exp.ExplodingGenerateSeries)):
        start = kind_of(node.args.get("start"))
        return (
            "timestamp"
            if start in TIMES and not whole_days(node.args.get("step"))
            else ("midnight" if start in DAYS else start)
        )
    return _element_kind(node)


def _element_kind(node: exp.Expression) -> Kind:
    array = node.find(exp.Array)
    return _fold(list(array.expressions)) if array is not None else "unknown"


def whole_days(step: exp.Expression | None) -> bool:
    """True for an interval that is written in days, weeks, months or years only."""
    if step is None:
        return False
    intervals = list(step.find_all(exp.Interval))
    if not intervals and isinstance(step, exp.Cast):
        return _coarse(step.this.name)
    return bool(intervals) and all(_coarse(f"{i.this.name if i.this else ''} {i.unit or ''}") for i in intervals)


def _coarse(text: str) -> bool:
    words = [word for word in text.lower().replace("'", " ").split() if word.isalpha()]
    return bool(words) and all(word.rstrip("s") in ("day", "week", "month", "mon", "quarter", "year") for word in words)


def rule(node: exp.Expression) -> Kind:
    """PostgreSQL's rule for the kind of a node whose children are annotated."""
    for cls in type(node).__mro__:
        found = _RULES.get(cls)
        if found is not None:
            return found(node) if callable(found) else cast(Kind, found)
    if isinstance(node, exp.Predicate):
        return "bool"
    return "unknown"


def _this(node: exp.Expression) -> Kind:
    return kind_of(node.this) if isinstance(node.this, exp.Expression) else "unknown"


def _all(node: exp.Expression) -> Kind:
    return _fold([node.this, *node.expressions])


def _case(node: exp.Expression) -> Kind:
    return _fold([*(branch.args.get("true") for branch in node.args["ifs"]), node.args.get("default")])


def _literal(node: exp.Expression) -> Kind:
    if node.is_string:
        return "text"
    return "int" if node.name.isdigit() else "numeric"


def _cast(node: exp.Expression) -> Kind:
    return kind_of_type(node.args["to"].sql("postgres"))


def _add(node: exp.Expression) -> Kind:
    left, right = kind_of(node.this), kind_of(node.expression)
    swapped = left not in TIMES and left != "interval" and (right in TIMES or right == "interval")
    if swapped and not (isinstance(node, exp.Sub) and right in TIMES):
        left, right = right, left
    if left in TIMES:
        if right in TIMES:
            return "int" if left == right == "date" else "interval"
        if right == "interval" or isinstance(node.expression, exp.Interval):
            return "midnight" if left in DAYS and whole_days(node) else "timestamp"
        if isinstance(node, exp.Sub) and _is_text(node.expression):
            return "int"
        return left
    if left == "interval":
        return "interval"
    return _arithmetic(node)


def _arithmetic(node: exp.Expression) -> Kind:
    left, right = kind_of(node.this), kind_of(node.expression)
    if "interval" in (left, right):
        return "interval"
    if _is_text(node.expression):
        return left
    if _is_text(node.this):
        return right
    return _common(left, right) if left != "unknown" and right != "unknown" else "unknown"


def _trunc_date(node: exp.Expression) -> Kind:
    fine = str(node.args.get("unit") or "").upper().strip("'") in (
        "HOUR",
        "MINUTE",
        "SECOND",
        "MILLISECONDS",
        "MICROSECONDS",
    )
    return "interval" if _this(node) == "interval" else "timestamp" if fine and _this(node) not in DAYS else "midnight"


def _sum(node: exp.Expression) -> Kind:
    return _this(node)


def _average(node: exp.Expression) -> Kind:
    return "numeric" if _this(node) in ("int", "numeric") else _this(node)


def _round(node: exp.Expression) -> Kind:
    return "float" if _this(node) == "float" else "numeric" if _this(node) in ("int", "numeric") else _this(node)


def _within(node: exp.Expression) -> Kind:
    ordered = node.expression.find(exp.Ordered)
    inner = _fold([ordered.this]) if ordered is not None else "unknown"
    return "float" if isinstance(node.this, exp.PercentileCont) and inner in NUMBERS else inner


def _named(node: exp.Expression) -> Kind:
    return _FUNCTIONS.get(node.name.lower(), "unknown")


_FUNCTIONS: dict[str, Kind] = {
    "age": "interval", "make_date": "date", "make_timestamp": "timestamp", "every": "bool", "bool_and": "bool",
    "bool_or": "bool", "cardinality": "int", "div": "numeric", "btrim": "text", "justify_days": "interval",
    "justify_interval": "interval", "justify_hours": "interval", "num_nulls": "int", "num_nonnulls": "int",
    "array_length": "int", "octet_length": "int",
}  # fmt: skip

_RULES: dict[type[exp.Expression], object] = {
    exp.Literal: _literal,
    exp.Boolean: "bool",
    exp.Cast: _cast,
    exp.Interval: "interval",
    exp.MakeInterval: "interval",
    exp.Paren: _this,
    exp.Alias: _this,
    exp.Neg: _this,
    exp.Ordered: _this,
    exp.Distinct: lambda node: kind_of(node.expressions[0]) if node.expressions else "unknown",
    exp.Order: _this,
    exp.Filter: _this,
    exp.Window: _this,
    exp.WithinGroup: _within,
    exp.Case: _case,
    exp.Coalesce: _all,
    exp.Greatest: _all,
    exp.Least: _all,
    exp.Nullif: _this,
    exp.Add: _add,
    exp.Sub: _add,
    exp.Mul: _arithmetic,
    exp.Div: _arithmetic,
    exp.Mod: _arithmetic,
    exp.And: "bool",
    exp.Or: "bool",
    exp.Not: "bool",
    exp.Between: "bool",
    exp.In: "bool",
    exp.Is: "bool",
    exp.Exists: "bool",
    exp.Escape: "bool",
    exp.SimilarTo: "bool",
    exp.Overlaps: "bool",
    exp.LogicalAnd: "bool",
    exp.LogicalOr: "bool",
    exp.DPipe: "text",
    exp.Concat: "text",
    exp.ConcatWs: "text",
    exp.GroupConcat: "text",
    exp.ArrayAgg: "array",
    exp.Array: "array",
    exp.ArrayToString: "text",
    exp.StringToArray: "array",
    exp.Upper: "text",
    exp.Lower: "text",
    exp.Initcap: "text",
    exp.Trim: "text",
    exp.Left: "text",
    exp.Right: "text",
    exp.Pad: "text",
    exp.Repeat: "text",
    exp.Reverse: "text",
    exp.Replace: "text",
    exp.Translate: "text",
    exp.Substring: "text",
    exp.SplitPart: "text",
    exp.RegexpReplace: "text",
    exp.TimeToStr: "text",
    exp.ToChar: "text",
    exp.Chr: "text",
    exp.StrPosition: "int",
    exp.Length: "int",
    exp.Ascii: "int",
    exp.Unicode: "int",
    exp.Count: "int",
    exp.RowNumber: "int",
    exp.Rank: "int",
    exp.DenseRank: "int",
    exp.Ntile: "int",
    exp.PercentRank: "float",
    exp.CumeDist: "float",
    exp.Sum: _sum,
    exp.Avg: _average,
    exp.Min: _this,
    exp.Max: _this,
    exp.Lag: _this,
    exp.Lead: _this,
    exp.FirstValue: _this,
    exp.LastValue: _this,
    exp.NthValue: _this,
    exp.Abs: _this,
    exp.Round: _round,
    exp.Trunc: _round,
    exp.Ceil: _round,
    exp.Floor: _round,
    exp.Sqrt: lambda node: "numeric" if _this(node) == "numeric" else "float",
    exp.Exp: "float",
    exp.Ln: "float",
    exp.Log: "float",
    exp.Pow: lambda node: "numeric" if "numeric" in (_this(node), kind_of(node.expression)) else "float",
    exp.Stddev: "float",
    exp.StddevPop: "float",
    exp.StddevSamp: "float",
    exp.Variance: "float",
    exp.VariancePop: "float",
    exp.Corr: "float",
    exp.Extract: "numeric",
    exp.TimestampTrunc: _trunc_date,
    exp.DateTrunc: _trunc_date,
    exp.CurrentDate: "date",
    exp.Date: "date",
    exp.StrToDate: "date",
    exp.DateFromParts: "date",
    exp.CurrentTimestamp: "timestamp",
    exp.Localtimestamp: "timestamp",
    exp.UnixToTime: "timestamp",
    exp.StrToTime: "timestamp",
    exp.Grouping: "int",
    exp.Anonymous: _named,
}
