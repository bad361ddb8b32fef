"""A question in, an `Answer` out: draft, check, run, repair, vote. The trace is part of the answer.

This room knows no dialect and no model: an engine writes, the guard checks, a database runs. What the
guard refused never runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mnemosyne import guard, prompt
from mnemosyne.assistant import lexicon, mending
from mnemosyne.assistant.answers import DECLINED, Answer, Options, Step, for_people, not_a_question
from mnemosyne.assistant.form import formed, unformed
from mnemosyne.assistant.signs import says, signs, signs_of
from mnemosyne.assistant.unmet import unmet, with_window
from mnemosyne.assistant.voting import stages, vote
from mnemosyne.databases import Database, Limits
from mnemosyne.engines import Completion, Engine, Sampling
from mnemosyne.errors import PromptTooLong
from mnemosyne.grounding import Abstention, Grounded, Grounder, ValueIndex, doubts, understand
from mnemosyne.grounding.confidence import probability
from mnemosyne.grounding.names import Names
from mnemosyne.grounding.store import keep
from mnemosyne.guard.policy import Policy, read_policy
from mnemosyne.guard.query import Dialect, Refusal, SafeQuery
from mnemosyne.results import Failure, Result
from mnemosyne.schema import Schema

if TYPE_CHECKING:
    from types import TracebackType

    from mnemosyne.settings import Settings

__all__ = ["DECLINED", "Answer", "Assistant", "Options", "Step", "generate_sql", "not_a_question", "signs_of"]

SPLIT = 0.5
"""Share of the candidates below which their readings are shown to the person."""

VOTED_TOGETHER = 8
"""Questions of `ask_many` whose greedy drafts are written side by side before they are voted on."""

CANDIDATE_TOKENS = 160
"""A candidate of a vote may take so many tokens, or three times those of the greedy draft: some never end."""


@dataclass(slots=True)
class Assistant:
    """Answers questions about one database, or writes SQL for one schema."""

    engine: Engine
    """The model."""
    schema: Schema
    """All tables of the database; `policy` says which part of them may be asked about."""
    database: Database | None = None
    """Where queries run; None to write SQL only."""
    dialect: Dialect = "postgres"
    """What the SQL is printed in."""
    options: Options = field(default_factory=Options)
    """How hard to work."""
    limits: Limits = field(default_factory=Limits)
    """What one query may use."""
    values: ValueIndex | None = None
    """Stored values that questions may mean; None to tell the model nothing."""
    review: Callable[[SafeQuery], bool] | None = None
    """Asked before each query runs; False means that the person does not want it run."""
    policy: Policy | None = None
    """What may be read, None for everything. The model is not shown the rest, and no draft, repair or vote gets past
    it. `values` must have been read under the same policy, as `open` and `over` do."""
    names: Names = field(default_factory=Names)
    """What people call things here; `values` must have been made with the same."""
    grounder: Grounder = field(init=False)
    """Finds what a question means in the schema and its values."""

    def __post_init__(self) -> None:
        self.grounder = Grounder(
            guard.visible(self.schema, self.policy, self.dialect),
            self.values,
            whole_tokens=self.options.whole_tokens,
            linked_tokens=self.options.linked_tokens,
            wide_tokens=self.options.wide_tokens,
            words_of=self.schema,
            names=self.names,
        )

    @property
    def ddl(self) -> str:
        """The whole schema as the model reads it."""
        return self.grounder.ddl

    @classmethod
    def open(
        cls,
        url: str,
        *,
        model: str | None = None,
        settings: Settings | None = None,
        options: Options | None = None,
        policy: Policy | Path | str | None = None,
    ) -> Assistant:
        """An assistant for the database at `url` with the model `model` (default: the setting `model`).

        `policy`, or the name of its YAML file, says what may be read; without one it is everything.

        Raises:
            SettingsError: the policy cannot be read, or does not fit the database.
            DatabaseError: the database cannot be opened.
            WeightsError, EngineError: the model cannot be had.
        """
        from mnemosyne import settings as settings_room
        from mnemosyne.databases import open_database
        from mnemosyne.engines import open_engine

        chosen = settings or settings_room.load()
        rules = policy if policy is None or isinstance(policy, Policy) else read_policy(Path(policy))
        database = open_database(url)
        try:
            guard.visible(database.schema(), rules, database.dialect)
            engine = open_engine(model or chosen.model, chosen)
        except BaseException:
            database.close()
            raise
        limits = Limits(chosen.query_timeout_seconds, chosen.max_rows, chosen.max_bytes, chosen.memory_mb)
        try:
            return cls.over(engine, database, options=options, limits=limits, settings=chosen, policy=rules)
        except BaseException:
            engine.close()
            database.close()
            raise

    @classmethod
    def over(
        cls,
        engine: Engine,
        database: Database,
        *,
        options: Options | None = None,
        limits: Limits | None = None,
        settings: Settings | None = None,
        policy: Policy | None = None,
    ) -> Assistant:
        """An assistant for an open database and a loaded model.

        With settings its values are kept beside the cache and their lexicon is read. Raises LexiconError.
        """
        chosen = options or Options()
        schema = database.schema()
        names = lexicon.chosen(settings, schema)
        values = None
        if chosen.grounding:
            if settings is None:
                values = ValueIndex.build(database, schema, policy=policy)
            else:
                values = keep(database, schema, settings, policy, names)
        return cls(
            engine, schema, database, database.dialect, chosen, limits or Limits(), values, policy=policy, names=names
        )

    def ask(self, question: str, *, on_step: Callable[[Step], None] | None = None) -> Answer:
        """The answer to one question. `on_step` hears of every attempt as it happens. Raises EngineError."""
        started = time.perf_counter()
        if problem := not_a_question(question):
            return Answer(question, "", "", None, problem, ())
        ground = self._ground(question)
        if ground.abstention is not None:
            return _given_back(question, ground, time.perf_counter() - started)
        asked = _prompt(question, ground)
        if problem := self._too_long(asked):
            return Answer(question, "", "", None, problem, ())
        [draft] = self.engine.complete(asked, self._greedy())
        return self._conclude(question, ground, asked, draft, started, on_step)

    def ask_many(self, questions: Sequence[str]) -> Iterator[tuple[int, Answer]]:
        """(index, answer) for every question, in the order they finish; drafts are batched where the engine can."""
        fit: list[tuple[int, Grounded, prompt.Prompt]] = []
        for index, question in enumerate(questions):
            if problem := not_a_question(question):
                yield index, Answer(question, "", "", None, problem, ())
                continue
            ground = self._ground(question)
            asked = _prompt(question, ground)
            if ground.abstention is not None:
                yield index, _given_back(question, ground, 0.0)
            elif problem := self._too_long(asked):
                yield index, Answer(question, "", "", None, problem, ())
            else:
                fit.append((index, ground, asked))
        window = len(fit) if self.options.votes <= 1 else VOTED_TOGETHER
        for start in range(0, len(fit), window or 1):
            part = fit[start : start + window]
            drafts = self.engine.complete_many([asked for _, _, asked in part], self._greedy())
            # Votes want all slots, so the drafts of a window are finished before its votes begin.
            for position, [draft] in drafts if self.options.votes <= 1 else list(drafts):
                index, ground, asked = part[position]
                started = time.perf_counter() - draft.seconds
                yield index, self._conclude(questions[index], ground, asked, draft, started, None)

    def close(self) -> None:
        """Close the database and free the model."""
        self.engine.close()
        if self.database is not None:
            self.database.close()

    def __enter__(self) -> Assistant:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ground(self, question: str) -> Grounded:
        options = self.options
        return self.grounder.ground(question, hints=options.grounding, linking=options.linking, abstain=options.abstain)

    def _too_long(self, asked: prompt.Prompt) -> str:
        """Why a prompt does not fit the model, in words for a person; empty when it fits."""
        tokens = self.engine.count_tokens(asked.text)
        room = self.engine.context - self.options.max_tokens
        if tokens <= room:
            return ""
        return (
            f"Schema and question take {tokens:,} tokens, and the model reads {room:,} beside its answer. "
            "Ask about fewer tables, or use a larger context (MNEMOSYNE_CONTEXT)."
        )

    def _greedy(self) -> Sampling:
        return Sampling(max_tokens=self.options.max_tokens, seed=self.options.seed)

    def _conclude(
        self,
        question: str,
        ground: Grounded,
        asked: prompt.Prompt,
        draft: Completion,
        started: float,
        on_step: Callable[[Step], None] | None,
    ) -> Answer:
        """Check and run the greedy draft, vote or repair, and say what came of it."""
        steps: list[Step] = []

        def hear(step: Step) -> Step:
            steps.append(step)
            if on_step is not None:
                on_step(step)
            return step

        chosen, agreement = hear(self._try("draft", draft)), None
        if self.options.votes > 1:
            chosen, agreement = self._elected(question, ground, asked, chosen, hear)
        for step in self._repairs(question, ground, chosen):
            chosen = hear(step)
        if any(step.wide for step in steps):
            ground = ground.widened()
        for step in self._completed(question, ground, chosen):
            if self._is_nearer(question, ground, hear(step), chosen):
                chosen = step
        query = chosen.checked if isinstance(chosen.checked, SafeQuery) else None
        return Answer(
            question=question,
            sql=chosen.checked.sql if isinstance(chosen.checked, SafeQuery) else "",
            written=chosen.sql,
            result=chosen.outcome if isinstance(chosen.outcome, Result) else None,
            problem=for_people(chosen),
            steps=tuple(steps),
            hints=ground.hints,
            agreement=agreement,
            lacks=self._lacks(question, ground, chosen),
            tables=ground.tables,
            understood=understand(query, self.options.today) if query is not None else None,
            abstained=self._doubt(chosen, steps, agreement) if self.options.abstain else None,
            confidence=None
            if chosen.problem
            else probability(signs(chosen, steps, agreement), self.engine.adapter_sha256),
            seconds=time.perf_counter() - started,
        )

    def _doubt(self, chosen: Step, steps: Sequence[Step], agreement: float | None) -> Abstention | None:
        """Why an answer is not to be trusted although there may be one."""
        if isinstance(chosen.checked, Refusal):
            silent = chosen.checked.code == "no-sql" and chosen.completion.finish != "length"
            return Abstention("no-sql", ()) if silent else None
        empty = isinstance(chosen.outcome, Result) and not any(says(row) for row in chosen.outcome.rows)
        if empty and self.values is not None and (doubt := doubts.unstored(chosen.checked, self.values)):
            return doubt
        if agreement is not None and len(steps) >= 3 and agreement < SPLIT:
            readings = dict.fromkeys(step.sql for step in steps if not step.problem)
            return Abstention("votes", (), tuple(readings)[:3])
        return None

    def _elected(
        self,
        question: str,
        ground: Grounded,
        asked: prompt.Prompt,
        greedy: Step,
        hear: Callable[[Step], Step],
    ) -> tuple[Step, float]:
        """The candidate that a vote chooses, and its group's share; what can surely be mended is before it counts."""

        def ballot(step: Step) -> Step:
            mended = self._mended(step) if self.options.repairs and step.repairable else None
            return step if mended is None else hear(mended)

        longest = min(self.options.max_tokens, max(CANDIDATE_TOKENS, 3 * greedy.completion.tokens))
        ballots = [ballot(greedy)]
        count = vote(ballots, lambda step: len(self._lacks(question, ground, step)))
        for size in stages(self.options.votes):
            seed = self.options.seed + len(ballots) - 1
            drawn = replace(self._greedy(), n=size, temperature=self.options.temperature, max_tokens=longest, seed=seed)
            ballots += [ballot(hear(self._try("vote", each))) for each in self.engine.complete(asked, drawn)]
            left = self.options.votes - len(ballots)
            count = vote(ballots, lambda step: len(self._lacks(question, ground, step)), left)
            if count.decided:
                break
        return count.chosen, count.agreement

    def _repairs(self, question: str, ground: Grounded, failed: Step) -> Iterator[Step]:
        """Further drafts, each told what was wrong with the one before; ends when one is an answer.

        They are greedy until one repeats what failed. A greedy model would then say the same for ever, so the rest
        are drawn at the temperature of votes, each with a seed of its own. What failed once is not run again.
        Where the model saw a part of the schema, the last one sees more of it.
        """
        tried = {_words_of(failed.sql): failed}
        if self.options.repairs and (mended := self._mended(failed)) is not None:
            yield mended
            if not mended.repairable:
                return
            tried[_words_of(mended.sql)] = mended
        draw, stuck = self._greedy(), False
        for number in range(1, self.options.repairs + 1):
            if not failed.repairable:
                return
            wide = ground.wider and number == self.options.repairs
            if stuck and not wide:
                continue
            attempt = prompt.Attempt(failed.sql, failed.problem)
            ways = [_prompt(question, part, attempt) for part in ((ground.widened(), ground) if wide else (ground,))]
            asked = next((way for way in ways if not self._too_long(way)), None)
            if asked is None:
                return
            if (completion := self._again(asked, self._greedy() if wide else draw)) is None:
                return
            known = tried.get(_words_of(prompt.extract_sql(completion.text)))
            if known is None:
                failed = self._try("repair", completion)
                tried[_words_of(failed.sql)] = failed
            else:
                failed = replace(known, kind="repair", completion=completion)
                draw = replace(draw, temperature=self.options.temperature, seed=self.options.seed + number)
            failed = replace(failed, wide=bool(wide) and asked is ways[0])
            yield failed
            stuck = known is not None and self.options.temperature <= 0

    def _completed(self, question: str, ground: Grounded, answer: Step) -> Iterator[Step]:
        """A further draft of an answer that has no word of what the question names: mended, or written anew once."""
        if not self.options.repairs or not self._may_lack(answer):
            return
        if (sql := formed(question, answer.sql, self.schema)) is not None:
            mended = self._try_sql("mend", sql, Completion(sql, logprobs=answer.completion.logprobs))
            if not mended.problem:
                yield mended
                answer = mended
        lacks = self._lacks(question, ground, answer)
        if not lacks:
            return
        if (sql := with_window(ground, question, answer.sql, self.options.today)) is not None:
            mended = self._try_sql("mend", sql, Completion(sql, logprobs=answer.completion.logprobs))
            if not mended.problem:
                yield mended
                return
        attempt = prompt.Attempt(answer.sql, " ".join(lacks))
        asked = _prompt(question, ground, attempt)
        if self._too_long(asked) or (completion := self._again(asked, self._greedy())) is None:
            return
        if _words_of(prompt.extract_sql(completion.text)) != _words_of(answer.sql):
            yield self._try("repair", completion)

    def _again(self, asked: prompt.Prompt, sampling: Sampling) -> Completion | None:
        """A further draft; None where the server finds its longer prompt too long."""
        try:
            return self.engine.complete(asked, sampling)[0]
        except PromptTooLong:
            return None

    def _may_lack(self, step: Step) -> bool:
        return not step.problem and isinstance(step.checked, SafeQuery) and self.options.grounding

    def _lacks(self, question: str, ground: Grounded, step: Step) -> tuple[str, ...]:
        """What the question names or asks for and an answer does not do."""
        if not self._may_lack(step) or not isinstance(step.checked, SafeQuery):
            return ()
        sql = step.checked.source
        return (*unmet(ground, sql, self.options.today), *unformed(question, sql))

    def _is_nearer(self, question: str, ground: Grounded, step: Step, chosen: Step) -> bool:
        """Whether a further draft takes the place of the one before: it runs and lacks less; a mended one, no more."""
        less = len(self._lacks(question, ground, step)) - len(self._lacks(question, ground, chosen))
        return not step.problem and (less < 0 or (less == 0 and step.kind == "mend"))

    def _mended(self, failed: Step) -> Step | None:
        """The draft with what its joins or groups lack, where that is certain and the result passes the guard."""
        sql = None
        code = failed.checked.code if isinstance(failed.checked, Refusal) else ""
        if code in ("unknown-column", "unknown-table"):
            sql = mending.mend(failed.sql, self.schema)
        elif code == "grouping" or (isinstance(failed.outcome, Failure) and "GROUP BY" in failed.outcome.message):
            sql = mending.group(failed.sql)
        if sql is None:
            return None
        step = self._try_sql("mend", sql, Completion(sql, logprobs=failed.completion.logprobs))
        return None if isinstance(step.checked, Refusal) else step

    def _try(self, kind: Literal["draft", "repair", "vote"], completion: Completion) -> Step:
        """Check one draft and, if it passes and may run, run it."""
        return self._try_sql(kind, prompt.extract_sql(completion.text), completion)

    def _try_sql(self, kind: Literal["draft", "mend", "repair", "vote"], sql: str, completion: Completion) -> Step:
        checked = (
            guard.check_reply(sql, self.schema, target=self.dialect, today=self.options.today, policy=self.policy)
            if sql
            else _no_sql(completion)
        )
        outcome: Result | Failure | None = None
        if isinstance(checked, SafeQuery) and self.options.run and self.database is not None:
            if self.review is None or self.review(checked):
                outcome = self.database.run(checked, self.limits)
            else:
                outcome = Failure("cancelled", DECLINED)
        return Step(kind, sql, checked, outcome, completion)


