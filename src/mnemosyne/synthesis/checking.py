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

from mnemosyne.datasets.example import Example
from mnemosyne.datasets.overlap import OverlapIndex, normal_question
from mnemosyne.synthesis.block import TIERS, Link, tags_of
from mnemosyne.synthesis.query import tree_of
from mnemosyne.synthesis.style import print_sql
from mnemosyne.synthesis.verify import Verifier

HINTED = 0.75
"""Share of the pairs with stored values in them that carry their hints; the others teach to do without."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found out about one written pair."""

    line: int
    """Its line in the file."""
    question: str
    """As it was written."""
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

    def check(self, rows: Iterable[tuple[int, Mapping[str, Any]]]) -> Iterator[Checked]:
        """The verdict on each (line, object with `question`, `sql` and perhaps `tier`), in order."""
        for line, row in rows:
            question, sql = str(row.get("question") or ""), str(row.get("sql") or "")
            found = self._judge(line, question, sql, str(row.get("tier", "")))
            yield Checked(line, question, None, found) if isinstance(found, str) else Checked(line, question, found)

    def _judge(self, line: int, question: str, sql: str, tier: str) -> Example | str:
        normal = normal_question(question)
        if not normal or not sql.strip():
            return 'a pair is {"question": …, "sql": …}; one of the two is missing'
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
        return _said(verdict.reason, verdict.twin) if verdict.reason else example

    def _example(self, line: int, question: str, tree: exp.Expression, tier: str) -> Example:
        sql = print_sql(tree)
        hints: tuple[str, ...] = ()
        for link in self.links if Random(f"hints:{question}").random() < HINTED else ():
            hints = tuple(hint for hint in link(question) if hint.partition(" = ")[2] in sql)
            if hints:
                break
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
