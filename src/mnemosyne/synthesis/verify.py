"""Is a pair worth training on? Its query runs on several populations, gives rows, and is told from its neighbours.

Everything passes the guard and runs read-only, as an answer would.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from random import Random

from sqlglot import exp

from mnemosyne import guard
from mnemosyne.databases import Database, Limits
from mnemosyne.guard.query import SafeQuery
from mnemosyne.results import Result, same
from mnemosyne.schema import Schema
from mnemosyne.synthesis.neighbours import Neighbour, neighbours
from mnemosyne.synthesis.style import print_sql

MAX_NEIGHBOURS = 4
"""Neighbours tried for one pair."""

MAX_ROWS = 20_000
"""A question whose answer is longer than this is nobody's question."""


@dataclass(slots=True)
class Verdict:
    """What was found out about one query."""

    reason: str = ""
    """Why the pair is not kept; empty when it is."""
    twin: str = ""
    """The neighbour with the same rows everywhere, where that is the reason."""
    rows: int = 0
    """Rows on the first population that gave any."""
    tried: Counter[str] = field(default_factory=Counter)
    """Neighbours that ran, by kind."""
    told_apart: Counter[str] = field(default_factory=Counter)
    """Neighbours with other rows on at least one population, by kind."""


class Verifier:
    """Runs queries on populations of one schema."""

    def __init__(
        self, databases: Sequence[Database], schema: Schema, today: date | None = None, seconds: float = 10.0,
        most: int = MAX_NEIGHBOURS, careful: bool = True,
    ) -> None:  # fmt: skip
        """`databases` hold the same schema with different rows and are of one dialect; `most` neighbours are tried.

        `careful=False` forgives an `IS NOT NULL` that changes no rows, in queries that people wrote.
        """
        self.databases, self.schema, self.today = list(databases), schema, today
        self.most, self.careful = most, careful
        self.limits = Limits(timeout_seconds=seconds, max_rows=MAX_ROWS)

    def judge(self, tree: exp.Expression, rng: Random, ordered: bool = False) -> Verdict:
        """The verdict on a query; `rng` chooses among its neighbours when there are many."""
        verdict = Verdict()
        checked = self._check(print_sql(tree))
        if not isinstance(checked, SafeQuery):
            verdict.reason = f"refused: {checked}"
            return verdict
        results = []
        for database in self.databases:
            outcome = database.run(checked, self.limits)
            if not isinstance(outcome, Result):
                verdict.reason = f"failed: {outcome.message}"
                return verdict
            results.append(outcome)
            if len(results) * 2 > len(self.databases) and sum(map(_blank, results)) * 2 > len(self.databases):
                break
        full = [result for result in results if not _blank(result)]
        if any(result.truncated for result in results):
            verdict.reason = "too many rows"
        elif len(full) * 2 <= len(self.databases):
            verdict.reason = "empty"
        if not verdict.reason:
            verdict.rows = len(full[0].rows)
            self._compare(tree, results, rng, ordered, verdict)
        return verdict

    def _check(self, sql: str) -> SafeQuery | guard.Refusal:
        return guard.check(sql, self.schema, target=self.databases[0].dialect, today=self.today)

    def _compare(self, tree: exp.Expression, golds: list[Result], rng: Random, ordered: bool, verdict: Verdict) -> None:
        """Try neighbours until one that matters gives the same rows everywhere."""
        for neighbour in _chosen(list(neighbours(tree)), rng, self.most):
            apart = self._told_apart(neighbour, golds, ordered)
            if apart is None:
                continue
            verdict.tried[neighbour.kind] += 1
            if apart:
                verdict.told_apart[neighbour.kind] += 1
            elif neighbour.required and (self.careful or not neighbour.not_null):
                verdict.reason, verdict.twin = f"not told apart: {neighbour.kind}", print_sql(neighbour.tree)
                return

    def _told_apart(self, neighbour: Neighbour, golds: list[Result], ordered: bool) -> bool | None:
        """Whether a neighbour gives other rows somewhere; None when it does not run."""
        checked = self._check(print_sql(neighbour.tree))
        if not isinstance(checked, SafeQuery):
            return None
        for database, gold in zip(self.databases, golds, strict=False):
            outcome = database.run(checked, self.limits)
            if not isinstance(outcome, Result):
                return None
            if _differ(gold, outcome, ordered):
                return True
        return False


def _chosen(found: list[Neighbour], rng: Random, most: int) -> list[Neighbour]:
    """At most so many, dropped conditions before the rest."""
    if len(found) <= most:
        return found
    first = [n for n in found if n.kind == "dropped condition"]
    rest = [n for n in found if n.kind != "dropped condition"]
    rng.shuffle(rest)
    return [*first, *rest][:most]


def _blank(result: Result) -> bool:
    """No rows, or nothing but NULL, or one lonely zero."""
    return all(cell is None or (cell == 0 and len(result.rows) == 1) for row in result.rows for cell in row)


def _differ(gold: Result, other: Result, ordered: bool) -> bool:
    if len(gold.rows) != len(other.rows):
        return True
    if gold.rows == other.rows:
        return False
    if ordered:
        return True
    return Counter(gold.rows) != Counter(other.rows) and not same(gold, other)
