"""Drawing conditions and the noun phrases they make: each is a tree and words at once.

`compose.Context` adds what is returned, grouped and measured.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from sqlglot import exp

from mnemosyne.synthesis import windows
from mnemosyne.synthesis.lexicon import ColumnWords, Phrases, TableWords, Term
from mnemosyne.synthesis.phrasing import listing, noun_phrase, number, plural, rank, relative
from mnemosyne.synthesis.query import NotApplicable as NotApplicable
from mnemosyne.synthesis.query import Query, frag
from mnemosyne.synthesis.world import Pool, World


_VALUED = ("name", "category")
"""Kinds of columns whose stored values people mention; spoken of more often than the others."""


class Draws(Random):
    """A random stream for which having nothing to choose from only means that this draw cannot be finished."""

    def choice(self, seq: Any) -> Any:
        """One of the items."""
        if not seq:
            raise NotApplicable
        return super().choice(seq)

    def choices(self, population: Any, weights: Any = None, *, cum_weights: Any = None, k: int = 1) -> Any:
        """Items by weight."""
        if not population:
            raise NotApplicable
        return super().choices(population, weights, cum_weights=cum_weights, k=k)

    def randint(self, a: int, b: int) -> int:
        """A whole number from a to b."""
        if b < a:
            raise NotApplicable
        return super().randint(a, b)

    def sample(self, population: Any, k: int, *, counts: Any = None) -> Any:
        """Different items."""
        if len(population) < k:
            raise NotApplicable
        return super().sample(population, k, counts=counts)


@dataclass(frozen=True, slots=True)
class Hint:
    """A stored value that a question mentions."""

    text: str
    """`table.column = 'value'`."""
    altered: bool
    """True when the question says it in another form than stored."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on the rows of a table, as tree and words."""

    make: Callable[[Query], exp.Expression]
    """The condition inside a query."""
    pre: str = ""
    """Said before the noun; empty when said after it."""
    post: str = ""
    """Said after the noun."""
    key: str = ""
    """What it is about (`table.column`), so that a question says one thing once."""
    hints: tuple[Hint, ...] = ()
    """Stored values mentioned."""
    kind: str = ""
    """`time` for a window, `term` for a named condition; a question has one of each at most."""
    bound: bool = False
    """True for a comparison of a number with a bound."""


@dataclass(frozen=True, slots=True)
class Item:
    """A column that a question asks for."""

    make: Callable[[Query], exp.Expression]
    """The expression inside a query."""
    noun: str
    """Singular."""
    alias: str = ""
    """The name of a computed column."""
    key: str = ""
    """`table.column`."""
    where: exp.Expression | None = None
    """A condition that belongs to it."""


@dataclass(slots=True)
class Draft:
    """A pair before voices and verification."""

    tree: exp.Expression
    """The query."""
    question: str
    """The bare question."""
    hints: list[Hint] = field(default_factory=list)
    """Stored values mentioned."""
    ordered: bool = False
    """Whether the order of rows is asked for."""


