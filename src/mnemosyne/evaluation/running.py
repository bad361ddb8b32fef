"""One evaluation from start to end: self-test, answers, judging, scores, and the run's folder.

RUN/run.json                 what was measured and every figure
RUN/scores/MODEL.jsonl       one line per question
RUN/predictions/MODEL.jsonl  the answers as they came; an interrupted run starts from them
RUN/recipe.json              which bench and which systems; a later run adds its systems to it
RUN/report.html, report.md   the same for people
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from mnemosyne import guard, locks
from mnemosyne.databases import Limits
from mnemosyne.errors import EvaluationError
from mnemosyne.evaluation import METRIC
from mnemosyne.evaluation.benches import Bench, identity
from mnemosyne.evaluation.judging import Answer, Verdict
from mnemosyne.evaluation.predicting import Prediction, Progress, Way, predict, read_predictions
from mnemosyne.evaluation.scoring import Score, abstention, score
from mnemosyne.evaluation.selftest import Judges, SelfTest, self_test, task_of
from mnemosyne.guard import Refusal
from mnemosyne.guard.query import Dialect
from mnemosyne.results import Result
from mnemosyne.settings import Settings


@dataclass(frozen=True, slots=True)
class System:
    """One model used in one way."""

    name: str
    """What `--model` called it, or the name of a file of predictions."""
    way: Way | None
    """How it is used; None when its predictions were made elsewhere."""
    file: Path
    """Where its predictions are."""
    weights: Mapping[str, str] = field(default_factory=dict)
    """sha256 of weights and adapter, where known."""
    dialect: Dialect = "postgres"
    """What its SQL is written in; other than PostgreSQL only where it was made elsewhere."""

    @property
    def label(self) -> str:
        """Model and way."""
        return f"{self.name} ({self.how})"

    @property
    def how(self) -> str:
        """The way, or that the answers came in a file, with their dialect where it is not PostgreSQL."""
        if self.way:
            return self.way.label
        return "file" if self.dialect == "postgres" else f"file, {self.dialect}"


@dataclass(frozen=True, slots=True)
class Judged:
    """Every answer of every system, judged."""

    scores: Mapping[str, Sequence[Score]]
    """Label of a system to its scores, in the order of the bench."""
    verdicts: Mapping[str, Sequence[Verdict]] = field(default_factory=dict)
    """The same for verdicts; empty for a bench without golds."""
    golds: Mapping[str, Sequence[Result]] = field(default_factory=dict)
    """Example to the first rows of its gold on each population."""


_REMOTE = ("openai:", "http://", "https://")
"""How the names of models on other servers begin."""


def slug(text: str) -> str:
    """A file name for a model; names that differ stay apart."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-")[-60:]
    return plain if plain == text else f"{plain}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def model_system(name: str, way: Way, folder: Path, settings: Settings) -> System:
    """A model by the name that `--model` gave it. Raises WeightsError."""
    known: dict[str, str] = {}
    local = name.removeprefix("transformers:")
    if not name.startswith(_REMOTE) and not Path(local).is_dir():
        from mnemosyne.weights import resolve

        model = resolve(local, settings)
        known = {"sha256": model.sha256, "base": model.base}
        if model.adapter_sha256:
            known["adapter_sha256"] = model.adapter_sha256
    return System(name, way, folder / "predictions" / f"{slug(name)}.{slug(way.label)}.jsonl", known)


def collect(
    system: System, bench: Bench, settings: Settings, limits: Limits, progress: Progress, *, far: bool = False
) -> tuple[dict[str, Prediction], float]:
    """A system's predictions, from its file and, where it is a model, by asking it. Also the wall time that they took,
    0 when it is not known: nothing was asked now, or only what an interrupted run had left.

    `far` asks a model on the nodes of the Ray cluster that this process is connected to.
    """
    if system.way is None:
        return _given(system, bench), 0.0
    known = read_predictions(system.file) if system.file.exists() else {}
    if all(example.id in known for example in bench.examples):
        return known, 0.0
    from mnemosyne.engines import open_engine

    started = time.perf_counter()
    engine = open_engine(system.name, settings)
    if far and not system.name.startswith(_REMOTE):
        from mnemosyne.evaluation.far_engine import FarEngine

        engine = FarEngine(engine, partial(open_engine, system.name, settings))
    try:
        drafts = {} if system.way.plain else _plain_answers(system)
        found = predict(
            engine, bench, system.way, system.file, limits=limits, progress=progress, drafts=drafts, settings=settings
        )
    finally:
        engine.close()
    return found, 0.0 if known else time.perf_counter() - started


