"""Schema linking: the tables and columns that a question needs, within a budget of tokens.

Tables are ranked by BM25 over their names, columns and comments, by stored values that the question
names, and by the company they keep: a table whose neighbours along foreign keys answer other words
of the question is worth more than a lone namesake. Foreign-key paths between chosen tables are
closed, so every join stays possible, and keys are always kept. A schema that fits goes in whole.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

from mnemosyne.grounding.words import vocabulary
from mnemosyne.schema import Schema, Table

NAME_WEIGHT = 2
"""How often the words of a table's name count in its text."""

COMPANY = 0.9
"""Weight of the company a table keeps, beside its own score."""

VALUE_SCORE = 6.0
"""Score of a stored value that the question names."""

CHARACTERS_PER_TOKEN = 3.0
"""Of DDL, measured low so that an estimate errs on the side of fitting."""


def estimate_tokens(ddl: str) -> int:
    """Tokens of DDL, estimated from its length without a model."""
    return math.ceil(len(ddl) / CHARACTERS_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class Linked:
    """The part of a schema that a question is asked of."""

    schema: Schema
    """Chosen tables with their chosen columns."""
    whole: bool
    """True when nothing was left out."""
    tokens: int
    """Of the part's DDL."""


class SchemaIndex:
    """A schema ready to be searched; built once, asked per question."""

    def __init__(self, schema: Schema, *, count_tokens: Callable[[str], int] = estimate_tokens) -> None:
        import bm25s

        self.schema = schema
        self._count = count_tokens
        self._tokens = count_tokens(schema.to_ddl())
        self._texts = [_table_words(table) for table in schema.tables]
        self._bm25 = bm25s.BM25(k1=0.9, b=0.3)
        self._bm25.index([text or ["-"] for text in self._texts], show_progress=False)
        self._vocabulary = set().union(*map(set, self._texts)) if self._texts else set()
        self._neighbours = _neighbours(schema)
        self._components = _components(self._neighbours)
        self._rarity = self._idf()
        self._words = [set(text) for text in self._texts]
        self._costs: dict[int, int] = {}

    def link(self, question: str, budget: int, *, values: Iterable[tuple[str, str]] = ()) -> Linked:
        """The tables and columns for a question in at most `budget` tokens of DDL.

        `values` are (table, column) pairs of stored values that the question names.
        """
        if self._tokens <= budget:
            return Linked(self.schema, True, self._tokens)
        asked = question_words(question)
        ranked = self.rank(question, values=values)
        chosen: list[int] = []
        spent = 0
        for position in ranked:
            wanted = [p for p in self._path_to(position, chosen) if p not in chosen]
            cost = sum(self._cost(p) for p in wanted)
            if spent + cost > budget:
                if position == ranked[0]:  # one huge table: its best columns, rather than nothing
                    chosen, spent = [position], budget
                    break
                continue
            chosen += wanted
            spent += cost
        part = self._part(chosen, asked, budget)
        return Linked(part, False, self._count(part.to_ddl()))

    def rank(self, question: str, *, values: Iterable[tuple[str, str]] = ()) -> list[int]:
        """Positions of the tables, the most wanted first."""
        asked = question_words(question)
        known = [word for word in asked if word in self._vocabulary]
        own = self._bm25.get_scores(known) if known else [0.0] * len(self._texts)
        score = [float(value) for value in own]
        names = {table.name.lower(): i for i, table in reversed(list(enumerate(self.schema.tables)))}
        names |= {table.full_name.lower(): i for i, table in enumerate(self.schema.tables)}
        for table, _ in set(values):
            if (position := names.get(table.lower())) is not None:
                score[position] += VALUE_SCORE
        company = self._company(set(known), score)
        total = [mine + COMPANY * company[self._components[i]] for i, mine in enumerate(score)]
        return sorted(range(len(total)), key=lambda i: (-total[i], i))

    def _company(self, asked: set[str], score: Sequence[float]) -> dict[int, float]:
        """For each group of joined tables: how much of the question it answers together."""
        covered: dict[int, set[str]] = defaultdict(set)
        extra: dict[int, float] = defaultdict(float)
        for position, component in enumerate(self._components):
            covered[component] |= asked & self._words[position]
            extra[component] = max(extra[component], score[position])
        return {c: sum(self._rarity[word] for word in covered[c]) + 0.1 * extra[c] for c in covered}

    def _idf(self) -> dict[str, float]:
        """Rarity of a word among groups of joined tables."""
        groups: dict[int, set[str]] = defaultdict(set)
        for position, component in enumerate(self._components):
            groups[component] |= set(self._texts[position])
        count = Counter(word for words in groups.values() for word in words)
        return {word: math.log(1 + (len(groups) - n + 0.5) / (n + 0.5)) for word, n in count.items()}

    def _path_to(self, position: int, chosen: Sequence[int]) -> list[int]:
        """`position` and the tables on the shortest foreign-key path to a chosen one (at most two between)."""
        if not chosen or position in chosen:
            return [position]
        goals = set(chosen)
        came: dict[int, int] = {position: -1}
        queue = deque([(position, 0)])
        while queue:
            here, steps = queue.popleft()
            if here in goals:
                path = []
                while here != -1:
                    path.append(here)
                    here = came[here]
                return path
            if steps < 3:
                for other in self._neighbours[here]:
                    if other not in came:
                        came[other] = here
                        queue.append((other, steps + 1))
        return [position]

    def _cost(self, position: int) -> int:
        if position not in self._costs:
            self._costs[position] = self._count(Schema((self.schema.tables[position],)).to_ddl()) + 2
        return self._costs[position]

    def _part(self, chosen: Sequence[int], asked: Sequence[str], budget: int) -> Schema:
        tables = [self.schema.tables[position] for position in sorted(chosen)]
        if len(tables) == 1 and self._cost(chosen[0]) > budget:
            tables = [self._narrow(tables[0], set(asked), budget)]
        kept = {table.full_name.lower() for table in tables} | {table.name.lower() for table in tables}
        return replace(self.schema, tables=tuple(_drop_dangling(table, kept) for table in tables))

    def _narrow(self, table: Table, asked: set[str], budget: int) -> Table:
        """A table that is too wide by itself: its keys, then the columns whose words the question has."""
        keys = {name for key in table.foreign_keys for name in key.columns} | set(table.primary_key)

        def wanted(name: str) -> tuple[bool, int]:
            return name in keys, len(asked & set(name_words(name)))

        ranked = sorted(table.columns, key=lambda column: wanted(column.name), reverse=True)
        low, high = 1, len(ranked)
        while low < high:
            middle = (low + high + 1) // 2
            part = replace(table, columns=tuple(ranked[:middle]), foreign_keys=())
            if self._count(Schema((part,)).to_ddl()) <= budget:
                low = middle
            else:
                high = middle - 1
        chosen = {column.name for column in ranked[:low]}
        return replace(table, columns=tuple(column for column in table.columns if column.name in chosen))


@lru_cache(maxsize=50_000)
def name_words(name: str) -> tuple[str, ...]:
    """The words of a stored name: `receivedDate`, `received_date` and `RECEIVED DATE` are `receiv`, `date`."""
    parts = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name)
    return tuple(stem(part.lower()) for part in parts)


