"""Numbers, booleans, comparisons and casts of PostgreSQL in SQLite, which has four types and no strictness."""

from __future__ import annotations

import re

from sqlglot import exp

from mnemosyne.guard import sqlite_dates as dates
from mnemosyne.guard.kinds import DAYS, NUMBERS, TIMES, WHOLE, kind_of, kind_of_type, marked
from mnemosyne.guard.scales import choices, refuse_quotient, scale_of
from mnemosyne.guard.sqlite_judged import quantified
from mnemosyne.guard.trees import (
    Node,
    Rule,
    Untranslatable,
    bare,
    call,
    cast,
    data_type,
    is_text,
    literal,
    paren,
    whole,
)

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
_TRUE = frozenset({"t", "tr", "tru", "true", "y", "ye", "yes", "on", "1"})
_FALSE = frozenset({"f", "fa", "fal", "fals", "false", "n", "no", "off", "0"})


# Values that meet: text takes the kind of its neighbour, dates and timestamps take one form ---------------------


def meet(nodes: list[Node]) -> list[Node]:
    """Values that are compared or stand for one another, in one form."""
    kinds = {kind_of(node) for node in nodes if not is_text(node) and not isinstance(node, exp.Null)}
    if "interval" in kinds:
        if kinds - {"interval", "unknown"}:
            raise Untranslatable("An interval is compared with something that is none.", nodes[0])
        return [dates.interval_seconds(_interval(node)) for node in nodes]
    if kinds & TIMES:
        exact = "timestamp" in kinds
        return [_date(node, exact=exact, day=not exact and "midnight" not in kinds) for node in nodes]
    if "bool" in kinds:
        return [_bool(node) for node in nodes]
    if kinds & NUMBERS:
        return [_number(node) for node in nodes]
    return nodes


def _interval(node: Node) -> Node:
    return dates.cast_interval(exp.Cast(this=node, to=data_type("interval"))) if is_text(node) else node


def _date(node: Node, *, exact: bool, day: bool) -> Node:
    """`exact`: in the form with a time, because one of the values has one; `day`: all of them are dates."""
    if is_text(node):
        text = dates.date_text(node.name, with_time=not day)
        if text is None:
            raise Untranslatable(f"{node.name!r} is not a date written as YYYY-MM-DD.", node)
        if exact and " " not in text:
            text += " 00:00:00"
        return marked(exp.Literal.string(text if exact else text.removesuffix(" 00:00:00")), "date")
    return dates.as_timestamp(node) if exact and kind_of(node) in DAYS else node


def _bool(node: Node) -> Node:
    if not is_text(node):
        return node
    word = node.name.strip().lower()
    if word not in _TRUE | _FALSE:
        raise Untranslatable(f"{node.name!r} is neither true nor false.", node)
    return marked(exp.Boolean(this=word in _TRUE), "bool")


def _number(node: Node) -> Node:
    if is_text(node) and _NUMBER.fullmatch(node.name):
        text = node.name.strip()
        number = exp.Literal.number(text.lstrip("+-"))
        return marked(exp.Neg(this=number) if text.startswith("-") else number, "numeric")
    return node


def compare(node: Node) -> Node | None:
    """`=`, `<` and their relatives."""
    if isinstance(node.expression, (exp.Any, exp.All)):
        return quantified(node, compare)
    if isinstance(node.this, exp.Tuple) or isinstance(node.expression, exp.Tuple):
        return None
    left, right = meet([node.this, node.expression])
    node.set("this", left)
    node.set("expression", right)
    return None


def between(node: Node) -> None:
    """`x BETWEEN low AND high`."""
    for name, value in zip(
        ("this", "low", "high"), meet([node.this, node.args["low"], node.args["high"]]), strict=True
    ):
        node.set(name, value)


def within(node: Node) -> Node | None:
    """`x IN (…)`; a list of rows becomes VALUES."""
    if node.args.get("query") is not None or not node.expressions:
        return None
    if isinstance(node.expressions[0], exp.Tuple):
        return exp.In(this=node.this, expressions=[exp.Values(expressions=node.expressions)])
    first, *others = meet([node.this, *node.expressions])
    node.set("this", first)
    node.set("expressions", others)
    return None


def alternatives(node: Node) -> None:
    """The branches of CASE."""
    branches = node.args["ifs"]
    otherwise = node.args.get("default")
    values = [branch.args["true"] for branch in branches] + ([otherwise] if otherwise is not None else [])
    met = _alike(values)
    for branch, value in zip(branches, met, strict=False):
        branch.set("true", value)
    if otherwise is not None:
        node.set("default", met[-1])
    if node.this is not None:
        subject, *cases = meet([node.this, *(branch.this for branch in branches)])
        node.set("this", subject)
        for branch, value in zip(branches, cases, strict=True):
            branch.set("this", value)


