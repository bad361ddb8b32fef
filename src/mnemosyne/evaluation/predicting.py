"""A model's answers to a bench: from a file, from a single greedy pass, or from the assistant.

Answers are appended to a file as they come, so that an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from mnemosyne import prompt
from mnemosyne.assistant import Answer, Assistant, Options, lexicon
from mnemosyne.databases import Database, Limits, open_database
from mnemosyne.datasets import Example
from mnemosyne.datasets.jsonl import read_lines
from mnemosyne.engines import Completion, Engine, Sampling
from mnemosyne.errors import EvaluationError, SettingsError
from mnemosyne.evaluation.benches import Bench
from mnemosyne.evaluation.replaying import ReplayingEngine
from mnemosyne.grounding import ValueIndex, store
from mnemosyne.grounding.names import Names
from mnemosyne.schema import Schema
from mnemosyne.settings import Settings

Progress = Callable[[str, int, int], None]
"""Called with what is going on, how many are done and how many there are."""


@dataclass(frozen=True, slots=True)
class Way:
    """How a model is used. Figures of different ways are never mixed."""

    votes: int = 1
    """Candidates per question at most; above 1 the best group of equal results answers."""
    repairs: int = 0
    """Further drafts at most after one that was refused or failed."""
    seed: int = 0
    """Of the candidates."""
    max_tokens: int = 400
    """New tokens of one draft at most."""
    grounding: bool = False
    """Whether the model is told which stored values the question means."""
    abstain: bool = False
    """Whether the assistant may give a question back instead of answering it."""
    linked: int = 0
    """Tokens of DDL that a larger schema is cut to, the tables that the question needs; 0 shows every schema whole.
    A last repair sees twice as much."""
    words: str = ""
    """Digest of a person's own synonyms, lexicon and excluded columns where they are in force; empty for none."""

    @property
    def plain(self) -> bool:
        """Whether this is one greedy pass on the prompt with nothing added: the model alone."""
        return self.votes == 1 and not self.repairs and not self.grounded

    @property
    def grounded(self) -> bool:
        """Whether the schema's stored values are read for this."""
        return self.grounding or self.abstain or self.linked > 0

    @property
    def label(self) -> str:
        """`greedy`, `greedy, hints, repairs 2`, `votes 5` …"""
        parts = [f"votes {self.votes}" if self.votes > 1 else "greedy"]
        parts += ["hints"] if self.grounding else []
        parts += [f"repairs {self.repairs}"] if self.repairs else []
        parts += ["may abstain"] if self.abstain else []
        parts += [f"linked {self.linked}"] if self.linked else []
        parts += [f"own words {self.words}"] if self.words else []
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Prediction:
    """What one model answered to one question, and at what cost. As JSONL, one object a line."""

    id: str
    """The example's id."""
    sql: str
    """PostgreSQL as the model wrote it, empty when it wrote none."""
    seconds: float = 0.0
    """From question to answer; with batches, slots share the machine."""
    tokens: int = 0
    """New tokens, all drafts."""
    prompt_tokens: int = 0
    """Prompt tokens, all drafts."""
    cached_tokens: int = 0
    """Prompt tokens that were in the cache."""
    repairs: int = 0
    """Further drafts that were needed."""
    votes: int = 1
    """Candidates asked for; a vote may end after half of them."""
    agreement: float | None = None
    """Share of the candidates that gave the answer's result, None without a vote."""
    finish: str = "stop"
    """`length` when the last draft was cut."""
    refusal: str = ""
    """Why there is no answer: the guard's rule, `failed`, `abstain`, `missing`, `too-long`, or `cut` before any SQL;
    empty when there is one."""
    assisted: bool = False
    """Whether the assistant gave it, which also reads replies in other dialects than PostgreSQL."""
    confidence: float | None = None
    """The assistant's probability that the answer is right, None where it gives none."""


_TYPES: Mapping[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "bool": (bool,), "float": (float, int)}
_FIELDS = {field.name: _TYPES[str(field.type).partition(" ")[0]] for field in fields(Prediction)}
_WORDS = {str: "text", int: "a whole number", bool: "true or false", float: "a number"}


