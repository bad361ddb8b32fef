"""Rejection sampling: answers that the model writes itself, kept when they are right and new in form.

A model that has learned a schema often finds a second correct way to ask. For each training question
n answers are drawn at a temperature; one is kept when it returns the gold's rows (the judge says so) and its form
differs from the gold's and from those already kept for the question. No answer is kept on its looks.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mnemosyne import prompt
from mnemosyne.datasets.example import Example
from mnemosyne.datasets.overlap import sql_skeleton
from mnemosyne.engines import Engine, Sampling
from mnemosyne.errors import TrainingError

Judge = Callable[[Sequence[tuple[Example, str]]], list[bool]]
"""(example, SQL that the model wrote) to whether it returns the gold's rows."""

TEMPERATURE = 0.8
"""Warm enough for other forms, cool enough for right ones."""


@dataclass(frozen=True, slots=True)
class Round:
    """One round of sampling."""

    kept: tuple[Example, ...]
    """New examples, in the order of the questions."""
    questions: int
    """Questions asked."""
    drawn: int
    """Answers drawn."""
    right: int
    """Different answers that returned the gold's rows, the gold's own form among them."""

    def __str__(self) -> str:
        """One line for a log."""
        return f"{self.questions} questions, {self.drawn} answers, {self.right} right, {len(self.kept)} right and new"


@dataclass(frozen=True, slots=True)
class Drawn:
    """What one question brought."""

    answers: int
    """Answers drawn."""
    right: tuple[str, ...]
    """Different answers that returned the gold's rows."""


class Journal:
    """What was drawn, question by question, in a JSON Lines file (or in memory): a round that was cut goes on there.

    The first line holds `facts`, what the round was asked for; a file of another round is a TrainingError.
    """

    def __init__(self, path: Path | None = None, facts: Mapping[str, Any] | None = None) -> None:
        self.path = path
        self.drawn: dict[int, Drawn] = {}
        if path is None:
            return
        facts = dict(facts or {})
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        whole = text[: text.rfind("\n") + 1].splitlines()  # a kill may have cut the last line
        if whole:
            self._need_same(json.loads(whole[0]), facts)
        for line in whole[1:]:
            value = json.loads(line)
            self.drawn[value["question"]] = Drawn(value["answers"], tuple(value["right"]))
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text("".join(line + "\n" for line in whole or [json.dumps(facts)]), encoding="utf-8")
        partial.replace(path)

    def _need_same(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        other = [f"{name} {old.get(name)} (now {new[name]})" for name in new if old.get(name) != new[name]]
        if other:
            raise TrainingError(
                f"{self.path} holds samples of another round: {', '.join(other)}.",
                hint="Ask for the same again, delete the file, or name another run folder with --out.",
            )

    def add(self, question: int, drawn: Drawn) -> None:
        """Keep what a question brought."""
        self.drawn[question] = drawn
        if self.path is not None:
            line = {"question": question, "answers": drawn.answers, "right": list(drawn.right)}
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def round(self, examples: Sequence[Example]) -> Round:
        """The round so far; `examples` are its questions."""
        kept = [new for i in sorted(self.drawn) for new in new_forms(examples[i], self.drawn[i].right)]
        drawn = self.drawn.values()
        return Round(tuple(kept), len(drawn), sum(d.answers for d in drawn), sum(len(d.right) for d in drawn))


def choose(examples: Sequence[Example], questions: int, seed: int) -> list[Example]:
    """`questions` of the examples, drawn by the seed."""
    if questions >= len(examples):
        return list(examples)
    return random.Random(f"{seed}/samples").sample(list(examples), questions)


def draw(
    examples: Sequence[Example],
    ddl_of: Callable[[Example], str],
    engine: Engine,
    judge: Judge,
    *,
    n: int,
    seed: int,
    journal: Journal | None = None,
    listen: Callable[[int], None] = lambda done: None,
) -> Round:
    """Draw `n` answers to each example and keep what is right and new. `listen` is told of questions done.

    Questions that `journal` holds already are not asked again.
    """
    journal = journal or Journal()
    left = [i for i in range(len(examples)) if i not in journal.drawn]
    prompts = [prompt.build(ddl_of(examples[i]), examples[i].question, hints=examples[i].hints) for i in left]
    sampling = Sampling(n=n, temperature=TEMPERATURE, seed=seed)
    for at, completions in engine.complete_many(prompts, sampling):
        example = examples[left[at]]
        written = [prompt.extract_sql(completion.text) for completion in completions]
        different = [sql for sql in dict.fromkeys(written) if sql]
        verdicts = judge([(example, sql) for sql in different]) if different else []
        correct = tuple(sql for sql, is_right in zip(different, verdicts, strict=True) if is_right)
        journal.add(left[at], Drawn(len(written), correct))
        listen(len(journal.drawn))
    return journal.round(examples)


def new_forms(example: Example, correct: Sequence[str]) -> list[Example]:
    """Examples with those right answers whose form is neither the gold's nor that of one before."""
    seen = {sql_skeleton(example.sql, example.dialect)}
    found: list[Example] = []
    for sql in correct:
        form = sql_skeleton(sql, "postgres")
        if form not in seen:
            seen.add(form)
            source = f"{example.source}-sampled"
            found.append(replace(example, id=f"{example.id}-s{len(found) + 1}", sql=sql, source=source))
    return found
