"""Candidates of one question, grouped by equal results: the best group answers.

Self-consistency over results (Wang et al. 2023; for SQL by execution, Li et al. 2022), with the first half of the
candidates drawn first: where they agree, the others cannot change the answer and are not drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mnemosyne.assistant.answers import Step
from mnemosyne.guard.query import SafeQuery
from mnemosyne.results import Result, same


@dataclass(frozen=True, slots=True)
class Count:
    """What a vote came to."""

    chosen: Step
    """The answer: of the best group the first candidate that lacks least."""
    agreement: float
    """That group's share of the candidates so far."""
    decided: bool
    """Whether the candidates that are still to come cannot change the answer's rows."""


def stages(votes: int) -> tuple[int, ...]:
    """How many candidates are drawn after the greedy one: so many that half are there, then the rest."""
    first = (votes + 1) // 2 - 1
    return tuple(size for size in (first, votes - 1 - first) if size)


def vote(steps: Sequence[Step], lacking: Callable[[Step], int], left: int = 0) -> Count:
    """Count one candidate a step; `left` are still to come.

    Groups whose result has rows come first, then empty ones, then what fails. Among these a group that does all that
    the question names comes before one that lacks a part (`lacking` counts the parts), then the larger one, then
    the one that was drawn first: the greedy draft wins ties.
    """
    groups: list[list[Step]] = []
    for step in steps:
        home = next((group for group in groups if _agree(group[0], step)), None)
        if home is None:
            groups.append([step])
        else:
            home.append(step)
    lacks = [min(map(lacking, group)) for group in groups]

    def weight(number: int) -> tuple[int, int, int]:
        return _rank(groups[number][0]), -lacks[number], len(groups[number])

    best = max(range(len(groups)), key=weight)
    size = len(groups[best])
    rivals = [len(group) + (number < best) for number, group in enumerate(groups) if number != best]
    unbeatable = weight(best)[:2] == (_FULL, 0) and all(size >= rival + left for rival in [0, *rivals])
    chosen = min(groups[best], key=lacking)
    return Count(chosen, size / len(steps), decided=unbeatable)


_FULL = 2


def _rank(step: Step) -> int:
    if step.problem:
        return 0
    return _FULL if step.outcome is None or (isinstance(step.outcome, Result) and step.outcome.rows) else 1


def _agree(one: Step, other: Step) -> bool:
    if isinstance(one.outcome, Result) and isinstance(other.outcome, Result):
        return same(one.outcome, other.outcome)
    if isinstance(one.checked, SafeQuery) and isinstance(other.checked, SafeQuery):
        return one.outcome is None and other.outcome is None and one.checked.sql == other.checked.sql
    return one.sql == other.sql
