"""Aggregates of PostgreSQL that SQLite lacks: percentiles, deviations, ordered text. `databases` registers them."""

from __future__ import annotations

from sqlglot import exp

from mnemosyne.guard import sqlite_arrays
from mnemosyne.guard import sqlite_dates as dates
from mnemosyne.guard.kinds import NUMBERS, kind_of, marked
from mnemosyne.guard.sqlite_arrays import letter, matched, shown
from mnemosyne.guard.sqlite_values import text_of
from mnemosyne.guard.trees import Node, Rule, Untranslatable, bare, call, literal


def within_group(node: Node) -> Node:
    """PERCENTILE_CONT(0.5), PERCENTILE_DISC(0.5) and MODE() WITHIN GROUP (ORDER BY x)."""
    ordered = node.expression.expressions[0]
    value, down = ordered.this, bool(ordered.args.get("desc"))
    kind = kind_of(value)
    function = node.this
    if isinstance(function, exp.Mode):
        return call("mn_mode", value, int(down), kind=kind)
    fraction = function.this
    if isinstance(fraction, exp.Array):
        return _several(node, fraction, function)
    if not isinstance(fraction, exp.Literal) or fraction.is_string or not 0 <= float(fraction.name) <= 1:
        raise Untranslatable("A percentile takes one written fraction from 0 to 1.", node)
    if isinstance(function, exp.PercentileDisc):
        return call("mn_percentile_disc", value, fraction, int(down), kind=kind)
    if kind == "interval":
        return call("mn_interval_percentile", value, fraction, int(down), kind="interval")
    if kind not in NUMBERS | {"unknown"}:
        raise Untranslatable("PERCENTILE_CONT takes numbers.", node)
    return call("mn_percentile_cont", value, fraction, int(down), kind="float")


def _several(node: Node, fractions: exp.Array, function: Node) -> Node:
    """PERCENTILE_CONT(ARRAY[0.25, 0.75]) is a list."""
    single = [node.copy() for _ in fractions.expressions]
    for one, fraction in zip(single, fractions.expressions, strict=True):
        one.this.set("this", fraction.copy())
    items = [within_group(one) for one in single]
    kind = kind_of(items[0]) if items else "unknown"
    if kind not in NUMBERS or not isinstance(function, exp.PercentileCont):
        raise Untranslatable("Several percentiles at once are taken by PERCENTILE_CONT, of numbers.", node)
    one_list = call("mn_array", letter(kind), *items, kind="array")
    nothing = exp.Is(this=items[0].copy(), expression=exp.Null())
    return marked(exp.Case(ifs=[exp.If(this=nothing, true=exp.Null())], default=one_list), "array")


def string_agg(node: Node) -> Node:
    """STRING_AGG(DISTINCT x, ', ' ORDER BY y)."""
    separator = node.args.get("separator")
    return _strung(node.this, separator if separator is not None else literal(","))


def _strung(inner: Node, separator: Node, name: str = "mn_string_agg") -> Node:
    """`inner` is the value, in DISTINCT and ORDER as they were written."""
    order: list[Node] = []
    if isinstance(inner, exp.Order):
        order, inner = inner.expressions, inner.this
    distinct = isinstance(inner, exp.Distinct)
    if isinstance(inner, exp.Distinct):
        inner = inner.expressions[0]
    if not distinct and not order and name == "mn_string_agg":
        return marked(exp.GroupConcat(this=text_of(inner), separator=separator), "text")
    flags = ("d" if distinct else "-") + "".join(_direction(item) for item in order)
    keys = [item.this for item in order]
    value = text_of(inner) if name == "mn_string_agg" else shown(inner)
    return call(name, value, separator, flags, *keys, kind="text")


def _direction(item: Node) -> str:
    """`a` up and `z` down with NULL as PostgreSQL has it; capitals with NULL on the other end."""
    down = bool(item.args.get("desc"))
    usual = bool(item.args.get("nulls_first")) == down
    letter = "z" if down else "a"
    return letter if usual else letter.upper()


def array_agg(node: Node) -> Node | None:
    """ARRAY_AGG(x ORDER BY y), as a list in JSON; inside ARRAY_TO_STRING the rule of that acts."""
    above = node.parent
    while isinstance(above, (exp.Paren, exp.Filter)):
        above = above.parent
    if isinstance(above, exp.ArrayToString):
        return None
    made = _strung(node.this, literal(letter(kind_of(node.this))), "mn_array_agg")
    return marked(made, "array")


