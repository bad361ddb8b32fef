"""Time windows: what people say, and the one condition it means. Readings follow the conventions of the laboratory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from sqlglot import exp

from mnemosyne.synthesis.phrasing import MONTHS, day, number
from mnemosyne.synthesis.query import frag


@dataclass(frozen=True, slots=True)
class Window:
    """A time window: said, and as a condition."""

    text: str
    """Follows a participle or a noun: `in the last 30 days`."""
    sql: str
    """The condition on `:d`."""
    clause: bool = False
    """True when it cannot follow a noun without its participle (`on a Monday`)."""
    days: int = 0
    """About how long it is."""

    def on(self, column: exp.Expression) -> exp.Expression:
        """The condition on a date column."""
        return frag(self.sql, d=column)


def _month(year: int, month: int) -> Window:
    end = f"{year + month // 12}-{month % 12 + 1:02d}-01"
    return Window(f"in {MONTHS[month - 1]} {year}", f":d >= '{year}-{month:02d}-01' AND :d < '{end}'", days=30)


def _quarter(year: int, quarter: int, rng: Random) -> Window:
    start, end = 3 * quarter - 2, 3 * quarter + 1
    last = f"{year + (end > 12)}-{(end - 1) % 12 + 1:02d}-01"
    ordinal = ("first", "second", "third", "fourth")[quarter - 1]
    text = rng.choice([f"in Q{quarter} {year}", f"in the {ordinal} quarter of {year}"])
    return Window(text, f":d >= '{year}-{start:02d}-01' AND :d < '{last}'", days=91)


_CURRENT = {
    "this": ":d >= DATE_TRUNC('{u}', CURRENT_DATE)",
    "last": ":d >= DATE_TRUNC('{u}', CURRENT_DATE) - INTERVAL '{n} {v}' AND :d < DATE_TRUNC('{u}', CURRENT_DATE)",
}


def _calendar(unit: str, which: str, rng: Random) -> Window:
    size, inner = ("3", "months") if unit == "quarter" else ("1", unit)
    sql = _CURRENT[which].format(u=unit, n=size, v=inner)
    if which == "this":
        text = rng.choice([f"this {unit}", f"this {unit}", f"so far this {unit}", f"in the current {unit}"])
        if unit == "year" and rng.random() < 0.3:
            text = rng.choice(["year to date", "since the start of the year", "since the beginning of the year"])
    else:
        text = rng.choice([f"last {unit}", f"last {unit}", f"in the previous {unit}"])
    length = {"week": 7, "month": 30, "quarter": 91, "year": 365}[unit]
    return Window(text, sql, days=length if which == "last" else length // 2)


def _last_days(rng: Random) -> Window:
    if rng.random() < 0.15:
        return Window(rng.choice(["in the past week", "over the past week", "in the last week"]),
                      ":d >= CURRENT_DATE - INTERVAL '7 days'", days=7)  # fmt: skip
    days = rng.choice([7, 10, 14, 14, 20, 30, 30, 30, 45, 60, 60, 90, 90, 100, 120, 180, 365])
    text = rng.choice(["in the last {n} days", "in the past {n} days", "over the last {n} days",
                       "within the last {n} days", "during the past {n} days"])  # fmt: skip
    return Window(text.format(n=number(days, rng, 0.1)), f":d >= CURRENT_DATE - INTERVAL '{days} days'", days=days)


def _last_months(rng: Random) -> Window:
    unit, count = rng.choice([("month", 2), ("month", 3), ("month", 3), ("month", 6), ("month", 6), ("month", 12),
                              ("month", 18), ("year", 2), ("week", 2), ("week", 4), ("week", 6)])  # fmt: skip
    text = rng.choice(["in the last {n} {u}s", "in the past {n} {u}s", "over the past {n} {u}s"])
    length = count * {"week": 7, "month": 30, "year": 365}[unit]
    return Window(text.format(n=number(count, rng, 0.5), u=unit), f":d >= CURRENT_DATE - INTERVAL '{count} {unit}s'",
                  days=length)  # fmt: skip


def _later(day: date, days: int) -> date:
    """So many days later; 31 December 9999, which databases store for "without end", has no day behind it."""
    return day + timedelta(days=min(days, (date.max - day).days))


def _explicit(rng: Random, low: date, high: date) -> Window:
    span = max((high - low).days, 30)
    first = _later(low, rng.randrange(int(span * 0.75)))
    if rng.random() < 0.35:
        first = first.replace(day=1)
    second = _later(first, rng.choice([6, 13, 29, 30, 45, 60, 90, 120, 180]))
    match rng.randrange(6):
        case 0 | 1:
            text = rng.choice(["between {a} and {b}", "between {a} and {b}", "from {a} to {b}"])
            form = Random(rng.random())
            state = form.getstate()
            a = day(first, form)
            form.setstate(state)
            b = day(second, form)
            return Window(text.format(a=a, b=b), f":d BETWEEN '{first}' AND '{second}'",
                          days=(second - first).days)  # fmt: skip
        case 2:
            return Window(f"since {day(first, rng)}", f":d >= '{first}'", days=(high - first).days)
        case 3:
            return Window(f"after {day(first, rng)}", f":d > '{first}'", days=(high - first).days)
        case 4:
            return Window(f"before {day(first, rng)}", f":d < '{first}'", days=(first - low).days)
        case _:
            text = rng.choice(["on or after {a}", "from {a} onwards"])
            return Window(text.format(a=day(first, rng)), f":d >= '{first}'", days=(high - first).days)


def _year(rng: Random, low: date, high: date) -> Window:
    year = rng.randint(low.year, high.year)
    match rng.randrange(6):
        case 0 if year > low.year:
            return Window(f"before {year}", f":d < '{year}-01-01'", days=365)
        case 1 if year > low.year:
            return Window(f"since {year}", f":d >= '{year}-01-01'", days=365)
        case 2 if high.year - low.year > 2:
            return Window(
                f"between {year - 1} and {year}", f"EXTRACT(YEAR FROM :d) BETWEEN {year - 1} AND {year}", days=730
            )
        case _:
            return Window(rng.choice([f"in {year}", f"in {year}", f"during {year}", f"in the year {year}"]),
                          f"EXTRACT(YEAR FROM :d) = {year}", days=365)  # fmt: skip


def draw(rng: Random, low: date, high: date, today: date, recent: bool) -> Window:
    """A window that dates from `low` to `high` can fall into; `recent` when the dates reach today."""
    roll = rng.random()
    if not recent:
        return _year(rng, low, high) if roll < 0.65 else _explicit(rng, low, high)
    if roll < 0.28:
        return _last_days(rng)
    if roll < 0.36:
        return _last_months(rng)
    if roll < 0.66:
        unit = rng.choice(["month", "month", "month", "year", "year", "year", "quarter", "week"])
        return _calendar(unit, rng.choice(["this", "this", "last"]), rng)
    if roll < 0.69:
        return rng.choice([Window("today", ":d = CURRENT_DATE"),
                           Window("yesterday", ":d = CURRENT_DATE - INTERVAL '1 day'")])  # fmt: skip
    if roll < 0.77:
        start = low.year * 12 + low.month
        at = rng.randint(start, high.year * 12 + high.month - 2)
        return _month(at // 12, at % 12 + 1)
    if roll < 0.8:
        year = rng.randint(low.year + 1, high.year)
        return _quarter(year, rng.randint(1, 4 if year < today.year else max(1, (today.month - 1) // 3)), rng)
    if roll < 0.88:
        return _year(rng, low, high)
    if roll < 0.9:
        moment = low + timedelta(days=rng.randrange(max((high - low).days, 1)))
        return Window(f"on {day(moment, rng)}", f":d = '{moment}'")
    return _explicit(rng, low, high)
