"""Run one gold query and the answers to it on every population, and say which answers are right.

This is the work of one worker on one example. It knows nothing of processes: `workers` calls it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date

from sqlglot.errors import ParseError, SqlglotError

from mnemosyne import guard
from mnemosyne.databases import Database, Limits
from mnemosyne.evaluation.ordering import Keyed, with_keys
from mnemosyne.evaluation.ties import uncut
from mnemosyne.guard import Refusal, SafeQuery
from mnemosyne.guard.query import Dialect
from mnemosyne.results import Failure, Result, Row, same
from mnemosyne.schema import Schema

PREVIEW_ROWS = 12
"""Rows of a result that are kept for the report."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One query to be judged."""

    sql: str
    """As the model wrote it; empty when it wrote none."""
    written: Dialect = "postgres"
    """The dialect of `sql`."""
    worlds: tuple[str, ...] = ()
    """URLs of the populations to run it on, parallel to the gold's; empty for the gold's own."""
    assisted: bool = False
    """Whether the assistant gave it, which also reads replies in other dialects than the one asked for."""


@dataclass(frozen=True, slots=True)
class Task:
    """One gold query and every answer to it."""

    id: str
    """The example's id."""
    gold: str
    """The gold query."""
    dialect: Dialect
    """The dialect of `gold`."""
    schema: Schema
    """What the guard checks names against."""
    worlds: tuple[str, ...]
    """URLs of the populations; all of one engine."""
    answers: tuple[Answer, ...]
    """What is judged."""
    ordered: bool = False
    """Whether the question asks for an order."""
    today: date | None = None
    """The frozen clock."""
    limits: Limits = field(default_factory=Limits)
    """What one query may use."""
    ties: bool = False
    """Whether to look for ties that the gold's LIMIT cuts."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one answer."""

    strict: tuple[bool, ...] = ()
    """Right on each population."""
    lenient: tuple[bool, ...] = ()
    """Right on each population if extra columns are forgiven."""
    unordered: bool = False
    """Right on every population if order is forgiven: for the diagnosis."""
    runs: bool = False
    """Runs on every population."""
    code: str = ""
    """Why it did not run: `no-sql`, the guard's rule, or `error`, `timeout`, `memory`, `cancelled`, `crash`."""
    reason: str = ""
    """The same in words."""
    sql: str = ""
    """What ran, in the dialect of the database."""
    seconds: float = 0.0
    """Time in the database, all populations."""
    shown: Result | None = None
    """The first rows on the first population where it is wrong (or the first one)."""
    shown_world: int = 0
    """Which population `shown` is of."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one task."""

    id: str
    """The example's id."""
    verdicts: tuple[Verdict, ...]
    """Parallel to the task's answers; empty when the gold failed."""
    problem: str = ""
    """Why the gold cannot be trusted: refused, failing or truncated. Empty when it can."""
    rows: tuple[int, ...] = ()
    """Rows of the gold on each population."""
    shown: tuple[Result, ...] = ()
    """The first rows of the gold on each population."""
    tied: bool = False
    """Whether the gold's LIMIT cuts a tie on some population, where the task asks for that."""


Step = tuple[int, int]
"""(answer, population); answer -1 is the gold, -2 the gold without its LIMIT."""

Note = Callable[[Step], None]


@dataclass(frozen=True, slots=True)
class _Gold:
    result: Result
    keys: list[Row] | None


def judge(
    task: Task,
    open_world: Callable[[str], Database],
    *,
    lost: Mapping[Step, Failure] | None = None,
    note: Note = lambda step: None,
) -> Outcome:
    """Run and compare everything of one task.

    `note` is told each step before it starts. `lost` names steps that ended a worker before: they
    are not tried again but fail with what is written there.
    """
    runner = _Runner(task, open_world, lost or {}, note)
    golds = runner.golds()
    if isinstance(golds, str):
        return Outcome(task.id, (), golds)
    verdicts = tuple(runner.verdict(number, answer, golds) for number, answer in enumerate(task.answers))
    return Outcome(
        task.id,
        verdicts,
        rows=tuple(len(gold.result.rows) for gold in golds),
        shown=tuple(_preview(gold.result) for gold in golds),
        tied=task.ties and runner.tied(),
    )