def _given(system: System, bench: Bench) -> dict[str, Prediction]:
    """Answers made elsewhere. Raises EvaluationError when they are of other questions."""
    found = read_predictions(system.file)
    if found.keys().isdisjoint(example.id for example in bench.examples):
        theirs = f"Its first id is {next(iter(found))!r}" if found else "It is empty"
        raise EvaluationError(
            f"{system.file} answers no question of {bench.name}.",
            hint=f"{theirs}; the bench's first is {bench.examples[0].id!r}.",
        )
    return found


def _plain_answers(system: System) -> dict[str, Prediction]:
    """What the same model answered in its plain way, as far as this folder knows."""
    file = system.file.with_name(f"{slug(system.name)}.{slug(Way().label)}.jsonl")
    return read_predictions(file) if file.exists() else {}


def prepare(bench: Bench, judges: Judges, limits: Limits, progress: Progress) -> SelfTest | None:
    """The self-test; None for a bench without golds. Raises EvaluationError."""
    if bench.unanswerable:
        return None
    progress("self-test: gold against gold", 0, len(bench.examples))
    found = self_test(bench, judges, limits)
    progress("self-test: gold against gold", len(bench.examples), len(bench.examples))
    return found


def judge_all(
    bench: Bench,
    answers: Mapping[str, Mapping[str, Prediction]],
    judges: Judges,
    limits: Limits,
    progress: Progress,
    dialects: Mapping[str, Dialect] | None = None,
) -> Judged:
    """Judge the predictions of every system (by label). A missing prediction is an empty one.

    `dialects` says, by label, what the SQL of a system is written in where that is not PostgreSQL.
    """
    written: dict[str, Dialect] = {label: (dialects or {}).get(label, "postgres") for label in answers}
    if bench.unanswerable:
        return Judged({label: _abstentions(bench, given, written[label]) for label, given in answers.items()})
    texts = {
        example.id: tuple(
            dict.fromkeys(_as_answer(_prediction(p, example.id), written[label]) for label, p in answers.items())
        )
        for example in bench.examples
    }
    tasks = [task_of(bench, example, texts[example.id], limits) for example in bench.examples]
    outcomes = {}
    for outcome in judges.run(tasks):
        outcomes[outcome.id] = outcome
        progress("judging", len(outcomes), len(tasks))
    bad = [f"{outcome.id}: {outcome.problem}" for outcome in outcomes.values() if outcome.problem]
    if bad:
        raise EvaluationError(f"Golds that passed the self-test failed later: {'; '.join(sorted(bad)[:5])}")
    scores: dict[str, list[Score]] = {}
    verdicts: dict[str, list[Verdict]] = {}
    for label, predictions in answers.items():
        given = [_prediction(predictions, example.id) for example in bench.examples]
        places = [texts[p.id].index(_as_answer(p, written[label])) for p in given]
        verdicts[label] = [outcomes[p.id].verdicts[place] for p, place in zip(given, places, strict=True)]
        scores[label] = [
            score(bench, example, prediction, outcomes[example.id], verdict, written[label])
            for example, prediction, verdict in zip(bench.examples, given, verdicts[label], strict=True)
        ]
    return Judged(scores, verdicts, {outcome.id: outcome.shown for outcome in outcomes.values()})


def _as_answer(prediction: Prediction, written: Dialect) -> Answer:
    return Answer(prediction.sql, written, assisted=prediction.assisted and written == "postgres")


def _prediction(predictions: Mapping[str, Prediction], example: str) -> Prediction:
    return predictions.get(example) or Prediction(example, "", refusal="missing")


def _abstentions(bench: Bench, predictions: Mapping[str, Prediction], written: Dialect) -> list[Score]:
    """Scores for questions without an answer; what the model wrote is checked, not run."""
    scores = []
    for example in bench.examples:
        prediction = _prediction(predictions, example.id)
        code = prediction.refusal or ("" if prediction.sql.strip() else "no-sql")
        if not code:
            schema = bench.schemas[example.schema]
            if prediction.assisted and written == "postgres":
                checked = guard.check_reply(prediction.sql, schema, target=bench.engine, today=bench.today)
            else:
                checked = guard.check(prediction.sql, schema, target=bench.engine, written=written, today=bench.today)
            code = checked.code if isinstance(checked, Refusal) else ""
        scores.append(abstention(example, prediction, code))
    return scores


