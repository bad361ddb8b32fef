"""Candidates of one question, grouped by equal results: the largest group wins."""

from __future__ import annotations

from collections.abc import Sequence

from mnemosyne.assistant.answers import Step
from mnemosyne.guard.query import SafeQuery
from mnemosyne.results import Result, same


def vote(steps: Sequence[Step]) -> tuple[Step, float]:
    """The first step of the largest group of equal results, and that group's share.

    Empty results stand behind full ones, and failing steps behind empty ones; the greedy draft wins ties.
    """
    groups: list[list[Step]] = []
    for step in steps:
        home = next((group for group in groups if _agree(group[0], step)), None)
        if home is None:
            groups.append([step])
        else:
            home.append(step)

    def weight(group: list[Step]) -> tuple[int, int]:
        outcome = group[0].outcome
        if group[0].problem:
            return 0, len(group)
        return (2 if outcome is None or (isinstance(outcome, Result) and outcome.rows) else 1), len(group)

    best = max(groups, key=weight)
    return best[0], len(best) / len(steps)


def _agree(one: Step, other: Step) -> bool:
    if isinstance(one.outcome, Result) and isinstance(other.outcome, Result):
        return same(one.outcome, other.outcome)
    if isinstance(one.checked, SafeQuery) and isinstance(other.checked, SafeQuery):
        return one.outcome is None and other.outcome is None and one.checked.sql == other.checked.sql
    return one.sql == other.sql
