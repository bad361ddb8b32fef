"""Other words for a question, by a local model from the query (back-translation), kept only when they mean the same.

The check: the model, asked the paraphrase, must write a query with the gold's rows on every population, and every
stored value and number of the question must still be in it. A model that cannot answer the plain question proves
nothing by failing on its paraphrase, so only questions that it answers are put to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

from mnemosyne import guard, prompt
from mnemosyne.databases import Database, Limits
from mnemosyne.datasets.example import Example
from mnemosyne.datasets.overlap import normal_question
from mnemosyne.engines import Engine, Sampling
from mnemosyne.guard.query import SafeQuery
from mnemosyne.prompt import Prompt
from mnemosyne.results import Result, same
from mnemosyne.schema import Schema

_ASK = (
    "<|im_start|>system\nYou reword questions that laboratory staff ask. Keep the meaning, every name, number, date and "
    "requested column. Answer with the reworded question only.<|im_end|>\n<|im_start|>user\n"
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one example."""

    example: Example | None
    """The example with its new question; None when it is not kept."""
    reason: str = ""
    """`not answered`, `value lost`, `same words`, `other rows`; empty when kept."""


class Paraphraser:
    """Asks one model for other words, and then for their meaning."""

    def __init__(
        self, engine: Engine, databases: Sequence[Database], schema: Schema, today: date | None = None
    ) -> None:
        self.engine, self.databases, self.schema, self.today = engine, list(databases), schema, today
        self._ddl = schema.to_ddl()

    def paraphrase(self, examples: Iterable[Example], *, seed: int = 0) -> Iterator[Outcome]:
        """One outcome for each example, in order; no question that is there already comes back."""
        given = list(examples)
        known = {normal_question(example.question) for example in given}
        for number, example in enumerate(given):
            outcome = self._one(example, seed + number)
            if outcome.example is not None:
                normal = normal_question(outcome.example.question)
                outcome = Outcome(None, "same words") if normal in known else outcome
                known.add(normal)
            yield outcome

    def _one(self, example: Example, seed: int) -> Outcome:
        if not self._means(example.question, example):
            return Outcome(None, "not answered")
        text = f"SQL: {example.sql}\nQuestion: {example.question}<|im_end|>\n<|im_start|>assistant\n"
        reply = self.engine.complete(Prompt(_ASK, text), Sampling(temperature=0.8, max_tokens=120, seed=seed))[0]
        question = _first_line(reply.text)
        if _plain(question) == _plain(example.question) or not question:
            return Outcome(None, "same words")
        if not _kept(example, question):
            return Outcome(None, "value lost")
        if not self._means(question, example):
            return Outcome(None, "other rows")
        tags = (*example.tags, "voice:paraphrase")
        return Outcome(replace(example, id=f"{example.id}-p", question=question, tags=tags))

    def _means(self, question: str, example: Example) -> bool:
        """Whether the model's query for a question has the gold's rows everywhere."""
        reply = self.engine.complete(prompt.build(self._ddl, question, hints=example.hints), Sampling(max_tokens=300))[
            0
        ]
        answer = prompt.extract_sql(reply.text)
        if not answer:
            return False
        for database in self.databases:
            gold, mine = (self._rows(sql, database) for sql in (example.sql, answer))
            if gold is None or mine is None or not same(gold, mine):
                return False
        return True

    def _rows(self, sql: str, database: Database) -> Result | None:
        checked = guard.check(sql, self.schema, target=database.dialect, today=self.today)
        outcome = database.run(checked, Limits(timeout_seconds=10)) if isinstance(checked, SafeQuery) else None
        return outcome if isinstance(outcome, Result) else None


def _first_line(text: str) -> str:
    line = next((line for line in text.strip().splitlines() if line.strip()), "")
    return re.sub(r"^(question|reworded question)\s*:\s*", "", line.strip(), flags=re.I).strip('"')


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def _kept(example: Example, question: str) -> bool:
    """Whether what the old question says of numbers, stored values and words with capitals is in the new one.

    Hints tell the model the values, so a question that lost one may still get the gold's rows.
    """
    wanted = re.findall(r"\d[\d.,-]*\d|\d", example.question)
    texts = (text.replace("''", "'").strip("%") for text in re.findall(r"'((?:[^']|'')*)'", example.sql))
    wanted += [text for text in texts if text.lower() in example.question.lower()]
    wanted += [
        word.strip(".,?!'") for word in example.question.split()[1:] if not word.islower() and word[:1].isupper()
    ]
    lower = question.lower()
    return all(word.lower() in lower for word in wanted)
