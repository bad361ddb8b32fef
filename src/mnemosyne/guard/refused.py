"""How a rule says no inside the room: an exception that `check` turns into a `Refusal` value."""

from __future__ import annotations

import re

from sqlglot import exp
from sqlglot.errors import SqlglotError

from mnemosyne.guard.query import Refusal

PARSER_FAULTS = (SqlglotError, ValueError, TypeError, AttributeError, LookupError, re.error)
"""What the parser and its printers are known to raise on strange text."""


class Refused(Exception):
    """A rule refused the text. Raised deep in a tree, caught in `guard.check` only."""

    def __init__(self, code: str, reason: str, *, place: str = "", hint: str = "") -> None:
        super().__init__(reason)
        self.refusal = Refusal(code, reason, _short(place), hint)


def _short(place: str) -> str:
    return place if len(place) <= 120 else place[:117] + "..."


def piece(node: exp.Expr, dialect: str = "postgres") -> str:
    """The text of a node, as far as it can be printed at all."""
    try:
        return node.sql(dialect=dialect)
    except (*PARSER_FAULTS, RecursionError):
        return describe(node)


def describe(node: exp.Expr) -> str:
    """A node in words a person knows: `Union` to UNION, `TableSample` to TABLE SAMPLE."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(node).__name__).upper()