def alone(folder: Path) -> AbstractContextManager[None]:
    """Keep other runs out of a folder. Raises EvaluationError when one is at work in it, whose files stay untouched."""
    busy = EvaluationError(
        f"Another evaluation is at work in {folder}.", hint="Wait until it ends, or choose another folder: -o FOLDER."
    )
    return locks.alone(folder / ".lock", busy)


def pin(folder: Path, bench: Bench, systems: Sequence[System]) -> list[System]:
    """Write what this folder measures, or see that it is what it measured before; all its systems, earlier ones first.

    A folder keeps every model and way that was measured in it, so that a second call adds a row to the first's
    table. Earlier systems whose answers are not complete are left out until they are asked for again.

    Raises EvaluationError: predictions of another bench, of other weights, or made in another way of the same name, lie
    in the folder.
    """
    file = folder / "recipe.json"
    known = {system.label: system for system in _earlier(file, bench)}
    for system in systems:
        for before in known.values():
            if reason := _clash(before, system):
                rename = ", or give the file another name" if system.way is None else ""
                raise EvaluationError(
                    f"{folder} already measures {reason}.", hint=f"Choose another folder, -o FOLDER{rename}."
                )
        known[system.label] = system
    recipe = {
        "metric": METRIC,
        "bench": identity(bench),
        "contents": bench.contents,
        "systems": [_kept(s, folder) for s in known.values()],
    }
    write_whole(file, json.dumps(recipe, indent=1) + "\n")
    asked = {system.label for system in systems}
    return [system for system in known.values() if system.label in asked or _is_complete(system, bench)]


def _clash(before: System, system: System) -> str:
    """Why two systems cannot share a folder, empty when they can.

    Ways of one model start from each other's drafts, so its weights must be the same in all of them.
    """
    made_here = (before.way is None) == (system.way is None)
    if made_here and before.name == system.name and dict(before.weights) != dict(system.weights):
        return f"other weights of {system.name}"
    if before.label != system.label:
        return ""
    if before.file.resolve() != system.file.resolve():
        return f"{system.label}, of {before.file}"
    if before.way and system.way and _drawn(before.way) != _drawn(system.way):
        return f"{system.label} with seed {before.way.seed}"
    return ""


def _drawn(way: Way) -> Way:
    """What the drafts of a way depend on; one greedy pass draws nothing."""
    return replace(way, seed=0) if way.plain else way


def _earlier(file: Path, bench: Bench) -> Iterator[System]:
    """The systems that a folder's recipe names."""
    if not file.exists():
        return
    recipe = read_object(file, "bench", "systems")
    if recipe["bench"] != identity(bench):
        raise EvaluationError(
            f"{file.parent} already measures another bench, or other questions of it.",
            hint="Choose another folder: -o FOLDER.",
        )
    if recipe.get("contents", bench.contents) != bench.contents:
        raise EvaluationError(
            f"The databases have changed since {file.parent} was measured: its answers are to other rows.",
            hint="Choose another folder: -o FOLDER.",
        )
    for row in recipe["systems"]:
        way = Way(**row["way"]) if row["way"] else None
        yield System(row["name"], way, file.parent / row["file"], row["weights"], row.get("dialect", "postgres"))


def _kept(system: System, folder: Path) -> dict[str, object]:
    inside = system.file.is_relative_to(folder)
    return {
        "name": system.name,
        "way": asdict(system.way) if system.way else None,
        "file": str(system.file.relative_to(folder) if inside else system.file.resolve()),
        "weights": dict(system.weights),
        "dialect": system.dialect,
    }


def _is_complete(system: System, bench: Bench) -> bool:
    if system.way is None or not system.file.exists():
        return system.file.exists()
    known = read_predictions(system.file)
    return all(example.id in known for example in bench.examples)


def read_object(file: Path, *keys: str) -> dict[str, Any]:
    """The JSON object of a run's file, with these keys. Raises EvaluationError."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise EvaluationError(
            f"{file} is damaged: {error}.", hint="Choose another folder, or delete the file."
        ) from None
    if not isinstance(found, dict) or not found.keys() >= set(keys):
        raise EvaluationError(f"{file} is not of an evaluation.", hint="Choose another folder.")
    return found


def write_whole(path: Path, text: str) -> None:
    """Write a file beside its place and move it there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
