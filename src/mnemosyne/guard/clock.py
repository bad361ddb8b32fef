"""A frozen clock: every way to ask for today becomes a written date, so that an answer can be repeated."""

from __future__ import annotations

from datetime import date, timedelta

from sqlglot import exp

_DAYS = {"now": 0, "today": 0, "yesterday": -1, "tomorrow": 1}
_DATE_TYPES = {"DATE", "TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMPLTZ", "TIMESTAMPNTZ", "DATETIME"}
_SQLITE_CLOCKS = {"date", "datetime", "time", "julianday", "unixepoch", "strftime"}
_MOMENTS = (exp.CurrentTimestamp, exp.Localtimestamp, exp.CurrentDatetime)


def freeze(tree: exp.Expression, today: date) -> None:
    """Replace the current date by `today`, and the current moment by its midnight."""
    for node in list(tree.walk()):
        if isinstance(node, exp.CurrentDate):
            node.replace(_written(today, "DATE"))
        elif isinstance(node, _MOMENTS):
            node.replace(_written(today, "TIMESTAMP"))
        elif isinstance(node, exp.Literal) and node.is_string and node.this.strip().lower() in _DAYS:
            _freeze_word(node, today)


def _freeze_word(node: exp.Literal, today: date) -> None:
    """'now' counts as a clock inside a cast to a date, and as an argument of SQLite's date functions."""
    parent = node.parent
    day = today + timedelta(days=_DAYS[node.this.strip().lower()])
    in_cast = isinstance(parent, exp.Cast) and getattr(parent.to.this, "name", "") in _DATE_TYPES
    in_call = isinstance(parent, exp.Func) and not isinstance(parent, (exp.Cast, exp.Case, exp.Coalesce))
    if in_cast or in_call:
        node.replace(exp.Literal.string(day.isoformat()))


def _written(day: date, kind: str) -> exp.Cast:
    text = day.isoformat() + (" 00:00:00" if kind == "TIMESTAMP" else "")
    return exp.Cast(this=exp.Literal.string(text), to=exp.DataType(this=exp.DataType.Type[kind], nested=False))
