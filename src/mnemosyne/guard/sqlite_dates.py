"""Dates and intervals of PostgreSQL in SQLite, where a date is the text `2026-06-15`.

A timestamp is the text `2026-06-15 10:00:00`, except that one which is always at midnight keeps the
form of a date, so that it compares with dates as text and needs no function. An interval is carried as
`months days microseconds` (see `intervals.encode`).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import cast as cast_tree

from sqlglot import exp, parse_one

from mnemosyne.guard import intervals, templates
from mnemosyne.guard.kinds import DAYS, NUMBERS, TIMES, WHOLE, kind_of, marked
from mnemosyne.guard.sqlite_sums import refuse_texts
from mnemosyne.guard.trees import (
    Node,
    Rule,
    Untranslatable,
    bare,
    call,
    cast,
    data_type,
    is_clock,
    is_text,
    literal,
    paren,
    whole,
)

_DATE = re.compile(
    r"\s*(\d{4})-(\d{1,2})-(\d{1,2})(?:[ T](\d{1,2}):(\d\d)(?::(\d\d(?:\.\d+)?))?(?:Z|[+-]00(?::?00)?)?)?\s*"
)


def date_text(text: str, *, with_time: bool) -> str | None:
    """A written date or timestamp in the form that SQLite compares, None when it is not ISO."""
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    day = f"{found[1]}-{int(found[2]):02d}-{int(found[3]):02d}"
    if not with_time or found[4] is None:
        return day
    return f"{day} {int(found[4]):02d}:{found[5]}:{found[6] or '00'}"


def as_timestamp(node: Node) -> Node:
    """The node in the form with a time."""
    if kind_of(node) not in DAYS:
        return node
    if isinstance(node, exp.Literal):
        return marked(exp.Literal.string(f"{node.name} 00:00:00"), "timestamp")
    return call("DATETIME", node, kind="timestamp")


def cast_date(node: exp.Cast) -> Node:
    """`x::date`."""
    inner = node.this
    if is_text(inner):
        text = date_text(inner.name, with_time=False)
        if text is None:
            raise Untranslatable(f"The date {inner.name!r} is not written as YYYY-MM-DD.", node)
        return marked(exp.Literal.string(text), "date")
    if kind_of(inner) in DAYS:
        return marked(paren(inner), "date")
    return call("DATE", inner, kind="date")


def cast_timestamp(node: exp.Cast) -> Node:
    """`x::timestamp`."""
    inner = node.this
    if is_text(inner):
        text = date_text(inner.name, with_time=True)
        if text is None:
            raise Untranslatable(f"The timestamp {inner.name!r} is not written as YYYY-MM-DD HH:MM:SS.", node)
        return marked(exp.Literal.string(text if " " in text else f"{text} 00:00:00"), "timestamp")
    if kind_of(inner) == "timestamp":
        same: Node = inner
        return same
    return call("DATETIME", inner, kind="timestamp")


# Intervals ---------------------------------------------------------------------------------------------------------


def written(node: Node) -> intervals.Parts | None:
    """The parts of an interval whose text and unit are written in the query, None for any other expression."""
    node = bare(node)
    if isinstance(node, exp.Interval):
        if not isinstance(node.this, exp.Literal):
            return None
        unit = node.args.get("unit")
        return intervals.parse(f"{node.this.name} {unit.name if unit else ''}")
    if isinstance(node, exp.Neg):
        inner = written(node.this)
        return None if inner is None else (-inner[0], -inner[1], -inner[2])
    if isinstance(node, exp.Cast) and is_text(node.this) and node.to.is_type("interval"):
        return intervals.parse(node.this.name)
    if isinstance(node, exp.Literal) and kind_of(node) == "interval":
        return intervals.decode(node.name)
    return None


def interval(node: Node) -> Node:
    """INTERVAL '30 days' as its encoded text."""
    parts = written(node)
    if parts is None:
        if isinstance(node, exp.Interval) and node.this is not None:
            raise Untranslatable("This interval has no meaning.", node)
        raise Untranslatable("An interval without a value.", node)
    return marked(exp.Literal.string(intervals.encode(parts)), "interval")


def cast_interval(node: exp.Cast) -> Node:
    """`'30 days'::interval`, or `(n || ' days')::interval`."""
    return interval(node) if is_text(node.this) else call("mn_interval", node.this, kind="interval")


def make_interval(node: Node) -> Node:
    """MAKE_INTERVAL(days => n)."""
    result: Node | None = None
    for unit, value in node.args.items():
        amount = value.expression if isinstance(value, exp.Kwarg) else value
        if isinstance(amount, exp.Expression):
            parts = intervals.parse(f"1 {unit}")
            if parts is None:
                raise Untranslatable(f"MAKE_INTERVAL with {unit}.", node)
            piece = call("mn_interval_times", intervals.encode(parts), amount, kind="interval")
            result = piece if result is None else call("mn_interval_plus", result, piece, kind="interval")
    if result is None:
        return marked(exp.Literal.string("0 0 0"), "interval")
    return result


def _scaled(node: Node) -> tuple[Node, intervals.Parts] | None:
    """`n * INTERVAL '1 day'` as (n, parts) when n is a whole number."""
    node = bare(node)
    if isinstance(node, exp.Anonymous) and node.name.lower() == "mn_interval_times":
        fixed, count = node.expressions
        if isinstance(fixed, exp.Literal) and kind_of(count) in WHOLE:
            return count, intervals.decode(fixed.name)
    return None


def shift(day: Node, step: Node, sign: int) -> Node:
    """A date or timestamp, plus or minus an interval."""
    parts = written(step)
    scaled = None if parts is not None else _scaled(step)
    if kind_of(day) in DAYS and parts is not None and parts[2] == 0:
        if parts[0] == 0:
            return call("DATE", day, f"{sign * parts[1]:+d} days", kind="midnight")
        return call("mn_date_add", day, sign * parts[0], sign * parts[1], kind="midnight")
    if kind_of(day) in DAYS and scaled is not None and scaled[1][2] == 0:
        count, (months, days, _) = scaled
        if months == 0:
            return call("DATE", day, _days_text(_times(count, sign * days)), kind="midnight")
        return call("mn_date_add", day, _times(count, sign * months), _times(count, sign * days), kind="midnight")
    if sign < 0:
        step = call("mn_interval_times", step, -1, kind="interval")
    return call("mn_timestamp_add", as_timestamp(day), step, kind="timestamp")


def _times(count: Node, factor: int) -> Node:
    return paren(count.copy()) if factor == 1 else exp.Mul(this=paren(count.copy()), expression=literal(factor))


def _days_text(days: Node) -> Node:
    return exp.DPipe(this=paren(days), expression=literal(" days"), safe=True)


def shift_days(day: Node, days: Node, sign: int) -> Node:
    """A date plus or minus a whole number of days."""
    number = whole(days)
    if number is not None:
        return call("DATE", day, f"{sign * number:+d} days", kind="date")
    return call("DATE", day, _days_text(_times(days, sign)), kind="date")


def add_or_sub(node: Node) -> Node | None:
    """`+` and `-` where a date, timestamp or interval takes part; a text that may be a date is refused."""
    made = _moved(node)
    if made is None:
        refuse_texts(node)
    return made


def _moved(node: Node) -> Node | None:
    left, right = node.this, node.expression
    sign = -1 if isinstance(node, exp.Sub) else 1
    if sign < 0:
        left, right = _as_its_neighbour(left, right), _as_its_neighbour(right, left)
    if sign > 0 and kind_of(right) in TIMES and kind_of(left) not in TIMES:
        left, right = right, left
    first, second = kind_of(left), kind_of(right)
    if first in TIMES:
        if second == "interval":
            return shift(left, right, sign)
        if second == "time" and (since_midnight := _clock(right)) is not None:
            return shift(left, since_midnight, sign)
        if second in TIMES and sign < 0:
            if kind_of(node) == "int":
                gap = exp.Sub(this=call("JULIANDAY", left), expression=call("JULIANDAY", right))
                return cast(gap, "INTEGER", "int")
            return call("mn_between", as_timestamp(left), as_timestamp(right), kind="interval")
        if second in WHOLE | {"numeric"} and first == "date":
            return shift_days(left, right, sign)
    if first == second == "interval":
        return call(
            "mn_interval_plus",
            left,
            right if sign > 0 else call("mn_interval_times", right, -1, kind="interval"),
            kind="interval",
        )
    return None


def _clock(node: Node) -> Node | None:
    """A written TIME '10:00' as an interval, None for any other time of day."""
    node = bare(node)
    if not (isinstance(node, exp.Anonymous) and node.expressions and is_clock(node.expressions[0])):
        return None
    parts = intervals.parse(node.expressions[0].name)
    return None if parts is None else marked(exp.Literal.string(intervals.encode(parts)), "interval")


def _as_its_neighbour(node: Node, beside: Node) -> Node:
    """A quoted text under `-` is a date or a timestamp, as what it stands beside."""
    if not is_text(node) or kind_of(beside) not in TIMES:
        return node
    day = kind_of(beside) == "date"
    return (cast_date if day else cast_timestamp)(exp.Cast(this=node, to=data_type("date" if day else "timestamp")))


def times_or_by(node: Node) -> Node | None:
    """`*` and `/` where an interval takes part."""
    left, right = node.this, node.expression
    if isinstance(node, exp.Mul) and kind_of(right) == "interval":
        left, right = right, left
    if kind_of(left) != "interval":
        return None
    if isinstance(node, exp.Div):
        right = exp.Div(this=exp.Literal.number("1.0"), expression=paren(right))
    parts, number = written(left), whole(right)
    if parts is not None and number is not None:
        return marked(
            exp.Literal.string(intervals.encode((parts[0] * number, parts[1] * number, parts[2] * number))), "interval"
        )
    return call("mn_interval_times", left, right, kind="interval")


def interval_seconds(node: Node) -> Node:
    """A number by which intervals compare."""
    parts = written(node)
    if parts is not None:
        return (
            marked(exp.Literal.number(repr(intervals.seconds(parts))), "float")
            if intervals.seconds(parts) >= 0
            else call("mn_interval_seconds", node, kind="float")
        )
    return call("mn_interval_seconds", node, kind="float")


def over_interval(node: Node) -> Node | None:
    """SUM, AVG, MIN and MAX of intervals."""
    if kind_of(node.this) != "interval":
        return None
    if isinstance(node, (exp.Min, exp.Max)):
        return call("mn_interval_min" if isinstance(node, exp.Min) else "mn_interval_max", node.this, kind="interval")
    return call("mn_interval_avg" if isinstance(node, exp.Avg) else "mn_interval_sum", node.this, kind="interval")


def age(node: exp.Anonymous) -> Node:
    """AGE(a, b), AGE(a)."""
    later = node.expressions
    if len(later) == 1:
        later = [call("DATE", "now", "localtime", kind="date"), later[0]]
    return call("mn_age", *later, kind="interval")


# Parts of dates ------------------------------------------------------------------------------------------------------


def _strftime(code: str, day: Node) -> Node:
    return cast(call("STRFTIME", code, day), "INTEGER", "int")


@lru_cache(maxsize=64)
def _parsed(template: str) -> exp.Expression:
    return cast_tree(exp.Expression, parse_one(template, dialect="sqlite"))


def _arithmetic(template: str, **nodes: Node) -> Node:
    """A written expression whose column names stand for `nodes`."""
    return _parsed(template).transform(lambda node: nodes[node.name].copy() if isinstance(node, exp.Column) else node)


def _thursday(day: Node) -> Node:
    """The Thursday of the ISO week of a day."""
    return call("DATE", day, "-3 days", "weekday 4")


def extract(node: exp.Extract) -> Node:
    """EXTRACT(part FROM x) and DATE_PART('part', x)."""
    unit, day = node.name.upper().rstrip("S"), node.expression
    if kind_of(day) == "interval":
        return call("mn_interval_part", unit.lower(), day, kind="numeric")
    if kind_of(day) in NUMBERS:
        raise Untranslatable("EXTRACT from a number: the difference of two dates is already in days.", node)
    simple = {"YEAR": "%Y", "MONTH": "%m", "DAY": "%d", "DOW": "%w", "DOY": "%j", "HOUR": "%H", "MINUTE": "%M"}
    simple |= {"DAYOFWEEK": "%w", "DAYOFYEAR": "%j"}
    if unit in simple:
        return marked(_strftime(simple[unit], day), "numeric")
    build = _PARTS.get(unit)
    if build is None:
        raise Untranslatable(f"EXTRACT({unit} …) has no equal in SQLite.", node)
    return marked(build(day), "numeric")


_PARTS = {
    "QUARTER": lambda day: _arithmetic("((m + 2) / 3)", m=_strftime("%m", day)),
    "ISODOW": lambda day: _arithmetic("((d + 6) % 7 + 1)", d=_strftime("%w", day)),
    "WEEK": lambda day: _arithmetic("((d - 1) / 7 + 1)", d=_strftime("%j", _thursday(day))),
    "ISOYEAR": lambda day: _strftime("%Y", _thursday(day)),
    "DECADE": lambda day: _arithmetic("(y / 10)", y=_strftime("%Y", day)),
    "CENTURY": lambda day: _arithmetic("((y + 99) / 100)", y=_strftime("%Y", day)),
    "EPOCH": lambda day: call("mn_epoch", day),
    "SECOND": lambda day: cast(call("STRFTIME", "%f", day), "REAL", "float"),
}


def truncate(node: Node) -> Node:
    """DATE_TRUNC('unit', x)."""
    unit, day = str(node.args["unit"].name).upper(), node.this
    if kind_of(day) == "interval":
        raise Untranslatable("DATE_TRUNC of an interval.", node)
    if is_text(day):
        text = date_text(day.name, with_time=True)
        day = exp.Literal.string(text or day.name)
    starts = {"DAY": (), "MONTH": ("start of month",), "YEAR": ("start of year",), "WEEK": ("-6 days", "weekday 1")}
    if unit in starts:
        if not starts[unit] and kind_of(day) in DAYS:
            return marked(paren(day), "midnight")
        return call("DATE", day, *starts[unit], kind="midnight")
    if unit == "QUARTER":
        months = _arithmetic("(((1 - m) % 3) || ' months')", m=_strftime("%m", day))
        return call("DATE", day.copy(), "start of month", months, kind="midnight")
    clock = {"HOUR": "%Y-%m-%d %H:00:00", "MINUTE": "%Y-%m-%d %H:%M:00", "SECOND": "%Y-%m-%d %H:%M:%S"}
    if unit in clock:
        return call("STRFTIME", clock[unit], day, kind="timestamp")
    years = {"DECADE": 10, "CENTURY": 100, "MILLENNIUM": 1000}.get(unit)
    if years is None:
        raise Untranslatable(f"DATE_TRUNC('{unit.lower()}', …) has no equal in SQLite.", node)
    return call("mn_trunc_years", day, years, kind="midnight")


def to_char(node: Node) -> Node:
    """TO_CHAR(x, template)."""
    form = node.args.get("format")
    if not is_text(form):
        raise Untranslatable("TO_CHAR with a template that is not written as text.", node)
    assert isinstance(form, exp.Literal)
    template = templates.original(form.name)
    if kind_of(node.this) in NUMBERS:
        if templates.number(template) is None:
            raise Untranslatable(f"TO_CHAR of a number with the template {template!r}.", node)
        return call("mn_to_char_number", node.this, template, int(kind_of(node.this) == "float"), kind="text")
    if kind_of(node.this) == "interval":
        raise Untranslatable("TO_CHAR of an interval.", node)
    simple = {"YYYY": "%Y", "YYYY-MM": "%Y-%m", "YYYY-MM-DD": "%Y-%m-%d", "MM": "%m", "DD": "%d"}
    if template in simple:
        return call("STRFTIME", simple[template], node.this, kind="text")
    return call("mn_to_char", node.this, template, kind="text")


def to_date(node: Node) -> Node:
    """TO_DATE(text, template)."""
    template = templates.original(node.args["format"].name)
    return call("mn_to_date", node.this, template, kind="date")


def no_equal(node: Node) -> Node:
    """TO_TIMESTAMP of a text, DATE_BIN."""
    if isinstance(node, exp.DateBin):
        raise Untranslatable("DATE_BIN has no equal in SQLite; DATE_TRUNC and EXTRACT have.", node)
    raise Untranslatable("TO_TIMESTAMP of a text has no equal in SQLite; CAST(text AS TIMESTAMP) has.", node)


def make_date(node: exp.Anonymous) -> Node:
    """MAKE_DATE(year, month, day)."""
    return call("mn_make_date", *node.expressions, kind="date")


def range_frame(node: exp.Window) -> None:
    """RANGE BETWEEN INTERVAL 'n days' PRECEDING …: SQLite counts in numbers, so the key becomes a day number."""
    spec, order = node.args.get("spec"), node.args.get("order")
    if spec is None or order is None or spec.args.get("kind") != "RANGE":
        return
    steps = {side: spec.args[side] for side in ("start", "end") if kind_of_node(spec.args.get(side)) == "interval"}
    if not steps:
        return
    key = order.expressions[0]
    for side, step in steps.items():
        parts = written(step)
        if parts is None or parts[0] or parts[2] or kind_of(key.this) not in DAYS:
            raise Untranslatable("A window RANGE in SQLite counts whole days of a date only.", node)
        spec.set(side, literal(parts[1]))
    key.set("this", call("JULIANDAY", key.this, kind="float"))


def kind_of_node(value: object) -> str:
    """The kind of an argument that may also be a bare word."""
    return kind_of(value) if isinstance(value, exp.Expression) else ""


def now(node: Node) -> Node:
    """CURRENT_TIMESTAMP, NOW(), LOCALTIMESTAMP."""
    return call("DATETIME", "now", "localtime", kind="timestamp")


def today(node: Node) -> Node:
    """CURRENT_DATE."""
    return call("DATE", "now", "localtime", kind="date")


def interval_text(node: Node) -> Node:
    """An interval as people read it."""
    return call("mn_interval_text", node, kind="text")


def _justified(name: str) -> Rule:
    return lambda node: call(f"mn_justify_{name}", node.this, kind="interval")


RULES: dict[type[exp.Expression], Rule] = {
    exp.JustifyDays: _justified("days"),
    exp.JustifyHours: _justified("hours"),
    exp.JustifyInterval: _justified("interval"),
    exp.Interval: interval,
    exp.MakeInterval: make_interval,
    exp.Extract: extract,  # type: ignore[dict-item]
    exp.TimestampTrunc: truncate,
    exp.DateTrunc: truncate,
    exp.TimeToStr: to_char,
    exp.ToChar: to_char,
    exp.StrToDate: to_date,
    exp.StrToTime: no_equal,
    exp.DateBin: no_equal,
    exp.CurrentDate: today,
    exp.CurrentTimestamp: now,
    exp.Localtimestamp: now,
    exp.Date: lambda node: cast_date(exp.Cast(this=node.this, to=data_type("date"))),
    exp.UnixToTime: lambda node: call("DATETIME", node.this, "unixepoch", kind="timestamp"),
    exp.AtTimeZone: lambda node: _time_zone(node),
}


def _time_zone(node: Node) -> Node:
    if node.args["zone"].name.upper() not in ("UTC", "GMT"):
        raise Untranslatable("Times in SQLite have no time zone.", node)
    return marked(node.this, "timestamp") if kind_of(node.this) == "timestamp" else as_timestamp(node.this)