def _alike(values: list[Node]) -> list[Node]:
    """Values of which one is taken: dates in one form; intervals stay as they are."""
    kinds = {kind_of(value) for value in values}
    if "interval" in kinds:
        return [_interval(value) for value in values]
    return meet(values) if kinds & TIMES else values


def either(node: Node) -> None:
    """COALESCE."""
    first, *others = _alike([node.this, *node.expressions])
    node.set("this", first)
    node.set("expressions", others)


def extreme(node: Node) -> Node:
    """GREATEST and LEAST leave NULL out; MAX and MIN of SQLite do not."""
    values = _alike([node.this, *node.expressions])
    name = "GREATEST" if isinstance(node, exp.Greatest) else "LEAST"
    if kind_of(node) == "interval":
        seconds = [dates.interval_seconds(value) for value in values]
        return call("mn_seconds_interval", call(f"mn_{name}", *seconds), kind="interval")
    return call(f"mn_{name}", *values)


# Numbers --------------------------------------------------------------------------------------------------------


def is_real(node: Node) -> bool:
    """Whether SQLite surely keeps the value as a float, so that `/` divides exactly."""
    node = bare(node)
    if isinstance(node, exp.Literal):
        return not node.is_string and not node.name.isdigit()
    if isinstance(node, exp.Column):
        return kind_of(node) == "float"
    if isinstance(node, (exp.Avg, exp.Round)):
        return True
    if isinstance(node, exp.Cast):
        return node.to.this in (exp.DataType.Type.DOUBLE, exp.DataType.Type.FLOAT)
    if isinstance(node, (exp.Sum, exp.Min, exp.Max, exp.Neg, exp.Abs, exp.Filter, exp.Window, exp.Nullif)):
        return isinstance(node.this, exp.Expression) and is_real(node.this)
    if isinstance(node, (exp.Add, exp.Sub, exp.Mul, exp.Div)):
        return is_real(node.this) or is_real(node.expression)
    return False


def _real(node: Node) -> Node:
    return node if is_real(node) else cast(node, "DOUBLE", "float")


def divide(node: Node) -> Node | None:
    """`/` of two whole numbers is whole in both; anything else must not be, even if SQLite keeps it as one."""
    interval = dates.times_or_by(node)
    if interval is not None:
        return interval
    kinds = {kind_of(node.this), kind_of(node.expression)}
    if kinds <= WHOLE or not kinds & {"numeric", "float"}:
        return None
    if not is_real(node.this) and not is_real(node.expression):
        node.set("this", _real(node.this))
    return None


def remainder(node: Node) -> Node | None:
    """`%` of SQLite cuts both sides to whole numbers first."""
    if {kind_of(node.this), kind_of(node.expression)} & {"numeric", "float"}:
        return call("mn_mod", node.this, node.expression)
    return None


def quotient(node: Node) -> Node:
    """DIV(a, b): the whole part."""
    left, right = bare(node.this), bare(node.expression)
    while isinstance(left, exp.Cast) and left.to.is_type("decimal"):
        left = left.this
    return cast(exp.Div(this=paren(left), expression=paren(right), typed=True), "BIGINT", "int")


def round_(node: Node) -> Node | None:
    """ROUND(x) of a float goes to the even neighbour; all other rounding goes away from zero, as in SQLite."""
    digits = node.args.get("decimals")
    if digits is not None:
        return _rounded(node.this, digits)
    return call("mn_round_even", node.this, kind="float") if kind_of(node.this) == "float" else None


def _rounded(value: Node, digits: Node) -> Node:
    """ROUND(x, n); SQLite takes a negative n for 0."""
    number = whole(digits)
    if number is None:
        raise Untranslatable("ROUND in SQLite takes a written number of digits.", digits)
    if number >= 0:
        return marked(exp.Round(this=value, decimals=literal(number)), "numeric")
    tens = 10**-number
    parts = exp.Div(this=paren(value), expression=exp.Literal.number(f"{tens}.0"))
    made = marked(exp.Mul(this=exp.Round(this=parts), expression=literal(tens)), "numeric")
    made.meta["scale"] = 0
    return paren(made)


def truncated(node: Node) -> Node | None:
    """TRUNC(x, n)."""
    digits = node.args.get("decimals")
    if digits is None:
        return None
    made = call("mn_trunc", node.this, digits)
    if whole(digits) is not None:
        made.meta["scale"] = max(whole(digits) or 0, 0)
    return made


# Casts ----------------------------------------------------------------------------------------------------------


def text_of(node: Node) -> Node:
    """A value as PostgreSQL writes it."""
    kind = kind_of(node)
    if kind == "bool":
        if isinstance(node, exp.Boolean):
            return literal("true" if node.this else "false")
        return marked(
            exp.Case(
                ifs=[
                    exp.If(this=node, true=exp.Literal.string("true")),
                    exp.If(this=exp.Not(this=paren(node.copy())), true=exp.Literal.string("false")),
                ]
            ),
            "text",
        )
    if kind == "interval":
        return call("mn_interval_text", node, kind="text")
    if kind == "midnight":
        return call("DATETIME", node, kind="text")
    scale = scale_of(node) if kind == "numeric" else None
    if scale is None and kind == "numeric" and isinstance(bare(node), (exp.Case, exp.Coalesce)):
        for value in choices(bare(node)):
            value.replace(text_of(value.copy()))
        return marked(node, "text")
    if scale is None:
        refuse_quotient(node)
    else:
        return call("mn_fixed", node, scale, kind="text")
    if kind in ("float", "numeric"):
        return call("mn_number_text", node, kind="text")
    return node


