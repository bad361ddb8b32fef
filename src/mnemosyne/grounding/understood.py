"""One line of what a query takes the question to mean: tables, stored values, and windows of time in dates.

Read from the checked query's own tree, so it tells what will run and not what was hoped for. `CURRENT_DATE`
and intervals become days: a person sees at once that `last month` is not the last 30 days.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import exp

    from mnemosyne.guard.query import SafeQuery


@dataclass(frozen=True, slots=True)
class Understood:
    """What a query takes a question to mean."""

    tables: tuple[str, ...]
    """Tables that it reads, in order of appearance."""
    values: tuple[str, ...] = ()
    """Conditions on text: `matrix = 'Drinking Water'`."""
    windows: tuple[str, ...] = ()
    """Windows of time, both ends included: `received_date 2026-05-01 to 2026-05-31`."""

    @property
    def line(self) -> str:
        """All of it in one line."""
        return " · ".join((", ".join(self.tables), *self.values, *self.windows))


def understand(query: SafeQuery, today: date | None = None) -> Understood:
    """What `query` takes its question to mean, with dates as of `today`."""
    import sqlglot

    try:
        tree = sqlglot.parse_one(query.source, read="postgres")
    except sqlglot.errors.SqlglotError:
        return Understood(query.tables)
    return Understood(query.tables, _values(tree), _windows(tree, today or date.today()))


def _values(tree: exp.Expr) -> tuple[str, ...]:
    from sqlglot import exp

    found: dict[str, None] = {}
    for node in tree.find_all(exp.EQ, exp.NEQ, exp.In, exp.Like, exp.ILike, bfs=False):
        column = node.this
        others = node.expressions if isinstance(node, exp.In) else [node.args["expression"]]
        if not isinstance(column, exp.Column) or not others or not all(_is_text(other) for other in others):
            continue
        if _days(others[0]) is not None:
            continue
        texts = ["'" + other.this.replace("'", "''") + "'" for other in others]
        negated = isinstance(node.parent, exp.Not)
        sign = {exp.EQ: "=", exp.NEQ: "<>", exp.In: "in", exp.Like: "like", exp.ILike: "like"}[type(node)]
        right = f"({', '.join(texts)})" if isinstance(node, exp.In) else texts[0]
        found[f"{column.name} {'not ' if negated else ''}{sign} {right}"] = None
    return tuple(found)


def _is_text(node: exp.Expr | None) -> bool:
    from sqlglot import exp

    return isinstance(node, exp.Literal) and node.is_string


@dataclass(slots=True)
class Bounds:
    """What the conditions on one date column in one place of a query come to."""

    start: date | None = None
    """First day, None without one."""
    end: date | None = None
    """Last day, None without one."""
    nodes: list[exp.Expr] = field(default_factory=list)
    """The conditions."""

    def narrow(self, start: date | None, end: date | None) -> None:
        """Take in one more condition."""
        if start is not None:
            self.start = start if self.start is None else max(self.start, start)
        if end is not None:
            self.end = end if self.end is None else min(self.end, end)


def bounds_of(tree: exp.Expr, today: date) -> dict[tuple[int, str], Bounds]:
    """By place and column, as of `today`: conditions that stand in one place narrow one window."""
    from sqlglot import exp

    found: dict[tuple[int, str], Bounds] = {}
    for node in tree.find_all(exp.GTE, exp.GT, exp.LT, exp.LTE, exp.EQ, exp.Between, bfs=False):
        try:
            one = _bounds(node, today)
        except (OverflowError, ValueError):
            continue  # a day before year 1 or after 9999: the query runs all the same
        if one is None:
            continue
        column, start, end = one
        place = node.find_ancestor(exp.Filter, exp.If, exp.Or, exp.Select)
        bounds = found.setdefault((id(place), column), Bounds())
        bounds.narrow(start, end)
        bounds.nodes.append(node)
    return found


def _windows(tree: exp.Expr, today: date) -> tuple[str, ...]:
    lines = [_say(column, bounds) for (_, column), bounds in bounds_of(tree, today).items()]
    return tuple(dict.fromkeys(line for line in lines if line))


def _say(column: str, window: Bounds) -> str:
    if window.start is not None and window.end is not None:
        if window.start == window.end:
            return f"{column} {window.start}"
        return f"{column} {window.start} to {window.end}" if window.start < window.end else f"{column} in no day at all"
    return f"{column} from {window.start}" if window.start is not None else f"{column} until {window.end}"


def _bounds(node: exp.Expr, today: date) -> tuple[str, date | None, date | None] | None:
    """(column, first day, last day) of one comparison; None when it is not about days."""
    from sqlglot import exp

    if isinstance(node, exp.Between):
        low, high = _days(node.args["low"], today), _days(node.args["high"], today)
        name = _column(node.this)
        return (name, low, high) if name and low and high else None
    sides = (node.this, node.args["expression"])
    kind: type[exp.Expr] = type(node)
    if not _column(sides[0]) and not _unit_of(sides[0]):
        sides = sides[::-1]
        kind = _mirrored(kind)
    left, right = sides
    if (unit := _unit_of(left)) is not None:
        return _period(*unit, kind, right, today)
    name, day = _column(left), _days(right, today)
    if not name or day is None:
        return None
    return (name, *_ends(kind, day, day))


def _ends(kind: type, first: date, last: date) -> tuple[date | None, date | None]:
    """First and last day of a comparison with the days `first` to `last`. Raises OverflowError past the calendar."""
    from sqlglot import exp

    if kind is exp.GT:
        return last + timedelta(days=1), None
    if kind is exp.LT:
        return None, first - timedelta(days=1)
    return (None if kind is exp.LTE else first), (None if kind is exp.GTE else last)


def _mirrored(kind: type[exp.Expr]) -> type[exp.Expr]:
    """The comparison with its sides changed: `5 < x` is `x > 5`."""
    from sqlglot import exp

    mirrored: dict[type[exp.Expr], type[exp.Expr]] = {
        exp.GTE: exp.LTE, exp.LTE: exp.GTE, exp.GT: exp.LT, exp.LT: exp.GT
    }  # fmt: skip
    return mirrored.get(kind, kind)


def _period(
    unit: str, name: str, kind: type, right: exp.Expr, today: date
) -> tuple[str, date | None, date | None] | None:
    """`DATE_TRUNC('month', d) = …` and `EXTRACT(YEAR FROM d) = 2025`: the whole period."""
    from sqlglot import exp

    if unit == "EXTRACT" and isinstance(right, exp.Literal) and not right.is_string:
        start: date | None = (
            date(int(right.this), 1, 1) if right.this.isdigit() and 1 <= int(right.this) <= 9999 else None
        )
        unit = "year"
    elif unit == "EXTRACT":
        back, right = _years_back(right)
        inner = _unit_of(right)
        start = date(today.year - back, 1, 1) if inner is not None and inner[1] == "" else None
        unit = "year"
    else:
        start = _days(right, today)
    if start is None or unit not in ("day", "week", "month", "quarter", "year"):
        return None
    try:
        last = _shift(start, unit, 1) - timedelta(days=1)
    except (OverflowError, ValueError):
        last = date.max
    return (name, *_ends(kind, start, last))


def _years_back(node: exp.Expr) -> tuple[int, exp.Expr]:
    """(1, `EXTRACT(YEAR FROM CURRENT_DATE)`) of the same `- 1`."""
    from sqlglot import exp

    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.Sub) and isinstance(by := node.expression, exp.Literal) and by.this.isdigit():
        return int(by.this), node.this
    return 0, node


def _column(node: exp.Expr) -> str:
    """The name of a column, also under a cast to a date."""
    from sqlglot import exp

    while isinstance(node, exp.Cast | exp.Paren):
        node = node.this
    return node.name if isinstance(node, exp.Column) else ""


def _unit_of(node: exp.Expr) -> tuple[str, str] | None:
    """(unit, column) of `DATE_TRUNC('month', column)`; (`EXTRACT`, column or nothing for today) of a year."""
    from sqlglot import exp

    while isinstance(node, exp.Cast | exp.Paren):
        node = node.this
    if isinstance(node, exp.TimestampTrunc | exp.DateTrunc) and (name := _column(node.this)):
        return str(node.text("unit")).lower(), name
    if isinstance(node, exp.Extract) and node.name.upper() == "YEAR":
        inner = node.args["expression"]
        if (name := _column(inner)) or isinstance(inner, exp.CurrentDate | exp.CurrentTimestamp):
            return "EXTRACT", name
    return None


def _days(node: exp.Expr | None, today: date | None = None) -> date | None:
    """The day that an expression without columns means."""
    from sqlglot import exp

    match node:
        case exp.CurrentDate() | exp.CurrentTimestamp():
            return today
        case exp.Literal():
            try:
                return date.fromisoformat(node.this[:10]) if node.is_string and len(node.this) >= 10 else None
            except ValueError:
                return None
        case exp.Cast() | exp.Paren() | exp.TsOrDsToDate():
            return _days(node.this, today)
        case exp.TimestampTrunc() | exp.DateTrunc():
            day = _days(node.this, today)
            return _truncate(day, node.text("unit").lower()) if day is not None else None
        case exp.Add() | exp.Sub():
            day, step = _days(node.this, today), node.args["expression"]
            sign = 1 if isinstance(node, exp.Add) else -1
            if day is None:
                return None
            if isinstance(step, exp.Interval) and (amount := _amount(step)) is not None:
                return _shift(day, amount[1], sign * amount[0])
            return (
                day + timedelta(days=sign * int(step.this))
                if isinstance(step, exp.Literal) and step.this.isdigit()
                else None
            )
    return None


def _amount(interval: exp.Interval) -> tuple[int, str] | None:
    """(30, `day`) of `INTERVAL '30 days'`."""
    number, unit = interval.text("this"), interval.text("unit").lower()
    if not unit and " " in number:
        number, unit = number.split(" ", 1)
    unit = unit.rstrip("s")
    known = unit in ("day", "week", "month", "quarter", "year")
    return (int(number), unit) if known and number.lstrip("-").isdigit() else None


def _truncate(day: date, unit: str) -> date | None:
    match unit:
        case "day":
            return day
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case "quarter":
            return day.replace(month=3 * ((day.month - 1) // 3) + 1, day=1)
        case "year":
            return day.replace(month=1, day=1)
    return None


def _shift(day: date, unit: str, amount: int) -> date:
    if unit in ("day", "week"):
        return day + timedelta(days=amount * (7 if unit == "week" else 1))
    months = day.year * 12 + day.month - 1 + amount * {"month": 1, "quarter": 3, "year": 12}.get(unit, 0)
    year, month = divmod(months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