def question_words(question: str) -> list[str]:
    """The words of a question that can mean something, stemmed, each once; compounds of neighbours too."""
    stop = vocabulary("stop")
    words = [word for word in re.findall(r"[^\W_]+", question.lower()) if word not in stop]
    stems = [stem(word) for word in words]
    joined = [stem(a + b) for a, b in pairwise(words)]
    return list(dict.fromkeys(stems + joined))


def stem(word: str) -> str:
    """A word without its English endings: a light stemmer, enough to match names with questions."""
    for ending, shortest in (("ies", 5), ("ing", 6), ("ed", 5), ("es", 5), ("s", 4)):
        if word.endswith(ending) and len(word) >= shortest and not word.endswith("ss"):
            return word[: -len(ending)] + ("y" if ending == "ies" else "")
    return word[:-1] if word.endswith("e") and len(word) >= 5 else word


def _table_words(table: Table) -> list[str]:
    words = list(name_words(table.name)) * NAME_WEIGHT
    words.append(stem("".join(re.findall(r"[a-z0-9]+", table.name.lower()))))
    words += question_words(table.comment)
    for column in table.columns:
        words += name_words(column.name)
        words += question_words(column.comment)
        words += [word for value in column.values for word in question_words(str(value))]
    return words


def _neighbours(schema: Schema) -> list[list[int]]:
    """For each table the tables that a foreign key joins it with."""
    by_name: dict[str, list[int]] = defaultdict(list)
    for position, table in enumerate(schema.tables):
        by_name[table.name.lower()].append(position)
        if table.namespace:
            by_name[table.full_name.lower()].append(position)
    found: list[set[int]] = [set() for _ in schema.tables]
    for position, table in enumerate(schema.tables):
        for key in table.foreign_keys:
            own = f"{table.namespace}.{key.table}".lower()
            for other in by_name.get(own) or by_name.get(key.table.lower(), [])[:1]:
                found[position].add(other)
                found[other].add(position)
    return [sorted(others) for others in found]


def _components(neighbours: Sequence[Sequence[int]]) -> list[int]:
    """For each table the number of its group of joined tables."""
    component = [-1] * len(neighbours)
    for start in range(len(neighbours)):
        if component[start] >= 0:
            continue
        component[start] = start
        stack = [start]
        while stack:
            for other in neighbours[stack.pop()]:
                if component[other] < 0:
                    component[other] = start
                    stack.append(other)
    return component


def _drop_dangling(table: Table, kept: set[str]) -> Table:
    """A table without foreign keys to tables that were left out."""
    columns = {column.name for column in table.columns}

    def stays(name: str) -> bool:
        return name.lower() in kept or f"{table.namespace}.{name}".lower() in kept

    keys = tuple(key for key in table.foreign_keys if stays(key.table) and set(key.columns) <= columns)
    return replace(table, foreign_keys=keys)
