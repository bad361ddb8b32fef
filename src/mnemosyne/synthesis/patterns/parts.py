"""What several patterns are made of: the table to ask about, groups, values, CTEs."""

from __future__ import annotations

import re

from sqlglot import exp

from mnemosyne.schema import writing
from mnemosyne.synthesis.compose import Context, Filter, Item, NotApplicable
from mnemosyne.synthesis.lexicon import Measure, TableWords
from mnemosyne.synthesis.patterns.registry import some_measure
from mnemosyne.synthesis.query import Query, frag

DATES = ("last", "first")
"""How the names of measures that are dates begin."""


def fact(context: Context) -> TableWords:
    """A table with ancestors, the most detailed ones more often."""
    tables = context.subjects(1)
    if not tables:
        raise NotApplicable
    return context.rng.choices(tables, [t.weight * len(context.graph.up(t.name)) for t in tables])[0]


def joined(query: Query) -> Query:
    """The query, if it joins tables at all."""
    if len(query.paths) < 2:
        raise NotApplicable
    return query


def rounded(context: Context, measure: Measure, tree: exp.Expression) -> tuple[exp.Expression, str]:
    """The measure, now and then rounded, and how that is said."""
    whole = measure.integer or isinstance(tree, exp.Max | exp.Min)
    if whole or context.rng.random() > 0.3:
        return tree, ""
    places = context.rng.choice([1, 1, 2, 2, 0])
    # ROUND(x, n) wants numeric; an average of floats is cast, a percentage and an average of days are numeric already.
    exact = measure.rate or "date" in tree.sql()
    inner = tree if exact else exp.cast(tree, "decimal")
    words = {
        0: ["rounded to whole numbers", "rounded to the nearest whole number"],
        1: ["rounded to one decimal", "to one decimal place", "rounded to 1 decimal place"],
        2: ["rounded to two decimals", "to 2 decimal places", "rounded to two decimal places"],
    }[places]
    return frag(f"ROUND(:t, {places})", t=inner), f", {context.rng.choice(words)}"


def fix_article(text: str) -> str:
    """`a` or `an` as the next word wants it."""
    return re.sub(r"\ban? (?=([A-Za-z]))", lambda m: "an " if m.group(1).lower() in "aeiou" else "a ", text)


def filters_on(filters: list[Filter], key: str) -> bool:
    """Whether one of the filters is about a column."""
    return any(f.key == key for f in filters)


def cte(name: str, inner: Query, outer: exp.Select) -> exp.Select:
    """`WITH name AS (inner) outer`."""
    return outer.with_(name, as_=inner.build(), copy=False)


def grouped(
    context: Context, base: TableWords, key: Item, measure: Measure, filters: list[Filter], alias: str
) -> Query:
    """`SELECT key, measure AS alias FROM ... GROUP BY key`."""
    query = context.query(base.name)
    k = key.make(query)
    query.select(k).select(context.put(query, measure), alias).group(k)
    return context.apply(query, filters)


def key_name(key: Item) -> str:
    """The name of a key's column in a CTE."""
    return writing.name(key.key.partition(".")[2])


def drawn_group(
    context: Context, count: float = 0.55, numeric: bool = True
) -> tuple[TableWords, Item, Measure, list[Filter]]:
    """A table, a key, a measure that is a number, and filters."""
    base = fact(context)
    key = context.key(base)
    filters = context.filters(base, context.rng.choice([0, 0, 1, 1, 2]), avoid=(key.key,))
    measure, filters = some_measure(context, base, filters, count=count, key=key.key,
                                    want=lambda m: not numeric or not m.alias.startswith(DATES))  # fmt: skip
    return base, key, measure, filters


def value_of(context: Context) -> tuple[TableWords, Item, str, str]:
    """(table, number, its `needs`, plural noun): a column or a computed expression."""
    computed = [m for m in context.lexicon.computed if "CURRENT_DATE" not in m.sql.sql()]
    if computed and context.rng.random() < 0.4:
        chosen = context.rng.choice(computed)
        base = context.lexicon.tables[chosen.on]
        return (
            base,
            Item(lambda q: context.put(q, chosen), context.rng.choice(chosen.nouns), chosen.alias),
            chosen.needs,
            "",
        )
    weights = []
    found = [(t, c) for t in context.subjects() for c in t.columns.values() if "avg" in c.aggregates]
    if not found:
        raise NotApplicable
    weights = [t.weight * len(context.graph.up(t.name)) for t, _ in found]
    table, column = context.rng.choices(found, weights)[0]
    return (
        table,
        Item(lambda q: q.col(column.table, column.name), column.nouns[0], "", f"{column.table}.{column.name}"),
        column.needs,
        "",
    )


def determined(context: Context, inner: Item, outer: Item) -> bool:
    """Whether the inner key fixes only one outer value the wrong way round (a city inside its client)."""
    outer_table, inner_table = outer.key.split(".")[0], inner.key.split(".")[0]
    label = context.lexicon.tables[outer_table].label
    if outer.key == f"{outer_table}.{label}":
        return inner_table in context.graph.up(outer_table)
    return False
