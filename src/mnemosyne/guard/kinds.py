"""What kind of value an expression of a PostgreSQL query has: PostgreSQL's rules, from the kinds of its parts.

What cannot be known is `unknown`, never an error. `annotate` brings the kinds of columns.
"""

from __future__ import annotations

from typing import Literal, cast

from sqlglot import exp

Kind = Literal[
    "int", "bigint", "numeric", "float", "bool", "text", "date", "midnight", "timestamp", "time", "interval", "array",
    "unknown",
]  # fmt: skip
"""`bigint` is what COUNT and RANK return, and its SUM is `numeric`, PostgreSQL's exact decimal, which `/` does not cut;
`midnight` is a timestamp that is always at 00:00, such as DATE_TRUNC('month', d) or a date plus whole days."""

Columns = dict[str, Kind]
"""Lower-case column names of a table or query, in order, to kinds."""

WHOLE = frozenset({"int", "bigint"})
NUMBERS = WHOLE | {"numeric", "float"}
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
    (("BIGINT", "BIGSERIAL", "INT8", "HUGEINT", "UINT", "UBIGINT", "UHUGEINT"), "bigint"),
    (("INT", "SMALLINT", "TINYINT", "MEDIUMINT", "SERIAL", "SMALLSERIAL", "USMALLINT", "UTINYINT"), "int"),
    (("NUMERIC", "DECIMAL"), "numeric"),
    (("FLOAT", "DOUBLE", "REAL"), "float"),
    (("BOOL",), "bool"),
    (("DATETIME", "TIMESTAMP"), "timestamp"),
    (("DATE",), "date"),
    (("TIME",), "time"),
    (("VARCHAR", "CHAR", "TEXT", "BPCHAR", "NVARCHAR", "UUID", "STRING", "CLOB", "NAME", "CITEXT"), "text"),
)


def common(a: Kind, b: Kind) -> Kind:
    """The kind of CASE, COALESCE or UNION over both."""
    if a == b or b == "unknown":
        return a
    if a == "unknown":
        return b
    for kind in ("timestamp", "midnight", "float", "numeric", "bigint"):
        if kind in (a, b) and {a, b} <= (TIMES if kind in TIMES else NUMBERS):
            return cast(Kind, kind)
    return a


def _fold(nodes: list[exp.Expression | None]) -> Kind:
    kind: Kind = "unknown"
    for node in nodes:
        if node is not None and not isinstance(node, exp.Null) and not (kind != "unknown" and _is_text(node)):
            kind = common(kind, kind_of(node))
    return kind


def _is_text(node: exp.Expression) -> bool:
    """A quoted literal takes the kind of what it stands beside."""
    return isinstance(node, exp.Literal) and node.is_string


def series_kind(node: exp.Expression) -> Kind:
    """The kind of the items of a series."""
    if isinstance(node, (exp.GenerateSeries, exp.ExplodingGenerateSeries)):
        start = kind_of(node.args.get("start"))
        return (
            "timestamp"
            if start in TIMES and not whole_days(node.args.get("step"))
            else ("midnight" if start in DAYS else start)
        )
    return element_kind(node)


def element_kind(node: exp.Expression) -> Kind:
    """The kind of the items of an array."""
    array = node.find(exp.Array)
    return _fold(list(array.expressions)) if array is not None else "unknown"


def item_kind(node: exp.Expression) -> Kind:
    """The kind of what `list[1]` takes from a list."""
    while isinstance(node, (exp.Paren, exp.Filter)):
        node = node.this
    if isinstance(node, exp.ArrayAgg):
        return _this(node)
    if isinstance(node, exp.Array):
        return _fold(list(node.expressions))
    if isinstance(node, exp.WithinGroup):
        return "float"
    text = isinstance(node, exp.StringToArray) or (isinstance(node, exp.Anonymous) and "regexp" in node.name.lower())
    return "text" if text else "unknown"


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
    if not node.name.isdigit():
        return "numeric"
    return next((kind for kind, most in _LARGEST if int(node.name) <= most), "numeric")


_LARGEST: tuple[tuple[Kind, int], ...] = (("int", 2**31 - 1), ("bigint", 2**63 - 1))


def _cast(node: exp.Expression) -> Kind:
    return kind_of_type(node.args["to"].sql("postgres"))