def generate_sql(
    schema: str,
    question: str,
    *,
    model: str | None = None,
    dialect: Dialect = "postgres",
    policy: Policy | None = None,
) -> str:
    """SQL for a question about a schema given as DDL, checked by the guard; the shortest way to the model.

    Raises:
        SchemaError: the DDL holds no table.
        SettingsError, LexiconError: the policy, or the lexicon of the settings, does not fit the schema.
        WeightsError, EngineError: the model cannot be had, or fails.
        AnswerRefused: there is no SQL: the model's did not pass the guard, even after repair, or the question is empty
            or does not fit the model.
    """
    from mnemosyne import settings as settings_room
    from mnemosyne.engines import open_engine
    from mnemosyne.errors import AnswerRefused

    settings = settings_room.load()
    tables = Schema.from_ddl(schema)
    names = lexicon.chosen(settings, tables)
    engine = open_engine(model or settings.model, settings)
    try:
        answer = Assistant(engine, tables, dialect=dialect, policy=policy, names=names).ask(question)
    finally:
        engine.close()
    if answer.problem:
        raise AnswerRefused(answer.problem, hint="Ask with other words, or look at the schema.")
    return answer.sql


def _prompt(question: str, ground: Grounded, attempt: prompt.Attempt | None = None) -> prompt.Prompt:
    """The question as the model reads it; a part of the schema will not be read for another one."""
    return prompt.build(ground.ddl, question, hints=ground.hints, attempt=attempt, lasting=not ground.tables)


def _given_back(question: str, ground: Grounded, seconds: float) -> Answer:
    """The answer to a question that no model is asked."""
    problem = ground.abstention.message if ground.abstention is not None else ""
    return Answer(
        question, "", "", None, problem, (), ground.hints, tables=ground.tables, abstained=ground.abstention,
        seconds=seconds,
    )  # fmt: skip


def _no_sql(completion: Completion) -> Refusal:
    if completion.finish == "length":
        return Refusal("no-sql", "The answer was cut before any SQL appeared.")
    return Refusal("no-sql", "The model answered without SQL.", hint="Answer with one SELECT statement.")


def _words_of(sql: str) -> str:
    """The text of a query however it is laid out."""
    return " ".join(sql.split())
