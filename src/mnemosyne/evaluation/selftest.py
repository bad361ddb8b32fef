"""The test that comes before any score: every gold, judged as an answer, must be right.

It runs on the bench's own engine and, for the laboratory, on the others too: the same gold,
translated, must return the same rows there. A bench that fails it has no figures.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol, cast

from mnemosyne.databases import Limits
from mnemosyne.datasets import Example
from mnemosyne.errors import EvaluationError
from mnemosyne.evaluation.benches import Bench
from mnemosyne.evaluation.judging import Answer, Outcome, Task
from mnemosyne.evaluation.ordering import order_counts
from mnemosyne.guard.query import Dialect


class Judges(Protocol):
    """Whoever turns tasks into outcomes: `workers.Workers` or `cluster.Cluster`."""

    def run(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """The outcome of every task, in any order."""
        ...


@dataclass(frozen=True, slots=True)
class SelfTest:
    """What the self-test found."""

    engines: tuple[str, ...]
    """Engines on which every gold was right."""
    golds: int
    """How many golds."""
    empty: tuple[str, ...]
    """Ids of golds that return nothing on any population: an answer is right there too easily."""
    ties: tuple[str, ...] = ()
    """Ids of golds whose LIMIT cuts a tie on some population: a right answer may return another of the equal rows."""


def task_of(bench: Bench, example: Example, answers: tuple[Answer, ...], limits: Limits) -> Task:
    """One example of a bench as a task."""
    return Task(
        example.id,
        example.sql,
        cast(Dialect, example.dialect),
        bench.schemas[example.schema],
        bench.worlds[example.schema],
        answers,
        order_counts(example),
        bench.today,
        limits,
    )


def self_test(bench: Bench, judges: Judges, limits: Limits) -> SelfTest:
    """Judge every gold against itself on every engine. Raises EvaluationError, naming the golds that fail."""
    engines = (bench.engine, *bench.mirrors)
    tasks = [replace(task_of(bench, example, _golds(bench, example), limits), ties=True) for example in bench.examples]
    outcomes = list(judges.run(tasks))
    problems = [problem for outcome in outcomes for problem in _problems(outcome, engines)]
    if problems:
        shown = "\n  ".join(sorted(problems)[:20])
        raise EvaluationError(
            f"{len(problems)} golds of {bench.name} fail against themselves; no figure would mean anything:\n  {shown}",
            hint="Mend these golds, or leave them out of the bench.",
        )
    empty = sorted(outcome.id for outcome in outcomes if not any(outcome.rows))
    ties = sorted(outcome.id for outcome in outcomes if outcome.tied)
    return SelfTest(engines, len(outcomes), tuple(empty), tuple(ties))


def _golds(bench: Bench, example: Example) -> tuple[Answer, ...]:
    """The gold as an answer on every engine."""
    written = cast(Dialect, example.dialect)
    mirrors = (Answer(example.sql, written, worlds[example.schema]) for worlds in bench.mirrors.values())
    return (Answer(example.sql, written), *mirrors)


def _problems(outcome: Outcome, engines: tuple[str, ...]) -> Iterator[str]:
    if outcome.problem:
        yield f"{outcome.id}: {outcome.problem}"
    for engine, verdict in zip(engines, outcome.verdicts, strict=False):
        if not verdict.runs:
            yield f"{outcome.id}: {verdict.code} on {engine}: {verdict.reason}"
        elif not all(verdict.strict):
            wrong = [str(number) for number, right in enumerate(verdict.strict, 1) if not right]
            yield f"{outcome.id}: other rows on {engine}, population {', '.join(wrong)}"
