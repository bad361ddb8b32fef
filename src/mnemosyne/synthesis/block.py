"""One block of pairs: a pure function of the plan and the block's number, so that blocks can be made anywhere.

What a block holds does not depend on other blocks, on the number of workers or on what was made before;
`generate.py` puts blocks together and drops what is there twice.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from sqlglot import exp

from mnemosyne.datasets.example import Example
from mnemosyne.datasets.overlap import OverlapIndex, normal_question
from mnemosyne.synthesis.compose import Context, Draft, Draws, NotApplicable
from mnemosyne.synthesis.patterns import PATTERNS, Pattern
from mnemosyne.synthesis.style import print_sql
from mnemosyne.synthesis.verify import Verifier
from mnemosyne.synthesis.voices import voice
from mnemosyne.synthesis.world import World

ATTEMPTS = 60
"""Draws for one pair before its place in the block stays empty."""

Link = Callable[[str], tuple[str, ...]]
"""The hints that answering would add to a question: stored values that it means, then windows of time."""

TIERS = ("simple", "moderate", "complex")


@dataclass(frozen=True, slots=True)
class Plan:
    """What decides every pair."""

    seed: int = 0
    """Seed of every random choice."""
    shares: tuple[float, float, float] = (0.3, 0.4, 0.3)
    """Share of the simple, moderate and complex tier."""
    voices: bool = True
    """Whether questions are put into voices."""
    hints: float = 0.5
    """Share of the pairs with something to tell that carry their hints."""
    source: str = "synth"
    """`source` of the examples, and the beginning of their ids."""
    patterns: tuple[str, ...] = ()
    """Names of the patterns to use, empty for all."""
    block: int = 50
    """Pairs of one block."""


def example_of(record: dict[str, Any]) -> Example:
    """An example from its JSON object."""
    values: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in record.items()}
    return Example(**values)


@dataclass(slots=True)
class Block:
    """The pairs of one block, and what was left out."""

    number: int
    """Its number."""
    examples: list[Example]
    """In the order of their making."""
    counts: Counter[str] = field(default_factory=Counter)
    """Draws by outcome: `kept`, `empty`, `not told apart: ...`."""
    tried: Counter[str] = field(default_factory=Counter)
    """Neighbours tried, by kind."""
    told_apart: Counter[str] = field(default_factory=Counter)
    """Neighbours told apart, by kind."""

    def dump(self) -> str:
        """The block as one JSON text."""
        from mnemosyne.datasets.jsonl import dump

        record = {
            "number": self.number,
            "counts": self.counts,
            "tried": self.tried,
            "told_apart": self.told_apart,
            "examples": [json.loads(dump(example)) for example in self.examples],
        }
        return json.dumps(record, ensure_ascii=False)

    @classmethod
    def read(cls, text: str) -> Block:
        """A block from its JSON text."""
        record = json.loads(text)
        examples = [example_of(line) for line in record["examples"]]
        return cls(record["number"], examples, Counter(record["counts"]), Counter(record["tried"]),
                   Counter(record["told_apart"]))  # fmt: skip


class Maker:
    """Makes blocks of one plan on one world."""

    def __init__(
        self,
        plan: Plan,
        world: World,
        verifier: Verifier,
        links: Sequence[Link] = (),
        protected: OverlapIndex | None = None,
    ) -> None:
        """`links` give the hints of a question on each population; `protected` must not be overlapped."""
        self.plan, self.world, self.verifier, self.links, self.protected = plan, world, verifier, links, protected
        self._patterns = {
            tier: [p for p in PATTERNS.values() if p.tier == tier and (not plan.patterns or p.name in plan.patterns)]
            for tier in TIERS
        }

    def block(self, number: int) -> Block:
        """The pairs of one block."""
        made = Block(number, [])
        seen: set[str] = set()
        for place, tier in enumerate(self._tiers(number)):
            rng = Draws(f"{self.plan.source}:{self.plan.seed}:{number}:{place}")
            pair = self._pair(tier, rng, number, made, seen)
            if pair is not None:
                made.examples.append(pair)
        return made

    def _tiers(self, number: int) -> list[str]:
        """The tier of every place: shares are met over all blocks as nearly as whole numbers allow."""
        shares = {t: s for t, s in zip(TIERS, self.plan.shares, strict=True) if self._patterns[t] and s > 0}
        total = sum(shares.values())
        tiers: list[str] = []
        for place in range(self.plan.block if shares else 0):
            lacks = {t: share / total * (place + 1) - tiers.count(t) for t, share in shares.items()}
            tiers.append(max(lacks, key=lambda t: lacks[t]))
        return tiers

    def _pair(self, tier: str, rng: Random, number: int, block: Block, seen: set[str]) -> Example | None:
        patterns = self._patterns[tier]
        for _ in range(ATTEMPTS):
            chosen = rng.choices(patterns, [p.weight for p in patterns])[0]
            population = rng.randrange(len(self.world.pools))
            try:
                drawn = chosen.draw(Context(self.world, rng, population))
            except NotApplicable:
                block.counts["not applicable"] += 1
                continue
            example = self._example(chosen, drawn, rng, population, f"{number:05d}-{len(block.examples):02d}")
            normal = normal_question(example.question)
            if normal in seen:
                block.counts["question twice"] += 1
                continue
            if self.protected is not None and (why := self.protected.reason(example)):
                block.counts[f"overlaps evaluation by {why}"] += 1
                continue
            verdict = self.verifier.judge(drawn.tree, rng, drawn.ordered)
            block.tried.update(verdict.tried)
            block.told_apart.update(verdict.told_apart)
            outcome = verdict.reason.split(": ")
            block.counts[": ".join(outcome[:2]) if outcome[0] == "not told apart" else outcome[0] or "kept"] += 1
            if not verdict.reason:
                seen.add(normal)
                return example
        return None

    def _example(self, pattern: Pattern, drawn: Draft, rng: Random, population: int, name: str) -> Example:
        values = [hint.text.partition(" = ")[2].strip("'").replace("''", "'") for hint in drawn.hints]
        tags: tuple[str, ...] = (f"pattern:{pattern.name}", *tags_of(drawn.tree))
        question = drawn.question
        if self.plan.voices:
            said = voice(question, rng, pattern.tier, self.world.lexicon.contexts, [*values, *_capitals(question)])
            question, tags = said.text, tags + said.tags
        shown = rng.random() < self.plan.hints
        return Example(
            id=f"{self.plan.source}-{name}",
            question=question,
            sql=print_sql(drawn.tree),
            schema=self.world.lexicon.name,
            tier=pattern.tier,
            tags=tags,
            source=self.plan.source,
            hints=self.links[population](question) if shown and self.links else (),
        )


def _capitals(question: str) -> list[str]:
    """Words with capitals or digits inside a question: names, codes, abbreviations."""
    return [word for word in question.split()[1:] if not word.islower() or any(c.isdigit() for c in word)]


_FUNCTIONS: dict[type[exp.Expression], str] = {
    exp.Count: "COUNT", exp.Avg: "AVG", exp.Sum: "SUM", exp.Min: "MIN", exp.Max: "MAX", exp.Stddev: "STDDEV",
    exp.PercentileCont: "PERCENTILE_CONT", exp.TimestampTrunc: "DATE_TRUNC", exp.Extract: "EXTRACT", exp.Lag: "LAG",
    exp.Lead: "LEAD", exp.RowNumber: "ROW_NUMBER", exp.Ntile: "NTILE", exp.Exists: "EXISTS", exp.Case: "CASE",
    exp.Having: "HAVING", exp.Group: "GROUP BY", exp.With: "WITH", exp.Union: "UNION", exp.Filter: "FILTER",
    exp.Window: "OVER", exp.Limit: "LIMIT", exp.Order: "ORDER BY", exp.Distinct: "DISTINCT", exp.ILike: "ILIKE",
    exp.Between: "BETWEEN", exp.In: "IN", exp.Interval: "INTERVAL", exp.Nullif: "NULLIF",
}  # fmt: skip


def tags_of(tree: exp.Expression) -> tuple[str, ...]:
    """`table:...` and `function:...` of a query, sorted."""
    inner = {cte.alias for cte in tree.find_all(exp.CTE)}
    tables = sorted({f"table:{t.name}" for t in tree.find_all(exp.Table) if t.name not in inner})
    functions = {f"function:{name}" for kind, name in _FUNCTIONS.items() if tree.find(kind) is not None}
    ranks = {f"function:{w.this.sql_name()}" for w in tree.find_all(exp.Window) if isinstance(w.this, exp.Func)}
    if any(join.side == "LEFT" for join in tree.find_all(exp.Join)):
        functions.add("function:LEFT JOIN")
    if any(isinstance(n.this, exp.Exists) for n in tree.find_all(exp.Not)):
        functions.add("function:NOT EXISTS")
    return (*tables, *sorted(functions | {r for r in ranks if "RANK" in r}))
