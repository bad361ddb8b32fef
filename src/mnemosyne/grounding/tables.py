"""Schema linking: the tables and columns that a question needs, within a budget of tokens.

A table's rank is log-odds: BM25 over its names, columns and comments, the share of its name and the columns that the
question says, stored values that it names, and how much of the question the tables that keys join it with answer together.
Foreign-key paths between chosen tables are closed as far as the budget allows, so every join stays possible; keys and
what they refer to are kept. A table whose path does not fit is left out, unless the question says its name: then it
stands alone. What a model sees first holds only tables near the most wanted one, and those next to them (`within`).
A schema that fits goes in whole.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

from mnemosyne.grounding.names import Names
from mnemosyne.grounding.words import name_parts, noun_stem, stem, vocabulary
from mnemosyne.schema import Column, ForeignKey, Schema, Table

NAME_WEIGHT = 2
"""How often the words of a table's name count in its text."""

OWN, COMPANY, NAMED, SAID, SIZE = 0.45, 0.8, 1.7, 0.2, 0.85
"""Weights of a table's BM25, of what its group answers, of its name, of its columns' names, and against the group's size.

These and the next two by a conditional logit of 700 questions on 112 Spider databases that no benchmark of ours uses."""

VALUE, GROUP_VALUE = 1.6, 6.4
"""Weights of a stored value that the question names, in the table itself and in its group."""

SHARING = 3
"""A word that so many tables of a group, and more than half of them, begin with is a prefix that tells none apart."""

SURE = 1.0
"""Weight of a value that only one column stores."""

WHOLE_SHARE = 0.5
"""Share of the budget that the most wanted tables take as they are; those after them are narrowed."""

FULL = 0.96
"""Share of the budget from which it counts as used up."""

ROUNDS = 3
"""How often room that was won by dropping keys to absent tables is filled again."""

BESIDE = 0.8
"""Share of the budget up to which tables next to the chosen ones come in where only near ones are wanted."""

LEAST = 10
"""Tokens that a table on the path between two others takes at least: its name, a column, a key."""

FEW_COLUMNS = 4
"""A table of so many columns is never narrowed."""

LABELS = frozenset({"name", "titl", "code", "label"})
"""Stems of columns that say what a row is; they stay."""

CHARACTERS_PER_TOKEN = 4.2
"""Of DDL in ASCII. Qwen's tokenizer gives 4.2 to 4.8 on the schemas at hand, so the estimate errs on the side of fitting."""