def _add(node: exp.Expression) -> Kind:
    left, right = kind_of(node.this), kind_of(node.expression)
    if "time" in (left, right):
        return _clock(left, right)
    swapped = left not in TIMES and left != "interval" and (right in TIMES or right == "interval")
    if swapped and not (isinstance(node, exp.Sub) and right in TIMES):
        left, right = right, left
    if left in TIMES:
        if right in TIMES:
            return _gap(left, right)
        if right == "interval" or isinstance(node.expression, exp.Interval):
            return "midnight" if left in DAYS and whole_days(node) else "timestamp"
        if isinstance(node, exp.Sub) and _is_text(node.expression):
            return _gap(left, left)
        return left
    if isinstance(node, exp.Sub) and _is_text(node.this) and right in TIMES:
        return _gap(right, right)
    if left == "interval":
        return "interval"
    return _arithmetic(node)


def _clock(left: Kind, right: Kind) -> Kind:
    """A time of day beside a date, an interval or another time."""
    if left in TIMES or right in TIMES:
        return "timestamp"
    if left == right:
        return "interval"
    return "time" if "interval" in (left, right) else "unknown"


def _gap(left: Kind, right: Kind) -> Kind:
    """The time between two dates is a number of days."""
    return "int" if left == right == "date" else "interval"


def _arithmetic(node: exp.Expression) -> Kind:
    left, right = kind_of(node.this), kind_of(node.expression)
    if "interval" in (left, right):
        return "interval"
    if _is_text(node.expression):
        return left
    if _is_text(node.this):
        return right
    return common(left, right) if left != "unknown" and right != "unknown" else "unknown"


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
    """The sum of integers is a bigint, and that of bigints an exact number."""
    sums: dict[Kind, Kind] = {"int": "bigint", "bigint": "numeric"}
    return sums.get(_this(node), _this(node))


def _average(node: exp.Expression) -> Kind:
    return "numeric" if _this(node) in WHOLE else _this(node)


def _round(node: exp.Expression) -> Kind:
    """FLOOR, ROUND and their relatives take an integer for a float, and with a number of digits for an exact number."""
    if _this(node) not in WHOLE:
        return _this(node)
    return "numeric" if node.args.get("decimals") is not None else "float"


def _within(node: exp.Expression) -> Kind:
    ordered = node.expression.find(exp.Ordered)
    inner = _fold([ordered.this]) if ordered is not None else "unknown"
    if isinstance(node.this.this, exp.Array):
        return "array"
    return "float" if isinstance(node.this, exp.PercentileCont) and inner in NUMBERS else inner


def _named(node: exp.Expression) -> Kind:
    return _FUNCTIONS.get(node.name.lower(), "unknown")


_FUNCTIONS: dict[str, Kind] = {
    "age": "interval", "make_date": "date", "make_timestamp": "timestamp", "every": "bool", "bool_and": "bool",
    "bool_or": "bool", "cardinality": "int", "div": "numeric", "btrim": "text", "justify_days": "interval",
    "justify_interval": "interval", "justify_hours": "interval", "num_nulls": "int", "num_nonnulls": "int",
    "array_length": "int", "octet_length": "int", "regexp_match": "array",
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
    exp.Format: "text",
    exp.ConcatWs: "text",
    exp.GroupConcat: "text",
    exp.ArrayAgg: "array",
    exp.ArraySize: "int",
    exp.Bracket: lambda node: item_kind(node.this),
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
    exp.RegexpCount: "int",
    exp.Count: "bigint",
    exp.RowNumber: "bigint",
    exp.Rank: "bigint",
    exp.DenseRank: "bigint",
    exp.Ntile: "int",
    exp.PercentRank: "float",
    exp.CumeDist: "float",
    exp.Sum: _sum,
    exp.Avg: _average,
    exp.Min: _this,
    exp.Max: _this,
    exp.AnyValue: _this,
    exp.Lag: _this,
    exp.Lead: _this,
    exp.FirstValue: _this,
    exp.LastValue: _this,
    exp.NthValue: _this,
    exp.Abs: _this,
    exp.Sign: _round,
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
    exp.JustifyDays: "interval",
    exp.JustifyHours: "interval",
    exp.JustifyInterval: "interval",
    exp.Anonymous: _named,
}
