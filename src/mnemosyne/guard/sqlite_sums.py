"""What SQLite must not add or subtract: texts that may be dates, which it would read as numbers, their years."""

from __future__ import annotations

import re

from sqlglot import exp

from mnemosyne.guard.kinds import NUMBERS, TIMES, kind_of
from mnemosyne.guard.refused import Refused, piece
from mnemosyne.guard.trees import Node, bare, is_text

_SAYS_DATE = re.compile(r"(date|datetime|timestamp|birthday|deadline|(^|_)(at|on|by|due|since|until|dob))$", re.I)


def refuse_texts(node: Node) -> None:
    """SQLite would add and subtract texts as numbers, dates as their years."""
    sides = [node.this, node.expression]
    kinds = {kind_of(side) for side in sides}
    if any(isinstance(bare(side), exp.Null) for side in sides):
        return
    moments = bool(kinds & (TIMES | {"interval", "time"})) or all(is_text(side) for side in sides)
    for side in sides:
        kind = kind_of(side)
        if (kind in ("text", "time") or (kind == "unknown" and moments)) and not _is_number(side, moments):
            raise _no_date(node, side)
        if kind == "unknown" and any(_may_be_date(column) for column in side.find_all(exp.Column)):
            raise _no_date(node, side)
    if moments:
        raise _no_sum(node)


def _is_number(node: Node, moments: bool) -> bool:
    """A quoted number beside another number."""
    return not moments and is_text(node) and re.fullmatch(r"\s*[+-]?[\d.]+\s*", node.name) is not None


def _may_be_date(column: exp.Column) -> bool:
    """A column without a type, such as that of a view, whose name says that it holds dates."""
    return kind_of(column) == "unknown" and _SAYS_DATE.search(column.name) is not None


def _no_date(node: Node, side: Node) -> Refused:
    name = piece(side) if isinstance(side, (exp.Column, exp.Literal)) else "x"
    what = {"text": "text", "time": "a time of day"}.get(kind_of(side), "of a kind that is not known")
    subject = name if name != "x" else piece(side)
    return Refused(
        "not-translatable",
        f"{subject} is {what}, and SQLite would count with its first digits",
        place=piece(side),
        hint=_NO_CLOCK
        if kind_of(side) == "time"
        else f"CAST({name} AS DATE), or CAST({name} AS INTEGER) for a number.",
    )


_NO_CLOCK = "Add or take away a written time or interval: TIME '10:00', INTERVAL '10 hours 30 minutes'."


def _no_sum(node: Node) -> Refused:
    one, other = kind_of(node.this), kind_of(node.expression)
    kinds = " and ".join(
        {"midnight": "timestamp", "int": "number", **dict.fromkeys(NUMBERS, "number")}.get(kind, kind)
        for kind in (one, other)
    )
    return Refused(
        "not-translatable",
        f"PostgreSQL does not add or subtract {kinds}",
        place=piece(node),
        hint="CAST(x AS DATE) + 1, or x + INTERVAL '1 day'.",
    )