@dataclass(frozen=True, slots=True)
class _Runner:
    task: Task
    open_world: Callable[[str], Database]
    lost: Mapping[Step, Failure]
    note: Note

    def golds(self) -> list[_Gold] | str:
        """The gold on each population, or why it cannot be trusted."""
        try:
            keyed = with_keys(self.task.gold, self.task.dialect) if self.task.ordered else None
        except SqlglotError as error:
            return f"does not parse: {_said(error)}"
        query = self.check_gold(keyed.sql if keyed else self.task.gold)
        if keyed and keyed.appended and isinstance(query, Refusal):
            keyed = Keyed(self.task.gold, total=True)  # such as an output name inside a sort expression
            query = self.check_gold(keyed.sql)
        if isinstance(query, Refusal):
            return f"refused by the guard: {query.reason}"
        golds = []
        for world, url in enumerate(self.task.worlds):
            result = self.run((-1, world), url, query)
            if isinstance(result, Failure):
                return f"{result.kind} on population {world + 1}: {result.message}"
            if result.truncated:
                return f"{_limit(result, self.task.limits)} on population {world + 1}"
            golds.append(_split(keyed, result))
        return golds

    def tied(self) -> bool:
        """Whether the gold's LIMIT cuts a tie on some population; False where that cannot be found out."""
        whole = uncut(self.task.gold, self.task.dialect)
        query = self.check_gold(whole.keyed.sql) if whole else None
        if whole is None or not isinstance(query, SafeQuery):
            return False
        results = (self.run((-2, world), url, query) for world, url in enumerate(self.task.worlds))
        return any(isinstance(result, Result) and whole.tied(result) for result in results)

    def check_gold(self, sql: str) -> SafeQuery | Refusal:
        """The gold, or the gold with its sort keys, as the database would run it."""
        return self.check(Answer(sql, self.task.dialect, self.task.worlds))

    def check(self, answer: Answer) -> SafeQuery | Refusal:
        """The answer as the database of its populations would run it."""
        target = self.open_world((answer.worlds or self.task.worlds)[0]).dialect
        if answer.assisted:
            return guard.check_reply(answer.sql, self.task.schema, target=target, today=self.task.today)
        return guard.check(answer.sql, self.task.schema, target=target, written=answer.written, today=self.task.today)

    def run(self, step: Step, url: str, query: SafeQuery) -> Result | Failure:
        """One query on one population."""
        if step in self.lost:
            return self.lost[step]
        self.note(step)
        return self.open_world(url).run(query, self.task.limits)

    def verdict(self, number: int, answer: Answer, golds: list[_Gold]) -> Verdict:
        """What becomes of one answer."""
        if not answer.sql.strip():
            return _nothing(golds, "no-sql", "The model wrote no SQL.")
        if (lost := self.lost.get((number, 0))) is not None:
            return _nothing(golds, lost.kind, lost.message)
        self.note((number, 0))  # what hangs or ends the process while it is read is this answer, not the query before
        query = self.check(answer)
        if isinstance(query, Refusal):
            return _nothing(golds, query.code, query.reason)
        results: list[Result] = []
        for world, url in enumerate(answer.worlds or self.task.worlds):
            result = self.run((number, world), url, query)
            if isinstance(result, Failure):
                return _failed(golds, results, result, query)
            results.append(result)
        return _compare(golds, results, query)


def _limit(result: Result, limits: Limits) -> str:
    """Which limit cut a result."""
    if len(result.rows) >= limits.max_rows:
        return f"more than {limits.max_rows} rows"
    return f"more than {limits.max_bytes:,} bytes of rows"


def _split(keyed: Keyed | None, result: Result) -> _Gold:
    return _Gold(*keyed.split(result)) if keyed else _Gold(result, None)


def _nothing(golds: list[_Gold], code: str, reason: str, sql: str = "") -> Verdict:
    wrong = (False,) * len(golds)
    return Verdict(wrong, wrong, code=code, reason=reason, sql=sql)


def _failed(golds: list[_Gold], results: list[Result], failure: Failure, query: SafeQuery) -> Verdict:
    """An answer that ran on the populations of `results` and failed on the next one."""
    rest = (False,) * (len(golds) - len(results))
    strict, lenient = _right(golds[: len(results)], results)
    return Verdict(strict + rest, lenient + rest, code=failure.kind, reason=failure.message, sql=query.sql)


def _right(golds: list[_Gold], results: list[Result]) -> tuple[tuple[bool, ...], tuple[bool, ...]]:
    """Right on each population: strictly, and with extra columns forgiven."""
    pairs = list(zip(golds, results, strict=True))
    strict = tuple(same(gold.result, result, order_keys=gold.keys) for gold, result in pairs)
    lenient = tuple(
        right or same(gold.result, result, order_keys=gold.keys, extra_columns=True)
        for right, (gold, result) in zip(strict, pairs, strict=True)
    )
    return strict, lenient


def _compare(golds: list[_Gold], results: list[Result], query: SafeQuery) -> Verdict:
    strict, lenient = _right(golds, results)
    world = strict.index(False) if False in strict else 0
    return Verdict(
        strict,
        lenient,
        unordered=all(strict) or all(same(g.result, r) for g, r in zip(golds, results, strict=True)),
        runs=True,
        sql=query.sql,
        seconds=sum(result.seconds for result in results),
        shown=_preview(results[world]),
        shown_world=world,
    )


def _preview(result: Result) -> Result:
    cut = result.truncated or len(result.rows) > PREVIEW_ROWS
    return Result(result.columns, result.rows[:PREVIEW_ROWS], cut, result.seconds)


def _said(error: SqlglotError) -> str:
    """What a parser says, without the colours that it underlines with."""
    described = error.errors[0].get("description") if isinstance(error, ParseError) and error.errors else ""
    return described or str(error).partition("\n")[0]
