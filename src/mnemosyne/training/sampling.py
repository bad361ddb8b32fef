"""Rejection sampling: answers that the model writes itself, kept when they are right and new in form.

A model that has learned a schema often finds a second correct way to ask. For each training question
n answers are drawn at a temperature; one is kept when it returns the gold's rows (the judge says so) and its form
differs from the gold's and from those already kept for the question. No answer is kept on its looks.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mnemosyne import prompt
from mnemosyne.datasets.example import Example
from mnemosyne.datasets.overlap import sql_skeleton
from mnemosyne.engines import Engine, Sampling

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
    listen: Callable[[int], None] = lambda done: None,
) -> Round:
    """Draw `n` answers to each example and keep what is right and new. `listen` is told of questions done."""
    prompts = [prompt.build(ddl_of(e), e.question, hints=e.hints) for e in examples]
    sampling = Sampling(n=n, temperature=TEMPERATURE, seed=seed)
    kept: dict[int, list[Example]] = {}
    drawn = right = 0
    for done, (index, completions) in enumerate(engine.complete_many(prompts, sampling), 1):
        example = examples[index]
        written = [prompt.extract_sql(completion.text) for completion in completions]
        drawn += len(written)
        different = [sql for sql in dict.fromkeys(written) if sql]
        verdicts = judge([(example, sql) for sql in different]) if different else []
        correct = [sql for sql, is_right in zip(different, verdicts, strict=True) if is_right]
        right += len(correct)
        kept[index] = new_forms(example, correct)
        listen(done)
    chosen = tuple(example for index in sorted(kept) for example in kept[index])
    return Round(chosen, len(examples), drawn, right)


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
