"""Drawing the rest of a pair: returned columns, measures, group keys, relations; each is tree and words at once."""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import exp

from mnemosyne.synthesis.filters import Draft, Drawing, Draws, Filter, Hint, Item, NotApplicable
from mnemosyne.synthesis.lexicon import ColumnWords, Measure, Relation, TableWords
from mnemosyne.synthesis.phrasing import listing, plural
from mnemosyne.synthesis.query import Query, frag

__all__ = ["Context", "Draft", "Draws", "Filter", "Hint", "Item", "NotApplicable"]

_AGGREGATES = {
    "avg": ("average", "mean"),
    "min": ("minimum", "lowest", "smallest"),
    "max": ("maximum", "highest", "largest"),
    "sum": ("total", "sum of"),
}
"""What aggregates are called."""


class Context(Drawing):
    """One draw, with everything that patterns ask for."""

    # ---- returned columns ---------------------------------------------------------------------------------------

    def item(self, column: ColumnWords, base: TableWords) -> Item:
        """A column to return; names of ancestors are said in full."""
        nouns = column.nouns
        if column.table != base.name and column.kind == "name":
            nouns = (column.nouns[0], self.lexicon.tables[column.table].nouns[0])
        return Item(
            lambda q: q.col(column.table, column.name), self.rng.choice(nouns), key=f"{column.table}.{column.name}"
        )

    def label(self, table: TableWords) -> ColumnWords:
        """The column that names a row."""
        words = table.columns.get(table.label)
        if words is None:
            raise NotApplicable
        return words

    def items(self, base: TableWords, own: int, above: int, avoid: tuple[str, ...] = ()) -> list[Item]:
        """Label first, then further own columns and columns of ancestors."""
        label = self.label(base)
        taken = {*avoid, f"{base.name}.{label.name}"}
        mine = [c for c in base.columns.values() if c.kind not in ("id",) and f"{c.table}.{c.name}" not in taken]
        theirs = [
            c
            for c in self.reachable(base.name)
            if c.kind in ("name", "category")
            and c.group
            and f"{c.table}.{c.name}" not in taken
            and self.phrases(base, c, "is") is not None
        ]
        chosen = self.rng.sample(mine, min(own, len(mine))) + self.rng.sample(theirs, min(above, len(theirs)))
        return [self.item(label, base), *(self.item(c, base) for c in chosen)]

    def name_items(self, items: list[Item], many: bool | None = None) -> str:
        """`sample id, matrix and collection date`, in one number throughout."""
        many = self.rng.random() < 0.5 if many is None else many
        return listing([plural(i.noun) if many else i.noun for i in items])

    def size(self, key: Item) -> int:
        """How many different values a group key has."""
        column = self.lexicon.column(*key.key.split(".", 1))
        return self.pool(column).distinct if column is not None else 0

    # ---- groups and measures ------------------------------------------------------------------------------------

    def keys(self, base: TableWords, kinds: tuple[str, ...] = ("name", "category")) -> list[Item]:
        """What rows of a table can be grouped by."""
        found = []
        for column in [*base.columns.values(), *self.reachable(base.name)]:
            own_label = column.table == base.name and column.name == base.label
            if column.kind in kinds and column.group and not own_label and self.pool(column).distinct > 1:
                if column.table != base.name and self.phrases(base, column, "is") is None:
                    continue
                found.append(self.key_item(column))
        return found

    def key_item(self, column: ColumnWords) -> Item:
        """A group key: a name is said by its table's noun, a category by its own."""
        table = self.lexicon.tables[column.table]
        noun = self.noun(table) if column.name == table.label else self.rng.choice(column.nouns)
        if column.kind == "category" and column.table in self.lexicon.tables and noun in ("status", "name", "unit"):
            noun = f"{table.nouns[0]} {noun}"
        return Item(lambda q: q.col(column.table, column.name), noun, key=f"{column.table}.{column.name}")

    def key(self, base: TableWords, avoid: tuple[str, ...] = (), kinds: tuple[str, ...] = ("name", "category")) -> Item:
        """One group key."""
        keys = [k for k in self.keys(base, kinds) if k.key not in avoid]
        if not keys:
            raise NotApplicable
        return self.rng.choices(keys, [self._key_weight(k) for k in keys])[0]

    def _key_weight(self, key: Item) -> float:
        """Names are grouped by more often than categories, near columns more often than far ones."""
        column = self.lexicon.column(*key.key.split(".", 1))
        return 0.0 if column is None else column.weight * (2.5 if column.kind == "name" else 1.0)

    def count(self, base: TableWords, filters: list[Filter]) -> Measure:
        """The number of rows under filters, as a measure."""
        about = self.people(base, filters)
        noun = self.rng.choice(["number of {x}", "number of {x}", "count of {x}", "total number of {x}"]).format(
            x=about
        )
        alias = re.sub(r"\W+", "_", plural(base.nouns[0]).lower())
        return Measure(base.name, frag("COUNT(*)"), alias, (noun,), integer=True, thresholds=(2, 3, 5, 10, 20, 50))

    def measures(self, base: TableWords) -> list[Measure]:
        """Named measures, and aggregates of the table's own numbers."""
        found = [m for m in self.lexicon.measures if m.on == base.name]
        for column in base.columns.values():
            quantiles = self.pool(column).quantiles
            bounds = tuple(dict.fromkeys(self.bound(quantiles) for _ in range(3))) if quantiles else ()
            for kind in column.aggregates:
                tree = frag(f"{kind.upper()}(:c)", c=exp.column(column.name, table=base.name))
                nouns = tuple(f"{w} {n}" for w in _AGGREGATES[kind] for n in column.nouns)
                found.append(Measure(base.name, tree, f"{kind}_{column.nouns[0].replace(' ', '_')}", nouns,
                                     needs=column.needs, about=plural(base.nouns[0]),
                                     thresholds=tuple(float(b) for b in bounds)))  # fmt: skip
        return found

    def measure(self, base: TableWords, want: Callable[[Measure], bool] = lambda m: True) -> Measure:
        """One measure that satisfies `want`."""
        found = [m for m in self.measures(base) if want(m)]
        if not found:
            raise NotApplicable
        return self.rng.choices(found, [m.weight for m in found])[0]

    def put(self, query: Query, measure: Measure) -> exp.Expression:
        """The measure's expression in a query, its own condition added."""
        if measure.where is not None:
            query.where(query.localise(measure.where))
        return query.localise(measure.sql)

    # ---- relations ----------------------------------------------------------------------------------------------

    def relation(self, want: Callable[[Relation], bool] = lambda r: True) -> Relation:
        """A way from rows of a table down to others."""
        found = [r for r in self.lexicon.relations if want(r)]
        if not found:
            raise NotApplicable
        tables = self.lexicon.tables
        return self.rng.choices(found, [tables[r.parent].weight * (tables[r.child].weight + 0.3) for r in found])[0]

    def beneath(self, outer: Query, relation: Relation, filters: list[Filter]) -> Query:
        """`SELECT 1 FROM child ... WHERE child reaches this parent row AND filters`, correlated with `outer`."""
        path = self.graph.up(relation.child)[relation.parent]
        inner = self.query(relation.child, parent=outer)
        last = path[-1]
        links = [
            exp.EQ(this=inner.at(path[:-1], mine), expression=outer.at((), theirs))
            for mine, theirs in zip(last.key.columns, last.key.references, strict=True)
        ]
        inner.where(*links)
        self.apply(inner, filters)
        return inner.select(exp.Literal.number(1))
