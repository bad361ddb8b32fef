"""Golds whose LIMIT cuts a tie: which of the equal rows they return is chance, and so is who is right.

Only the outermost LIMIT is looked at, also where nothing is ordered at all; a LIMIT in a subquery is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlglot
from sqlglot import exp

from mnemosyne.evaluation.ordering import Keyed, with_keys
from mnemosyne.results import Result


@dataclass(frozen=True, slots=True)
class Uncut:
    """A gold query without its LIMIT and OFFSET."""

    keyed: Keyed
    """The query, with its sort keys."""
    cuts: tuple[int, ...]
    """How many rows come before each place where the gold cuts."""

    def tied(self, result: Result) -> bool:
        """Whether rows with equal keys that differ in what they show lie on both sides of a cut."""
        rows, keys = self.keyed.split(result)
        for cut in self.cuts:
            if 0 < cut < len(keys) and keys[cut - 1] == keys[cut]:
                equal = {row for row, key in zip(rows.rows, keys, strict=True) if key == keys[cut]}
                if len(equal) > 1:
                    return True
        return False


def uncut(sql: str, dialect: str) -> Uncut | None:
    """The gold without its LIMIT, or None where it has none, or one that cannot cut a tie. Raises ParseError."""
    tree = sqlglot.parse_one(sql, read=dialect)
    if not isinstance(tree, exp.Query):
        return None
    limit = tree.args.get("limit")
    count = _number(limit.expression if isinstance(limit, exp.Limit) else None)
    offset = tree.args.get("offset")
    start = _number(offset.expression) if offset else 0
    if not count or start is None:
        return None
    whole = tree.copy()
    whole.set("limit", None)
    whole.set("offset", None)
    text = whole.sql(dialect)
    keyed = with_keys(text, dialect) or Keyed(text)
    return None if keyed.total else Uncut(keyed, (start, start + count))


def _number(node: exp.Expr | None) -> int | None:
    return int(node.name) if isinstance(node, exp.Literal) and node.is_int else None