def estimate_tokens(ddl: str) -> int:
    """Tokens of DDL, estimated from its length without a model; a letter beyond ASCII counts as a token."""
    foreign = 0 if ddl.isascii() else sum(not character.isascii() for character in ddl)
    return math.ceil((len(ddl) - foreign) / CHARACTERS_PER_TOKEN) + foreign


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

    def __init__(
        self, schema: Schema, *, count_tokens: Callable[[str], int] = estimate_tokens, names: Names | None = None
    ) -> None:
        import bm25s

        self.schema = schema
        self._count = count_tokens
        self._tokens = count_tokens(schema.to_ddl())
        self._names = names or Names()
        self._called = [_called(table, self._names) for table in schema.tables]
        self._texts = [_table_words(table, self._names) for table in schema.tables]
        self._bm25 = bm25s.BM25(k1=0.9, b=0.3)
        self._bm25.index([text or ["-"] for text in self._texts], show_progress=False)
        self._vocabulary = set().union(*map(set, self._texts)) if self._texts else set()
        self._links = _links(schema)
        self._keys = _keys(schema, self._links)
        self._neighbours = _neighbours(self._links)
        self._components = _components(self._neighbours)
        self._members = _members(self._components)
        self._group_words = {c: set().union(*(self._texts[i] for i in own)) for c, own in self._members.items()}
        self._rarity = _rarity(list(self._group_words.values()))
        self._telling = self._name_words()
        self._name_rarity = _rarity(self._telling)
        self._column_words = [[set(name_words(c.name)) for c in table.columns] for table in schema.tables]
        self._costs: dict[int, int] = {}

    def link(
        self,
        question: str,
        budget: int,
        *,
        values: Mapping[tuple[str, str], float] | None = None,
        within: float = math.inf,
        first: Schema | None = None,
    ) -> Linked:
        """The tables and columns for a question in at most `budget` tokens of DDL.

        `values` are (table, column) pairs of stored values that the question names. A table more than `within` behind
        the most wanted one comes in only beside others: on the way between two, or next to one (see `rank`). The
        tables and columns of `first`, a part of the schema that fits, are in it in any case.
        """
        if self._tokens <= budget:
            return Linked(self.schema, True, self._tokens)
        asked = question_words(question)
        wanted = {(table.lower(), column.lower()) for table, column in values or ()}
        queue = self.rank(question, values=values, within=within)
        chosen = self._begun(first)
        spent = self._count(self._part(chosen).to_ddl()) if chosen else 0
        for _ in range(ROUNDS):
            for position in queue:
                if spent > FULL * budget:
                    break
                whole = spent < WHOLE_SHARE * budget
                for parts, cost in self._offers(position, chosen, asked, wanted, budget - spent, whole=whole):
                    if spent + cost <= budget:
                        chosen |= parts
                        spent += cost
                        break
                if not chosen and position == queue[0]:  # one huge table: its best columns, rather than nothing
                    chosen = {position: self._narrow(position, set(asked), budget)}
                    spent = budget
            part = self._part(chosen)  # without keys to what was left out, so there may be room again
            spent, queue = self._count(part.to_ddl()), [p for p in queue if p not in chosen]
            if spent > FULL * budget:
                break
        if within < math.inf:
            chosen |= self._beside(chosen, question, values, int(BESIDE * budget) - spent)
            part = self._part(chosen)
            spent = self._count(part.to_ddl())
        while spent > budget and len(chosen) > 1:  # names in quotes take more than was counted
            chosen.popitem()  # the last one came after its path, so no path loses a table between
            part = self._part(chosen)
            spent = self._count(part.to_ddl())
        return Linked(part, False, spent)

    def _begun(self, first: Schema | None) -> dict[int, Table]:
        """The tables of a part, with the keys that they have in the schema."""
        parts = {table.full_name: table for table in first.tables} if first is not None else {}
        return {
            position: replace(table, columns=parts[table.full_name].columns)
            for position, table in enumerate(self.schema.tables)
            if table.full_name in parts
        }

    def _beside(
        self, chosen: Mapping[int, Table], question: str, values: Mapping[tuple[str, str], float] | None, room: int
    ) -> dict[int, Table]:
        """Tables that a key joins with a chosen one, the most wanted first, as many as have room."""
        found: dict[int, Table] = {}
        beside = {other for here in chosen for other in self._neighbours[here]} - set(chosen)
        for position in self.rank(question, values=values) if beside else ():
            table = self.schema.tables[position]
            if position in beside and (cost := self._cost(position, table)) <= room:
                found[position] = table
                room -= cost
        return found

    def _offers(
        self,
        position: int,
        chosen: Mapping[int, Table],
        asked: Sequence[str],
        values: set[tuple[str, str]],
        room: int,
        *,
        whole: bool,
    ) -> Iterator[tuple[dict[int, Table], int]]:
        """Ways to take a table in, and their tokens: with what joins it and its neighbours that the question names.

        First as they are if `whole`, then narrowed; last, a table that the question names with less and less beside it.
        """
        if position in chosen:
            return
        words = set(asked)
        path = self._path_to(position, chosen, room // LEAST)
        ways = [(path or [position], False), ([position], False)] * self._is_named(position, words)
        if path:
            named = [p for p in self._neighbours[position] if p not in path and self._is_named(p, words)]
            ways = [(path + named, True)] * whole + [(path + named, False)] + ways
        for tables, as_is in ways:
            parts = {p: self._shape(p, asked, values, whole=as_is) for p in tables if p not in chosen}
            yield parts, sum(self._cost(p, part) for p, part in parts.items())

    def _shape(self, position: int, asked: Sequence[str], values: set[tuple[str, str]], *, whole: bool) -> Table:
        """A table as it is, or its keys, what others refer to, its names and the columns that the question may mean."""
        table = self.schema.tables[position]
        if whole or len(table.columns) <= FEW_COLUMNS:
            return table
        words = set(asked)

        def stays(column: Column) -> bool:
            parts = set(name_words(column.name))
            return (
                column.name.lower() in self._keys[position]
                or bool(parts & (words | LABELS) or self._nouns(table, column) & words)
                or bool(column.comment and set(question_words(column.comment)) & words)
                or (table.full_name.lower(), column.name.lower()) in values
            )

        kept = tuple(column for column in table.columns if stays(column))
        return replace(table, columns=kept) if kept else replace(table, columns=table.columns[:FEW_COLUMNS])

    def rank(
        self, question: str, *, values: Mapping[tuple[str, str], float] | None = None, within: float = math.inf
    ) -> list[int]:
        """Positions of the tables, the most wanted first.

        With `within`, without those that lie more than that behind the first or have no word of the question while others
        do. Tables that store a value which only they have stay; where nothing says how tables are joined, named ones too.
        """
        asked = question_words(question)
        known = [word for word in asked if word in self._vocabulary]
        own = self._bm25.get_scores(known) if known else [0.0] * len(self._texts)
        named_values = self._valued(values or {})
        words = set(known)
        group = {
            c: max(
                0.0,
                COMPANY * sum(self._rarity[w] for w in words & self._group_words[c]) - SIZE * math.log(len(members)),
            )
            + GROUP_VALUE * max(named_values.get(i, 0.0) for i in members)
            for c, members in self._members.items()
        }
        alone = [
            OWN * float(mine)
            + VALUE * named_values.get(i, 0.0)
            + NAMED * self._named(i, words)
            + SAID * self._said(i, words)
            for i, mine in enumerate(own)
        ]
        total = [mine + group[self._components[i]] for i, mine in enumerate(alone)]
        order = sorted(range(len(total)), key=lambda i: (-total[i], i))
        if within == math.inf or not any(alone):
            return order
        least = total[order[0]] - within
        joined = any(self._neighbours)

        def near(i: int) -> bool:
            sure = named_values.get(i, 0.0) >= SURE or (not joined and self._is_named(i, words))
            return alone[i] > 0 and (total[i] >= least or sure)

        return [i for i in order if near(i)]

    def _valued(self, values: Mapping[tuple[str, str], float]) -> dict[int, float]:
        """The tables that store a value of the question, and how surely."""
        names = {table.name.lower(): i for i, table in reversed(list(enumerate(self.schema.tables)))}
        names |= {table.full_name.lower(): i for i, table in enumerate(self.schema.tables)}
        best: dict[int, float] = {}
        for (table, _), weight in values.items():
            if (position := names.get(table.lower())) is not None:
                best[position] = max(best.get(position, 0.0), weight)
        return best

    def _is_named(self, position: int, asked: set[str]) -> bool:
        """Whether the question says a table's whole name, but for what its group's names share, or another of it."""
        return any(words and words <= asked for words in (self._telling[position], *self._called[position][1:]))

    def _named(self, position: int, asked: set[str]) -> float:
        """The share of a table's name that the question says, by the rarity of its words; of several names the best."""

        def share(words: set[str], rarity: Mapping[str, float]) -> float:
            return sum(rarity.get(w, 1.0) for w in words & asked) / sum(rarity.get(w, 1.0) for w in words)

        own, *others = (self._telling[position], *self._called[position][1:])
        return max((share(own, self._name_rarity) if own else 0.0, *(share(words, self._rarity) for words in others)))

    def _said(self, position: int, asked: set[str]) -> float:
        """The rarity of the words of those columns whose whole name the question says."""
        said = set().union(*(words for words in self._column_words[position] if words <= asked))
        return sum(self._rarity[word] for word in said)

    def _nouns(self, table: Table, column: Column) -> set[str]:
        """The words of what people call a column."""
        return {word for noun in self._names.of_column(table, column) for word in question_words(noun)}

    def _name_words(self) -> list[set[str]]:
        """For each table the words of its name, without those that most names of its group begin with."""
        names = [name_words(table.name) for table in self.schema.tables]
        for members in self._members.values():
            while True:
                count = Counter(names[i][0] for i in members if len(names[i]) > 1)
                shared, n = count.most_common(1)[0] if count else ("", 0)
                if n < SHARING or n <= len(members) / 2:
                    break
                for i in members:
                    if len(names[i]) > 1 and names[i][0] == shared:
                        names[i] = names[i][1:]
        return [set(words) for words in names]

    def _path_to(self, position: int, chosen: Collection[int], longest: int) -> list[int]:
        """The tables on the shortest foreign-key path from a chosen one, in this order.

        `position` alone where no path leads to one; none where the path takes more than `longest` more tables.
        """
        if not any(self._components[here] == self._components[position] for here in chosen):
            return [position]
        came: dict[int, int] = {position: -1}
        ring = [position]
        for _ in range(longest + 1):
            for here in ring:
                if here in chosen:
                    path = []
                    while here != -1:
                        path.append(here)
                        here = came[here]
                    return path
            further: dict[int, int] = {}
            for here in ring:
                further |= {
                    other: here for other in self._neighbours[here] if other not in came and other not in further
                }
            came |= further
            ring = list(further)
        return []

    def _cost(self, position: int, part: Table) -> int:
        whole = part is self.schema.tables[position]
        if whole and position in self._costs:
            return self._costs[position]
        cost = self._count(Schema((part,)).to_ddl()) + 1
        if whole:
            self._costs[position] = cost
        return cost

    def _part(self, chosen: Mapping[int, Table]) -> Schema:
        """The chosen tables without foreign keys to tables or columns that were left out."""

        def keys(position: int) -> tuple[ForeignKey, ...]:
            return tuple(
                key
                for key, other in self._links[position]
                if other in chosen and _has(chosen[position], key.columns) and _has(chosen[other], key.references)
            )

        tables = tuple(replace(chosen[position], foreign_keys=keys(position)) for position in sorted(chosen))
        return replace(self.schema, tables=tables)

    def _narrow(self, position: int, asked: set[str], budget: int) -> Table:
        """A table that is too wide by itself: its keys, then the columns whose words the question has."""
        table = self.schema.tables[position]

        def wanted(column: Column) -> tuple[bool, int]:
            return column.name.lower() in self._keys[position], len(
                asked & {*name_words(column.name), *self._nouns(table, column)}
            )

        ranked = sorted(table.columns, key=wanted, reverse=True)
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
    return tuple(noun_stem(part.lower()) for part in name_parts(name))


def question_words(question: str) -> list[str]:
    """The words of a question that can mean something, stemmed, each once; compounds of neighbours too."""
    stop = vocabulary("stop")
    words = [word for word in re.findall(r"[^\W_]+", question.lower()) if word not in stop]
    stems = [noun_stem(word) for word in words]
    joined = [stem(a + b) for a, b in pairwise(words)]
    return list(dict.fromkeys(stems + joined))


def _called(table: Table, names: Names) -> list[set[str]]:
    """The words of a table's name, and those of each other that it has."""
    stop = vocabulary("stop")
    nouns = [re.findall(r"[^\W_]+", noun.lower()) for noun in names.of_table(table)]
    others = [{noun_stem(word) for word in words if word not in stop} for words in nouns]
    return [set(name_words(table.name)), *(words for words in others if words)]


def _table_words(table: Table, names: Names) -> list[str]:
    words = list(name_words(table.name)) * NAME_WEIGHT
    for noun in names.of_table(table):
        words += question_words(noun) * NAME_WEIGHT
    words.append(stem("".join(re.findall(r"[^\W_]+", table.name.lower()))))
    words += question_words(table.comment)
    for column in table.columns:
        words += name_words(column.name)
        words += question_words(column.comment)
        said = (*names.of_column(table, column), *(w for ws in names.of_values(table, column).values() for w in ws))
        words += [word for text in said for word in question_words(text)]
        words += [word for value in column.values for word in question_words(str(value))]
    return words


def _links(schema: Schema) -> list[list[tuple[ForeignKey, int]]]:
    """For each table its foreign keys to tables of the schema, and the positions of those."""
    named = {table.name.lower(): position for position, table in reversed(list(enumerate(schema.tables)))}
    named |= {table.full_name.lower(): position for position, table in enumerate(schema.tables)}
    found: list[list[tuple[ForeignKey, int]]] = [[] for _ in schema.tables]
    for position, table in enumerate(schema.tables):
        for key in table.foreign_keys:
            other = named.get(f"{table.namespace}.{key.table}".lower(), named.get(key.table.lower()))
            if other is not None:
                found[position].append((key, other))
    return found


def _keys(schema: Schema, links: Sequence[Sequence[tuple[ForeignKey, int]]]) -> list[set[str]]:
    """For each table, in small letters, the columns of its keys and those that foreign keys of any table refer to."""
    found = [{name.lower() for name in table.primary_key} for table in schema.tables]
    for position, own in enumerate(links):
        for key, other in own:
            found[position].update(name.lower() for name in key.columns)
            found[other].update(name.lower() for name in key.references)
    return found


def _neighbours(links: Sequence[Sequence[tuple[ForeignKey, int]]]) -> list[list[int]]:
    """For each table the tables that a foreign key joins it with."""
    found: list[set[int]] = [set() for _ in links]
    for position, own in enumerate(links):
        for _, other in own:
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


def _members(components: Sequence[int]) -> dict[int, list[int]]:
    """The positions of the tables of each group."""
    found: dict[int, list[int]] = defaultdict(list)
    for position, component in enumerate(components):
        found[component].append(position)
    return found


def _rarity(texts: Sequence[Collection[str]]) -> dict[str, float]:
    """Inverse frequency of each word among texts, as BM25 has it."""
    count = Counter(word for words in texts for word in words)
    return {word: math.log(1 + (len(texts) - n + 0.5) / (n + 0.5)) for word, n in count.items()}


def _has(table: Table, names: Sequence[str]) -> bool:
    """Whether a table has columns of these names."""
    return {name.lower() for name in names} <= {column.name.lower() for column in table.columns}