def read_predictions(path: Path) -> dict[str, Prediction]:
    """Predictions by id, the last line of an id winning. A line needs `id` and `sql`; a torn last line is dropped.

    Raises EvaluationError, DatasetError.
    """
    found: dict[str, Prediction] = {}
    for number, row in read_lines(path, torn=True):
        if not isinstance(row.get("id"), str) or "sql" not in row:
            raise EvaluationError(
                f"{path}, line {number}: `id` and `sql` are needed.", hint='A line is {"id": "…", "sql": "…"}.'
            )
        values = {name: row[name] for name in _FIELDS if row.get(name) is not None}
        for name, value in values.items():
            if type(value) not in _FIELDS[name]:  # true is an int to isinstance
                raise EvaluationError(f"{path}, line {number}: `{name}` must be {_WORDS[_FIELDS[name][0]]}.")
        found[row["id"]] = Prediction(**({"sql": ""} | values))
    return found


def predict(
    engine: Engine,
    bench: Bench,
    way: Way,
    file: Path,
    *,
    limits: Limits,
    progress: Progress,
    drafts: Mapping[str, Prediction] | None = None,
    settings: Settings | None = None,
) -> dict[str, Prediction]:
    """Every answer of one model, those in `file` included; new ones are appended to it as they come.

    `drafts` are the same model's answers in a plain way, by id: another way starts from them instead of asking again.
    `settings` bring a person's own words to a way that has them. Raises EvaluationError, LexiconError, SettingsError.
    """
    mend(file)
    if drafts and not way.plain:
        engine = ReplayingEngine(engine, _known(bench, drafts))
    done = read_predictions(file) if file.exists() else {}
    todo = [example for example in bench.examples if example.id not in done]
    count = len(bench.examples) - len(todo)
    answers = _greedy if way.plain else partial(_assisted, settings=settings if way.words else None)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as out:
        progress(f"{engine.name}, {way.label}", count, len(bench.examples))
        for prediction in answers(engine, bench, todo, way, limits):
            out.write(json.dumps(asdict(prediction), ensure_ascii=False) + "\n")
            out.flush()
            done[prediction.id] = prediction
            count += 1
            progress(f"{engine.name}, {way.label}", count, len(bench.examples))
    return done


def _known(bench: Bench, drafts: Mapping[str, Prediction]) -> dict[str, Completion]:
    """Prompt text to the greedy draft that it is known to get."""
    ddl = {name: schema.to_ddl() for name, schema in bench.schemas.items()}
    return {
        prompt.build(ddl[example.schema], example.question).text: Completion(
            draft.sql,
            draft.tokens,
            draft.prompt_tokens,
            draft.cached_tokens,
            finish=draft.finish,
            seconds=draft.seconds,
        )
        for example in bench.examples
        if (draft := drafts.get(example.id)) and not draft.refusal
    }


def mend(file: Path) -> None:
    """Cut a last line that an interruption left unfinished. Nobody else may be writing: `running.alone` sees to it."""
    if file.exists() and (data := file.read_bytes()) and not data.endswith(b"\n"):
        file.write_bytes(data[: data.rfind(b"\n") + 1])


def _by_schema(examples: Sequence[Example]) -> Iterator[tuple[str, list[Example]]]:
    """Schema by schema, so that each prefix is read once."""
    groups: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        groups[example.schema].append(example)
    yield from groups.items()


def _greedy(
    engine: Engine, bench: Bench, examples: Sequence[Example], way: Way, limits: Limits
) -> Iterator[Prediction]:
    """One greedy draft a question, batched over the engine's slots; nothing runs."""
    for schema, group in _by_schema(examples):
        ddl = bench.schemas[schema].to_ddl()
        prompts = {example.id: prompt.build(ddl, example.question) for example in group}
        fit = [name for name, text in prompts.items() if _fits(engine, text, way)]
        yield from (Prediction(name, "", finish="length", refusal="too-long") for name in prompts.keys() - set(fit))
        sampling = Sampling(max_tokens=way.max_tokens)
        for index, [completion] in engine.complete_many([prompts[name] for name in fit], sampling):
            sql = prompt.extract_sql(completion.text)
            cut = not sql and completion.finish == "length"
            refusal = ("cut" if completion.prompt_tokens or completion.tokens else "too-long") if cut else ""
            yield Prediction(fit[index], sql, refusal=refusal, **_cost([completion]))