def array_text(node: Node) -> Node:
    """ARRAY_TO_STRING(ARRAY_AGG(x ORDER BY y), ', ')."""
    inner = bare(node.this)
    if kind_of(inner) == "array" and not isinstance(inner, exp.ArrayAgg):
        return call("mn_array_text", inner, node.expression, kind="text")
    if not isinstance(inner, exp.ArrayAgg):
        raise Untranslatable("ARRAY_TO_STRING takes ARRAY_AGG only.", node)
    return _strung(inner.this, node.expression)


def count(node: Node) -> Node | None:
    """COUNT(DISTINCT (a, b))."""
    inner = node.this
    if isinstance(inner, exp.Distinct) and isinstance(inner.expressions[0], exp.Tuple):
        inner.set("expressions", [call("mn_row", *inner.expressions[0].expressions)])
    return None


def named(node: Node) -> Node | None:
    """Functions that the parser keeps by name only."""
    low = node.name.lower()
    if low == "every":
        return exp.Min(this=node.expressions[0])
    if low == "make_date":
        return dates.make_date(node)  # type: ignore[arg-type]
    if low == "age":
        return dates.age(node)  # type: ignore[arg-type]
    if low == "cardinality":
        return call("mn_array_length", *node.expressions, kind="int")
    if low == "regexp_match":
        return matched(node)
    if low == "num_nulls":
        tests: list[Node] = [exp.Paren(this=exp.Is(this=one, expression=exp.Null())) for one in node.expressions]
        total = tests[0]
        for test in tests[1:]:
            total = exp.Add(this=total, expression=test)
        return exp.Paren(this=total)
    if low in ("justify_days", "justify_hours", "justify_interval"):
        return call(f"mn_{low}", *node.expressions, kind="interval")
    if low.startswith("mn_") or low in _SAME:
        return None
    raise Untranslatable(f"The function {low} has no equal in SQLite.", node)


_SAME = frozenset(
    {"date", "datetime", "time", "julianday", "strftime", "char", "unicode", "log10", "log2", "octet_length"}
)
"""Functions that SQLite has too, or that another rule has just written."""


def over_one(name: str) -> Rule:
    """An aggregate of one value."""

    def rule(node: Node) -> Node:
        return call(name, node.this, kind="float")

    return rule


def over_two(name: str) -> Rule:
    """An aggregate of pairs."""

    def rule(node: Node) -> Node:
        return call(name, node.this, node.expression, kind="float")

    return rule


def _refuse(what: str) -> Rule:
    def rule(node: Node) -> Node:
        raise Untranslatable(f"{what} has no equal in SQLite.", node)

    return rule


def series(node: Node) -> None:
    """A series in FROM is the business of `sqlite_queries`."""
    if not isinstance(node.parent, (exp.Table, exp.Lateral)):
        raise Untranslatable("GENERATE_SERIES outside FROM has no equal in SQLite.", node)


def extreme_of(node: Node) -> Node | None:
    """SUM, AVG, MIN and MAX of intervals; MIN and MAX stay as they are for everything else."""
    return dates.over_interval(node)


RULES: dict[type[exp.Expression], Rule] = {
    exp.WithinGroup: within_group,
    exp.GroupConcat: string_agg,
    exp.ArrayToString: array_text,
    exp.ArrayAgg: array_agg,
    exp.Count: count,
    exp.Anonymous: named,
    exp.Sum: extreme_of,
    exp.Avg: extreme_of,
    exp.Min: extreme_of,
    exp.Max: extreme_of,
    exp.Stddev: over_one("mn_stddev_samp"),
    exp.StddevSamp: over_one("mn_stddev_samp"),
    exp.StddevPop: over_one("mn_stddev_pop"),
    exp.Variance: over_one("mn_var_samp"),
    exp.VariancePop: over_one("mn_var_pop"),
    exp.Corr: over_two("mn_corr"),
    exp.CovarPop: over_two("mn_covar_pop"),
    exp.CovarSamp: over_two("mn_covar_samp"),
    exp.RegrSlope: over_two("mn_regr_slope"),
    exp.RegrIntercept: over_two("mn_regr_intercept"),
    exp.RegrR2: over_two("mn_regr_r2"),
    exp.BitwiseAndAgg: _refuse("BIT_AND"),
    exp.BitwiseOrAgg: _refuse("BIT_OR"),
    **sqlite_arrays.RULES,
    exp.Explode: _refuse("UNNEST outside FROM"),
    exp.ExplodingGenerateSeries: series,
}
