"""A date is not compared with a number: PostgreSQL and DuckDB refuse it, SQLite answers it by storage class.

In SQLite every text is greater than every number (https://www.sqlite.org/datatype3.html, 4.1), so that
`received_date >= 2025` or `a_date - b_date >= DATE_TRUNC('year', CURRENT_DATE)` is always or never true there, and
nobody is told. Texts are left alone: SQLite stores dates as text, and columns of both types may hold the same dates.
"""

from __future__ import annotations

from sqlglot import exp

from mnemosyne.guard.kinds import NUMBERS, TIMES, Kind, kind_of
from mnemosyne.guard.refused import Refused, piece
from mnemosyne.guard.trees import bare

_COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.NullSafeEQ, exp.NullSafeNEQ)


def refuse_dates_beside_numbers(tree: exp.Expression) -> None:
    """Look at every comparison of an annotated PostgreSQL query. Raises Refused with the code `types`."""
    for node in tree.find_all(*_COMPARISONS, exp.Between, exp.In):
        if isinstance(node, exp.Between):
            others = [node.args["low"], node.args["high"]]
        elif isinstance(node, exp.In):
            others = [*node.expressions, *([node.args["query"]] if node.args.get("query") is not None else [])]
        else:
            others = [node.expression]
        for other in others:
            left, right = kind_of(bare(node.this)), kind_of(bare(other))
            if (left in TIMES and right in NUMBERS) or (left in NUMBERS and right in TIMES):
                raise Refused(
                    "types",
                    f"{_called(left)} cannot be compared with {_called(right)}",
                    place=piece(node),
                    hint="Compare the year with EXTRACT(YEAR FROM …), days with the difference of two dates.",
                )


def _called(kind: Kind) -> str:
    if kind in NUMBERS:
        return "a number"
    return "a date" if kind == "date" else "a point of time"
