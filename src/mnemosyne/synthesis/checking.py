"""Pairs that were written one by one, judged as strictly as composed ones: guard, three populations, neighbours, overlap.

What passes comes back in the one spelling that everything else is trained on, with tags and hints as answering gives them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import sqlglot
from sqlglot import exp

from mnemosyne import guard
from mnemosyne.datasets.example import Example
from mnemosyne.datasets.overlap import OverlapIndex, normal_question
from mnemosyne.synthesis.block import TIERS, Link, tags_of
from mnemosyne.synthesis.neighbours import conjuncts
from mnemosyne.synthesis.query import tree_of
from mnemosyne.synthesis.style import print_sql
from mnemosyne.synthesis.verify import Verifier

HINTED = 0.75
"""Share of the pairs with something to tell that carry their hints; the others teach to do without."""

PAIR = 'a pair is {"question": …, "sql": …}'
"""What a line must be."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found out about one written pair."""

    line: int
    """Its line in the file."""
    question: str
    """As it was written; empty when the line holds none."""
    example: Example | None
    """The pair to train on; None when it is refused."""
    reason: str = ""
    """Why it is refused, for a person."""


class Checker:
    """Judges written pairs one after the other; a question that came before is refused."""

    def __init__(
        self,
        verifier: Verifier,
        name: str,
        *,
        links: Sequence[Link] = (),
        protected: OverlapIndex | None = None,
        source: str = "written",
    ) -> None:
        """`name` is the schema's; `links` give a question's hints on each population; `protected` must not be overlapped."""
        self.verifier, self.name, self.links, self.protected, self.source = verifier, name, links, protected, source
        self._lines: dict[str, int] = {}

    def check(self, rows: Iterable[tuple[int, Mapping[str, Any] | str]]) -> Iterator[Checked]:
        """The verdict on each line, in order; whatever is wrong with one pair never ends the judging of the others.

        A row is an object with `question`, `sql` and perhaps `tier`, or a text that says why the line holds no object
        (`jsonl.try_lines`).
        """
        for line, row in rows:
            if isinstance(row, str):
                yield Checked(line, "", None, row)
                continue
            question = row.get("question")
            found = self._verdict(line, row)
            example, reason = (None, found) if isinstance(found, str) else (found, "")
            yield Checked(line, question if isinstance(question, str) else "", example, reason)

    def _verdict(self, line: int, row: Mapping[str, Any]) -> Example | str:
        question, sql = row.get("question"), row.get("sql")
        if not question or not sql:
            return f"{PAIR}; one of the two is missing"
        if not isinstance(question, str) or not isinstance(sql, str):
            return f"{PAIR}; both must be text"
        try:
            return self._judge(line, question, sql, str(row.get("tier", "")))
        except RecursionError:
            return "the query is nested too deeply: write it more simply"
        except Exception as error:  # noqa: BLE001 - one odd query must not end the judging of the others
            why = str(error).splitlines() or [""]
            return f"this query cannot be judged ({type(error).__name__}: {why[0]}): write it another way"

    def _judge(self, line: int, question: str, sql: str, tier: str) -> Example | str:
        normal = normal_question(question)
        if not sql.strip() or not question.strip():
            return f"{PAIR}; one of the two is missing"
        if not normal:
            return "the question has no word in it"
        if normal in self._lines:
            return f"the same question as in line {self._lines[normal]}"
        self._lines[normal] = line
        try:
            tree = tree_of(sqlglot.parse_one(sql, read="postgres"))
        except sqlglot.errors.SqlglotError as error:
            return f"not PostgreSQL: {str(error).splitlines()[0]}"
        example = self._example(line, question, tree, tier)
        if self.protected is not None and (why := self.protected.reason(example)):
            return f"too near a question that is kept for evaluation ({why}): put it differently, or leave it out"
        verdict = self.verifier.judge(tree, Random(line), bool(tree.args.get("order") and tree.args.get("limit")))
        if verdict.reason.startswith("refused: "):
            return self._refused(example.sql) or verdict.reason
        return _said(verdict.reason, verdict.twin) if verdict.reason else example

    def _refused(self, sql: str) -> str:
        """Why the guard refuses a query and what would help, in words."""
        verifier = self.verifier
        checked = guard.check(sql, verifier.schema, target=verifier.databases[0].dialect, today=verifier.today)
        if not isinstance(checked, guard.Refusal):
            return ""
        return f"refused by the guard: {checked.reason}" + (f". {checked.hint}" if checked.hint else "")

    def _example(self, line: int, question: str, tree: exp.Expression, tier: str) -> Example:
        sql = print_sql(tree)
        hints: tuple[str, ...] = ()
        for link in self.links if Random(f"hints:{question}").random() < HINTED else ():
            known = tuple(hint for hint in link(question) if has(tree, hint))
            hints = max(hints, known, key=len)  # windows are told by every population, a value only where it is stored
        return Example(
            id=f"{self.source}-{line:04d}",
            question=question,
            sql=sql,
            schema=self.name,
            tier=tier if tier in TIERS else "",
            tags=tags_of(tree),
            source=self.source,
            hints=hints,
        )


def has(tree: exp.Expression, hint: str) -> bool:
    """Whether a query does what a hint tells: it holds the value, or compares something with each bound of the window."""
    words, _, window = hint.partition(": date ")
    if not window or " = " in words:
        return hint.partition(" = ")[2] in print_sql(tree)
    bounds = conjuncts(tree_of(sqlglot.parse_one(f"date {window}", read="postgres")))
    return all(
        print_sql(tree_of(bound.expression))
        in {print_sql(tree_of(node.expression)) for node in tree.find_all(type(bound))}
        for bound in bounds
    )


def _said(reason: str, twin: str) -> str:
    """A verdict's reason as a person would say it."""
    kind, _, detail = reason.partition(": ")
    if kind == "empty":
        return "no rows, nothing but NULL or a lone zero on most populations: ask for something less narrow"
    if kind == "too many rows":
        return "more rows than anybody reads: narrow it down"
    if kind == "not told apart":
        return f"a query that differs by one step ({detail}) gives the same rows on all populations: {twin}"
    return reason
