"""Days in a query: what conditions on dates come to, with `CURRENT_DATE` and intervals worked out."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING

from mnemosyne.grounding.conditions import places

if TYPE_CHECKING:
    from sqlglot import exp

    from mnemosyne.grounding.conditions import Condition


@dataclass(slots=True)
class Bounds:
    """What the conditions on one date column in one place of a query come to."""

    start: date | None = None
    """First day, None without one."""
    end: date | None = None
    """Last day, None without one."""
    nodes: list[exp.Expr] = field(default_factory=list)
    """The conditions."""
    outside: bool = False
    """The days are ruled out, and all others are meant."""

    def narrow(self, start: date | None, end: date | None) -> None:
        """Take in one more condition."""
        if start is not None:
            self.start = start if self.start is None else max(self.start, start)
        if end is not None:
            self.end = end if self.end is None else min(self.end, end)


def bounds_of(tree: exp.Expr, today: date) -> dict[tuple[int, str], Bounds]:
    """By place and column, as of `today`: conditions that stand in one place narrow one window."""
    found: dict[tuple[int, str], Bounds] = {}
    for place, conditions in places(tree):
        for column, bounds in bounds_beside(conditions, today):
            key = (id(bounds.nodes[0] if bounds.outside else place), column)
            if key not in found:
                found[key] = bounds
                continue
            found[key].narrow(bounds.start, bounds.end)
            found[key].nodes += bounds.nodes
    return found


def bounds_beside(conditions: Sequence[Condition], today: date) -> list[tuple[str, Bounds]]:
    """By column, what conditions that hold together come to; days that are ruled out stand by themselves."""
    from sqlglot import exp

    found: dict[str, Bounds] = {}
    outside: list[tuple[str, Bounds]] = []
    for node, ruled_out in conditions:
        try:
            one = _bounds(node, today)
            if one is None:
                continue
            column, start, end = one
            if ruled_out != isinstance(node, exp.NEQ):
                if start is not None and end is not None:
                    outside.append((column, Bounds(start, end, [node], outside=True)))
                    continue
                start, end = _rest(start, end)
        except (OverflowError, ValueError):
            continue  # a day before year 1 or after 9999: the query runs all the same
        bounds = found.setdefault(column, Bounds())
        bounds.narrow(start, end)
        bounds.nodes.append(node)
    for node, ruled_out in conditions:
        if not ruled_out and isinstance(node, exp.EQ) and (part := part_of(node.this)) and part[1] in found:
            _narrow_to_part(found[part[1]], part[0], node, today)
    return [*found.items(), *outside]


def _rest(start: date | None, end: date | None) -> tuple[date | None, date | None]:
    """The days that an open window leaves. Raises OverflowError past the calendar."""
    if start is not None:
        return None, start - timedelta(days=1)
    return (end + timedelta(days=1), None) if end is not None else (None, None)


def _narrow_to_part(bounds: Bounds, unit: str, node: exp.EQ, today: date) -> None:
    """`EXTRACT(MONTH FROM d) = 5` beside a whole year is that month of it."""
    months = {"month": 1, "quarter": 3}.get(unit, 0)
    number = number_of(node.expression, today)
    year = bounds.start.year if bounds.start is not None else 0
    if not year or (bounds.start, bounds.end) != (date(year, 1, 1), date(year, 12, 31)):
        return
    if months and number is not None and 1 <= number <= 12 // months:
        first, last = months * (number - 1) + 1, months * number
        bounds.narrow(date(year, first, 1), date(year, last, calendar.monthrange(year, last)[1]))
        bounds.nodes.append(node)


def part_of(node: exp.Expr) -> tuple[str, str] | None:
    """(`month`, column) of `EXTRACT(MONTH FROM column)`."""
    from sqlglot import exp

    while isinstance(node, exp.Cast | exp.Paren):
        node = node.this
    if isinstance(node, exp.Extract) and (name := _column(node.args["expression"])):
        return node.name.lower(), name
    return None


def number_of(node: exp.Expr, today: date) -> int | None:
    """The number that an expression without columns means: `5`, `EXTRACT(MONTH FROM CURRENT_DATE) - 1`."""
    from sqlglot import exp

    back, node = _years_back(node)
    while isinstance(node, exp.Cast | exp.Paren):
        node = node.this
    if isinstance(node, exp.Literal):
        return int(node.this) - back if node.this.isdigit() else None
    if isinstance(node, exp.Extract) and (day := _days(node.args["expression"], today)) is not None:
        number = {"year": day.year, "quarter": (day.month + 2) // 3, "month": day.month}.get(node.name.lower())
        return number - back if number is not None else None
    return None


def _bounds(node: exp.Expr, today: date) -> tuple[str, date | None, date | None] | None:
    """(column, first day, last day) of one comparison, `<>` as `=`; None when it is not about days."""
    from sqlglot import exp

    if not isinstance(node, exp.GTE | exp.GT | exp.LT | exp.LTE | exp.EQ | exp.NEQ | exp.Between):
        return None
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


def is_day(node: exp.Expr) -> bool:
    """Whether an expression is a day that is written out."""
    return _days(node) is not None


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