def converted(node: exp.Cast) -> Node | None:
    """CAST, `::` and typed literals."""
    kind = kind_of_type(node.to.sql("postgres"))
    build = _CASTS.get(kind)
    if build is None:
        raise Untranslatable(f"A cast to {node.to.sql('postgres')} has no equal in SQLite.", node)
    return build(node)


def _to_time(node: exp.Cast) -> Node:
    return call("TIME", node.this, kind="time")


def _to_text(node: exp.Cast) -> Node:
    inner, kind = text_of(node.this), kind_of(node.this)
    if kind not in ("text", "date", "timestamp") and inner is node.this:
        inner = cast(inner, "TEXT", "text")
    limit = _parameter(node, 0)
    if limit is not None:
        return marked(exp.Substring(this=inner, start=literal(1), length=literal(limit)), "text")
    return marked(paren(inner) if inner is node.this else inner, "text")


def _parameter(node: exp.Cast, index: int) -> int | None:
    parameters = node.to.expressions
    return whole(parameters[index].this) if len(parameters) > index else None


def _to_int(node: exp.Cast) -> Node:
    inner = bare(node.this)
    if isinstance(inner, exp.Cast) and inner.to.this in exp.DataType.INTEGER_TYPES:
        return marked(inner, kind_of_type(node.to.sql("postgres")))
    if isinstance(inner, (exp.Floor, exp.Ceil)) or (isinstance(inner, exp.Trunc) and not inner.args.get("decimals")):
        return cast(inner, "BIGINT", "int")
    if kind_of(inner) == "float":
        return cast(call("mn_round_even", inner), "BIGINT", "int")
    if kind_of(inner) == "numeric":
        if isinstance(inner, exp.Round) and inner.args.get("decimals") is None:
            return cast(inner, "BIGINT", "int")
        return cast(exp.Round(this=inner), "BIGINT", "int")
    return cast(inner, "BIGINT", "int")


def _to_numeric(node: exp.Cast) -> Node:
    scale = _parameter(node, 1)
    if scale is None and node.to.expressions:
        scale = 0
    inner = _real(bare(node.this)) if not is_text(node.this) else _number(node.this)
    if scale is None:
        return marked(paren(inner), "numeric")
    return _rounded(inner, literal(scale))


def _to_float(node: exp.Cast) -> Node:
    return marked(paren(_real(bare(node.this))), "float")


def _to_bool(node: exp.Cast) -> Node:
    inner = node.this
    if is_text(inner):
        return _bool(inner)
    if kind_of(inner) == "bool":
        return marked(paren(inner), "bool")
    if kind_of(inner) in NUMBERS:
        return marked(exp.Paren(this=exp.NEQ(this=paren(inner), expression=literal(0))), "bool")
    return call("mn_bool", inner, kind="bool")


_CASTS = {
    "int": _to_int,
    "bigint": _to_int,
    "numeric": _to_numeric,
    "float": _to_float,
    "bool": _to_bool,
    "text": _to_text,
    "date": dates.cast_date,
    "timestamp": dates.cast_timestamp,
    "time": _to_time,
    "interval": dates.cast_interval,
}


def plus_or_minus(node: Node) -> Node | None:
    """`+` and `-` of numbers, dates and intervals."""
    return dates.add_or_sub(node)


def _inside(change: object) -> Rule:
    """A rule that changes the node in place."""

    def rule(node: Node) -> None:
        change(node)  # type: ignore[operator]

    return rule


RULES: dict[type[exp.Expression], Rule] = {
    **dict.fromkeys((exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ), compare),
    exp.Between: _inside(between),
    exp.In: within,
    exp.Case: _inside(alternatives),
    exp.Coalesce: _inside(either),
    exp.Greatest: extreme,
    exp.Least: extreme,
    exp.Add: plus_or_minus,
    exp.Sub: plus_or_minus,
    exp.Mul: dates.times_or_by,
    exp.Div: divide,
    exp.Mod: remainder,
    exp.IntDiv: quotient,
    exp.Round: round_,
    exp.Trunc: truncated,
    exp.Cast: converted,  # type: ignore[dict-item]
    exp.Cbrt: lambda node: call("mn_cbrt", node.this, kind="float"),
    exp.WidthBucket: lambda node: call(
        "mn_width_bucket",
        node.this,
        node.args["min_value"],
        node.args["max_value"],
        node.args["num_buckets"],
        kind="int",
    ),
}