class Drawing:
    """One draw: a world, a random stream, and the values of one population."""

    def __init__(self, world: World, rng: Random, population: int) -> None:
        self.world, self.rng, self.pools = world, rng, world.pools[population % len(world.pools)]
        self.lexicon, self.graph = world.lexicon, world.graph

    # ---- tables -------------------------------------------------------------------------------------------------

    def subjects(self, parents: int = 0) -> list[TableWords]:
        """Tables that people ask about, with at least so many ancestors."""
        return [t for t in self.lexicon.tables.values() if t.subject and len(self.graph.up(t.name)) - 1 >= parents]

    def subject(self) -> TableWords:
        """A table, drawn as often as people ask about it."""
        tables = self.subjects()
        if not tables:
            raise NotApplicable
        return self.rng.choices(tables, [t.weight for t in tables])[0]

    def query(self, base: str, parent: Query | None = None) -> Query:
        """An empty query over a table."""
        return Query(self.graph, base, self.world.aliases, parent)

    def noun(self, table: TableWords) -> str:
        """A singular noun for a row; the plainest one most of the time."""
        return table.nouns[0] if self.rng.random() < 0.65 else self.rng.choice(table.nouns)

    def pool(self, column: ColumnWords) -> Pool:
        """What is stored in a column."""
        return self.pools.get((column.table, column.name), Pool())

    def reachable(self, base: str) -> list[ColumnWords]:
        """Columns of the ancestors of a table (not its own), whose phrases for this table exist or can be built."""
        return [
            column
            for name in self.graph.up(base)
            if name != base and name in self.lexicon.tables
            for column in self.lexicon.tables[name].columns.values()
        ]

    # ---- words for values ---------------------------------------------------------------------------------------

    def say(self, column: ColumnWords, value: str) -> tuple[str, Hint]:
        """How a person says a stored value, and the hint that belongs to it."""
        said = value
        if value in column.values:
            said = self.rng.choice(column.values[value]) if self.rng.random() < 0.75 else value
        elif not column.plain_values and column.kind == "category" and self.rng.random() < 0.5:
            said = value.lower()
        literal = value.replace("'", "''")
        return said, Hint(f"{column.table}.{column.name} = '{literal}'", said != value)

    def phrases(self, base: TableWords, column: ColumnWords, use: str) -> Phrases | None:
        """How rows of `base` are said to have a property of `column`'s table; built through links when not written."""
        if column.table == base.name:
            return column.phrases.get(use)
        written = base.through.get(f"{column.table}.{column.name}", {}).get(use)
        if written is not None:
            return written
        path = self.graph.up(base.name)[column.table]
        for end in range(len(path), 0, -1):
            middle = path[end - 1].target
            links = base.links.get(middle)
            if not links or middle not in self.lexicon.tables:
                continue
            inner = self.phrases(self.lexicon.tables[middle], column, use)
            if inner is None:
                continue
            nouns = plural(self.lexicon.tables[middle].nouns[0])
            forms = [f"{link} {pre} {nouns}" for link in links for pre in inner.pre]
            forms += [f"{link} {nouns} {post}" for link in links for post in inner.post]
            return Phrases(post=tuple(forms))
        return None

    def _phrase(self, phrases: Phrases | None, **slots: str) -> tuple[str, str]:
        """(pre, post), one of them empty."""
        if phrases is None or not (phrases.pre or phrases.post):
            raise NotApplicable
        before = bool(phrases.pre) and (not phrases.post or self.rng.random() < 0.5)
        text = self.rng.choice(phrases.pre if before else phrases.post)
        for name, value in slots.items():
            text = text.replace("{" + name + "}", value)
        return (text, "") if before else ("", text)

    # ---- filters ------------------------------------------------------------------------------------------------

    def filters(
        self, base: TableWords, count: int, *, parents: bool = True, time: float = 0.3, terms: float = 0.18,
        avoid: tuple[str, ...] = (), need: str = "", without: frozenset[str] = frozenset(),
    ) -> list[Filter]:  # fmt: skip
        """Up to `count` different filters on rows of a table; `need` names a column that must be fixed to a value,
        `without` names tables that no filter is about."""
        chosen: list[Filter] = []
        used = set(avoid)
        if count == 0 and self.rng.random() < 0.5:
            count = 1
        if need:
            table, _, name = need.partition(".")
            column = self.lexicon.column(table, name)
            if column is None:
                raise NotApplicable
            if need not in used:
                chosen.append(self.value_filter(base, column))
                used.add(need)
        for _ in range(count * 6):
            if len(chosen) >= count:
                break
            try:
                drawn = self._filter(base, parents, time, terms)
            except NotApplicable:
                continue
            if without and any(f"{table}." in drawn.key for table in without):
                continue
            needs = self.needs(drawn)
            if needs and needs not in used:
                fixed = self.lexicon.column(*needs.split(".", 1))
                if fixed is None or any(f.pre for f in chosen):
                    continue
                chosen.append(self.value_filter(base, fixed))
                used.update({needs, *self._kin(needs)})
            twice = drawn.kind != "" and terms < 1 and any(f.kind == drawn.kind for f in chosen)
            if drawn.key not in used and not twice and not (drawn.pre and any(f.pre for f in chosen)):
                chosen.append(drawn)
                used.add(drawn.key)
                used.update(self._kin(drawn.key))
        return chosen

    def needs(self, drawn: Filter) -> str:
        """`table.column` that must be fixed before a bound on this number makes sense."""
        column = self.lexicon.column(*drawn.key.split(".", 1)) if drawn.key.count(".") == 1 else None
        return column.needs if column is not None and drawn.bound else ""

    def _kin(self, key: str) -> set[str]:
        """Keys that would contradict or repeat a filter on `key`."""
        table, _, column = key.partition(".")
        words = self.lexicon.column(table, column)
        if words is not None and words.kind == "name":
            return {f"{table}.{c.name}" for c in self.lexicon.tables[table].columns.values()}
        if key.startswith("term:"):
            return {c.strip() for c in key[5:].split(",")}
        return set()

    def _filter(self, base: TableWords, parents: bool, time: float, terms: float) -> Filter:
        roll = self.rng.random()
        if roll < time:
            return self.time_filter(base)
        if roll < time + terms:
            return self.term_filter(base)
        own = list(base.columns.values())
        above = self.reachable(base.name) if parents else []
        columns = above if above and (not own or self.rng.random() < 0.55) else own
        if not columns:
            raise NotApplicable
        column = self.rng.choices(columns, [c.weight * (2.5 if c.kind in _VALUED else 1) for c in columns])[0]
        if column.table == base.name and column.name == base.label:
            return self.like_filter(base, column)
        if column.kind == "id" and self.rng.random() < 0.85:
            raise NotApplicable
        if column.kind in ("category", "name"):
            roll = self.rng.random()
            if roll < 0.06:
                return self.null_filter(base, column)
            if roll < 0.13:
                return self.not_filter(base, column)
            if roll < 0.22:
                return self.in_filter(base, column)
            if roll < 0.29:
                return self.like_filter(base, column)
            return self.value_filter(base, column)
        if column.kind == "boolean":
            return self.flag_filter(base, column)
        if column.kind == "number":
            return self.null_filter(base, column) if self.rng.random() < 0.25 else self.number_filter(base, column)
        if column.kind == "text":
            return self.like_filter(base, column) if self.rng.random() < 0.6 else self.null_filter(base, column)
        if column.kind == "date":
            return self.null_filter(base, column)
        if column.kind == "id":
            return self.value_filter(base, column)
        raise NotApplicable

    def value_filter(self, base: TableWords, column: ColumnWords, value: str | None = None) -> Filter:
        """`column = value`."""
        values = self.pool(column).values
        if not values and value is None:
            raise NotApplicable
        stored = value if value is not None else self.pick(values)
        said, hint = self.say(column, stored)
        pre, post = self._phrase(self.phrases(base, column, "is"), v=said)
        return Filter(lambda q: frag(":c = :v", c=q.col(column.table, column.name), v=stored), pre, post,
                      f"{column.table}.{column.name}", (hint,))  # fmt: skip

    def pick(self, values: tuple[str, ...]) -> str:
        """One stored value, frequent ones somewhat more often."""
        index = min(
            self.rng.randrange(len(values)), self.rng.randrange(len(values)) if self.rng.random() < 0.3 else len(values)
        )
        return values[index]

    def not_filter(self, base: TableWords, column: ColumnWords) -> Filter:
        """`column <> value`."""
        values = self.pool(column).values
        if len(values) < 3 or self.pool(column).nulls:
            raise NotApplicable
        stored = self.pick(values)
        said, hint = self.say(column, stored)
        pre, post = self._phrase(self.phrases(base, column, "is_not"), v=said)
        return Filter(lambda q: frag(":c <> :v", c=q.col(column.table, column.name), v=stored), pre, post,
                      f"{column.table}.{column.name}", (hint,))  # fmt: skip

    def in_filter(self, base: TableWords, column: ColumnWords) -> Filter:
        """`column IN (...)`, two or three values."""
        values = self.pool(column).values
        if len(values) < 4:
            raise NotApplicable
        stored = self.rng.sample(values, 2 if self.rng.random() < 0.75 else 3)
        said = [self.say(column, value) for value in stored]
        pre, post = self._phrase(self.phrases(base, column, "in"), v=listing([s for s, _ in said], "or"))

        def make(q: Query) -> exp.Expression:
            return exp.In(this=q.col(column.table, column.name), expressions=[exp.Literal.string(v) for v in stored])

        return Filter(make, pre, post, f"{column.table}.{column.name}", tuple(h for _, h in said))

    def like_filter(self, base: TableWords, column: ColumnWords) -> Filter:
        """`column ILIKE '%word%'`, or `LIKE 'A%'` for beginnings."""
        values = self.pool(column).values
        if not values:
            raise NotApplicable
        stored = self.rng.choice(values)
        uses = [u for u in ("like", "starts") if self.phrases(base, column, u)]
        if not uses:
            raise NotApplicable
        use = self.rng.choice(uses)
        words = re.findall(r"[A-Za-z]{4,}", stored)
        if not words:
            raise NotApplicable
        word = self.rng.choice(words)
        if use == "starts":
            word = stored[0] if self.rng.random() < 0.5 and stored[0].isalpha() else stored.split()[0]
            if not re.fullmatch(r"[\w .-]+", word):
                raise NotApplicable
        elif self.rng.random() < 0.4:
            word = word.lower()
        pattern = f"%{word}%" if use == "like" else f"{word}%"
        pre, post = self._phrase(self.phrases(base, column, use), v=word)
        return Filter(lambda q: frag(":c ILIKE :v", c=q.col(column.table, column.name), v=pattern), pre, post,
                      f"{column.table}.{column.name}")  # fmt: skip

    def null_filter(self, base: TableWords, column: ColumnWords) -> Filter:
        """`column IS NULL` or `IS NOT NULL`, where NULL occurs."""
        if not self.pool(column).nulls:
            raise NotApplicable
        use = "null" if self.rng.random() < 0.65 else "not_null"
        pre, post = self._phrase(self.phrases(base, column, use))
        text = ":c IS NULL" if use == "null" else ":c IS NOT NULL"
        return Filter(
            lambda q: frag(text, c=q.col(column.table, column.name)), pre, post, f"{column.table}.{column.name}"
        )

    def flag_filter(self, base: TableWords, column: ColumnWords) -> Filter:
        """A boolean column, plain or negated."""
        use = "true" if self.rng.random() < 0.55 else "false"
        pre, post = self._phrase(self.phrases(base, column, use))
        text = ":c" if use == "true" else "NOT :c"
        return Filter(
            lambda q: frag(text, c=q.col(column.table, column.name)), pre, post, f"{column.table}.{column.name}"
        )

    def number_filter(self, base: TableWords, column: ColumnWords) -> Filter:
        """A comparison of a number with a bound inside its range."""
        quantiles = self.pool(column).quantiles
        uses = [u for u in ("over", "under", "at_least", "at_most", "between", "is") if self.phrases(base, column, u)]
        if not quantiles or not uses or quantiles[0] == quantiles[-1]:
            raise NotApplicable
        use = self.rng.choice(uses)
        bound, upper = self.bound(quantiles), self.bound(quantiles)
        if use == "between":
            bound, upper = min(bound, upper), max(bound, upper)
            if bound == upper:
                raise NotApplicable
        said = {"n": number(bound, self.rng), "a": number(bound, self.rng, 0), "b": number(upper, self.rng, 0)}
        pre, post = self._phrase(self.phrases(base, column, use), **said)
        text = {"over": ":c > :n", "under": ":c < :n", "at_least": ":c >= :n", "at_most": ":c <= :n", "is": ":c = :n",
                "between": ":c BETWEEN :n AND :m"}[use]  # fmt: skip
        return Filter(lambda q: frag(text, c=q.col(column.table, column.name), n=bound, m=upper), pre, post,
                      f"{column.table}.{column.name}", bound=True)  # fmt: skip

    def bound(self, quantiles: tuple[float, ...]) -> int | float:
        """A round number inside the range."""
        value = self.rng.choice(quantiles[2:-1] or quantiles)
        whole = all(q == int(q) for q in quantiles)
        value = round(value) if whole and abs(value) < 100 else float(f"{value:.1g}")
        return int(value) if value == int(value) else value

    def time_filter(self, base: TableWords, column: ColumnWords | None = None, days: int = 0) -> Filter:
        """A time window on one of the table's own dates, at least so many days long."""
        dates = [c for c in base.columns.values() if c.kind == "date" and self.pool(c).span]
        if not dates:
            raise NotApplicable
        if column is None:
            usual = [c for c in dates if c.name == base.when]
            column = usual[0] if usual and self.rng.random() < 0.6 else self.rng.choice(dates)
        window = self.window(column, days)
        text = (
            f"{self.rng.choice(column.done)} {window.text}" if column.done else f"with {column.nouns[0]} {window.text}"
        )
        if column.name == base.when and base.bare_when and self.rng.random() < 0.2:
            text = window.text
        chosen = column
        return Filter(lambda q: window.on(q.col(chosen.table, chosen.name)), "", text, f"{column.table}.{column.name}",
                      kind="time")  # fmt: skip

    def window(self, column: ColumnWords, days: int = 0) -> windows.Window:
        """A time window inside what a date column holds, at least so many days long."""
        span = self.pool(column).span
        if span is None:
            raise NotApplicable
        recent = (self.world.today - span[1]).days < 45
        for _ in range(20):
            drawn = windows.draw(self.rng, span[0], span[1], self.world.today, recent)
            closed = "BETWEEN '" in drawn.sql or ":d = " in drawn.sql or ":d > " in drawn.sql
            if drawn.days >= days and not (closed and column.moment):
                return drawn
        raise NotApplicable

    def term_filter(self, base: TableWords, term: Term | None = None) -> Filter:
        """A named condition of the lexicon."""
        terms = [t for t in self.lexicon.terms if t.on == base.name]
        if term is None:
            if not terms:
                raise NotApplicable
            term = self.rng.choices(terms, [t.weight for t in terms])[0]
        pre, post = self._phrase(term.phrases)
        chosen = term
        columns = sorted({f"{c.table}.{c.name}" for c in term.sql.find_all(exp.Column)})
        key = columns[0] if len(columns) == 1 else "term:" + ",".join(columns)
        return Filter(lambda q: q.localise(chosen.sql), pre, post, key, kind="term")

    # ---- noun phrases -------------------------------------------------------------------------------------------

    def people(self, base: TableWords, filters: list[Filter], noun: str = "") -> str:
        """The plural noun phrase of the rows of a table under filters."""
        before = sorted((f for f in filters if f.pre), key=lambda f: bool(f.hints))
        if len(before) > 2 or (len(before) == 2 and bool(before[0].hints) == bool(before[1].hints)):
            raise NotApplicable
        pre = [f.pre for f in before]
        post = [(rank(f.post), f.post) for f in filters if f.post]
        if sum(relative(text) for _, text in post) > 1 or (
            len(post) > 1 and any(relative(text) for _, text in post) and any(self._foreign(f, base) for f in filters)
        ):
            raise NotApplicable
        return noun_phrase(plural(noun or self.noun(base)), pre, post)

    def _foreign(self, drawn: Filter, base: TableWords) -> bool:
        """Whether a phrase brings another noun, which a relative clause behind it would be taken to be about."""
        nouns = {plural(n) for t in self.lexicon.tables.values() if t.name != base.name for n in t.nouns}
        return any(f" {noun}" in f" {drawn.post}" for noun in nouns)

    @staticmethod
    def apply(query: Query, filters: list[Filter]) -> Query:
        """Add the conditions of filters to a query."""
        return query.where(*[f.make(query) for f in filters])

    @staticmethod
    def hints(*filters: Filter) -> list[Hint]:
        """The stored values that filters mention."""
        return [hint for f in filters for hint in f.hints]
