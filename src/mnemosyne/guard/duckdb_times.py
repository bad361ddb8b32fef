"""Times of day in sums: PostgreSQL takes them for intervals there, DuckDB only knows a date plus a time."""

from __future__ import annotations

from sqlglot import exp

from mnemosyne.guard.kinds import TIMES, kind_of, marked
from mnemosyne.guard.trees import Node, bare, data_type, is_clock


def as_intervals(node: Node) -> None:
    """Under `+` and `-`, a time of day beside a timestamp or another time, or taken from a date."""
    sides = (node.this, node.expression)
    kinds = {kind_of(side) for side in sides}
    if "time" not in kinds or not kinds <= TIMES | {"time"} or (isinstance(node, exp.Add) and "date" in kinds):
        return
    for side in sides:
        if kind_of(side) == "time":
            side.replace(_interval(side))


def _interval(node: Node) -> Node:
    """The time since midnight."""
    inner = bare(node)
    written = isinstance(inner, exp.Cast) and is_clock(inner.this)
    text = inner.this.copy() if written else exp.Cast(this=node.copy(), to=data_type("TEXT"))
    return marked(exp.Cast(this=text, to=data_type("INTERVAL")), "interval")