def _fits(engine: Engine, text: prompt.Prompt, way: Way) -> bool:
    return engine.count_tokens(text.text) + way.max_tokens <= engine.context


def _assisted(
    engine: Engine, bench: Bench, examples: Sequence[Example], way: Way, limits: Limits, settings: Settings | None
) -> Iterator[Prediction]:
    """The assistant's answers: it runs its drafts on the first population, repairs or votes."""
    options = Options(
        repairs=way.repairs,
        votes=way.votes,
        max_tokens=way.max_tokens,
        seed=way.seed,
        today=bench.today,
        grounding=way.grounding,
        abstain=way.abstain,
        linking=way.linked > 0,
        whole_tokens=way.linked,
        linked_tokens=way.linked,
        wide_tokens=2 * way.linked,
    )
    for example_schema, group in _by_schema(examples):
        schema = bench.schemas[example_schema]
        database = open_database(bench.worlds[example_schema][0])
        try:
            names = lexicon.chosen(settings, schema)
            values = _values(database, schema, settings, names) if way.grounded else None
            assistant = Assistant(engine, schema, database, database.dialect, options, limits, values, names=names)
            for index, answer in assistant.ask_many([example.question for example in group]):
                yield _from_answer(group[index].id, answer, way)
        finally:
            database.close()


def _values(database: Database, schema: Schema, settings: Settings | None, names: Names) -> ValueIndex:
    """The stored values of a population, read anew: what an earlier run kept would not be this run's."""
    if settings is None:
        return ValueIndex.build(database, schema)
    exclude, synonyms = store.excluded(settings), store.house_synonyms(settings)
    return ValueIndex.build(database, schema, exclude=exclude, synonyms=synonyms, names=names)


def own_words(settings: Settings) -> str:
    """Digest of the synonyms, the lexicon and the excluded columns that a person has set; empty for none.

    Raises SettingsError.
    """
    named = {"synonyms": settings.synonyms, "lexicon": settings.lexicon}
    files = {kind: Path(os.path.expanduser(name)) for kind, name in named.items() if name}
    if not files and not store.excluded(settings):
        return ""
    try:
        parts = {kind: file.read_bytes() for kind, file in files.items()}
    except OSError as error:
        raise SettingsError(
            f"{error.filename} cannot be read: {error.strerror}.", hint="See MNEMOSYNE_SYNONYMS and MNEMOSYNE_LEXICON."
        ) from None
    return hashlib.sha256(repr((parts, sorted(store.excluded(settings)))).encode()).hexdigest()[:6]


def _from_answer(example: str, answer: Answer, way: Way) -> Prediction:
    return Prediction(
        example,
        "" if answer.abstained else answer.written,
        repairs=sum(step.kind in ("mend", "repair") for step in answer.steps),
        votes=way.votes,
        agreement=answer.agreement,
        refusal=_why_not(answer),
        assisted=True,
        confidence=answer.confidence,
        **{**_cost([step.completion for step in answer.steps]), "seconds": answer.seconds},
    )


def _why_not(answer: Answer) -> str:
    if answer.abstained:
        return "abstain"
    if answer.refusal:
        cut = answer.refusal.code == "no-sql" and answer.steps[-1].completion.finish == "length"
        return "cut" if cut else answer.refusal.code
    if answer.problem and not answer.steps:
        return "too-long"
    return "failed" if answer.problem else ""


def _cost(completions: Sequence[Completion]) -> dict[str, Any]:
    return {
        "seconds": sum(completion.seconds for completion in completions),
        "tokens": sum(completion.tokens for completion in completions),
        "prompt_tokens": sum(completion.prompt_tokens for completion in completions),
        "cached_tokens": sum(completion.cached_tokens for completion in completions),
        "finish": completions[-1].finish if completions else "stop",
    }
