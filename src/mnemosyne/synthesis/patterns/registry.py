"""The list of patterns, and what they share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from mnemosyne.synthesis.compose import Context, Draft, Filter, NotApplicable
from mnemosyne.synthesis.lexicon import ColumnWords, Measure, TableWords
from mnemosyne.synthesis.phrasing import expand, number
from mnemosyne.synthesis.query import Query, frag

Function = Callable[[Context], Draft]


@dataclass(frozen=True, slots=True)
class Pattern:
    """One family of pairs."""

    name: str
    """Its tag."""
    tier: str
    """`simple`, `moderate` or `complex`."""
    weight: float
    """How often it is drawn within its tier."""
    draw: Function
    """Makes a draft, or raises NotApplicable."""


PATTERNS: dict[str, Pattern] = {}
"""By name, in the order of their definition."""


def pattern(tier: str, weight: float = 1.0) -> Callable[[Function], Function]:
    """Register a function as a pattern named after it."""

    def register(function: Function) -> Function:
        name = function.__name__.replace("_", "-")
        PATTERNS[name] = Pattern(name, tier, weight, function)
        return function

    return register


def ask(context: Context, *templates: str, **slots: str) -> str:
    """One of the templates, expanded."""
    return expand(context.rng.choice(templates), context.rng, slots)


def which(context: Context, table: TableWords, noun: str) -> str:
    """`Which clients`, `What samples`, and `Who` for people."""
    if table.person and context.rng.random() < 0.2:
        return f"Which of our {noun}"
    return f"{context.rng.choice(['Which', 'Which', 'Which', 'What'])} {noun}"


def measured(context: Context, base: TableWords, measure: Measure, filters: list[Filter]) -> str:
    """A measure and what it is about: `failure rate of E. coli results`."""
    noun = context.rng.choice(measure.nouns)
    if measure.integer and measure.alias == plural_alias(base) and "COUNT(*)" in measure.sql.sql():
        return noun
    if not filters and not measure.about and context.rng.random() < 0.7:
        return noun
    return f"{noun} {context.rng.choice(['of', 'for', 'of', 'for', 'across'])} {context.people(base, filters)}"


def plural_alias(base: TableWords) -> str:
    """The alias that a count of a table's rows is given."""
    from mnemosyne.synthesis.phrasing import plural

    return plural(base.nouns[0]).lower().replace(" ", "_")


def some_measure(
    context: Context,
    base: TableWords,
    filters: list[Filter],
    *,
    count: float = 0.45,
    key: str = "",
    want: Callable[[Measure], bool] = lambda m: True,
) -> tuple[Measure, list[Filter]]:
    """A measure for groups of a table's rows; filters may grow by what the measure needs."""
    if context.rng.random() < count:
        return context.count(base, filters), filters
    measure = context.measure(base, want)
    return measure, satisfied(context, base, measure, filters, key)


def satisfied(
    context: Context, base: TableWords, measure: Measure, filters: list[Filter], key: str = ""
) -> list[Filter]:
    """The filters, with the one added that a measure needs (`needs`), and without what it makes idle."""
    mentioned = {
        f"{c.table}.{c.name}" for t in (measure.sql, measure.where) if t is not None for c in t.find_all(exp.Column)
    }
    if measure.rate or "reported_date" in str(measure.where):
        filters = [f for f in filters if f.key not in mentioned and not f.key.startswith("term:")]
    if measure.needs and measure.needs != key:
        above = context.graph.up(measure.needs.partition(".")[0])
        if key.partition(".")[0] in above:
            raise NotApplicable
    if measure.needs and measure.needs != key and all(f.key != measure.needs for f in filters):
        table, _, name = measure.needs.partition(".")
        column = context.lexicon.column(table, name)
        if column is None:
            raise NotApplicable
        kin = {f"{table}.{c}" for c in context.lexicon.tables[table].columns}
        filters = [context.value_filter(base, column), *(f for f in filters if f.key not in kin)]
    return filters


def bound_of(context: Context, measure: Measure) -> tuple[float, str]:
    """A sensible bound for HAVING, and how it is said."""
    if not measure.thresholds:
        raise NotApplicable
    value = context.rng.choice(measure.thresholds)
    shown = number(value, context.rng, 0.15) + ("[%|%| percent]" if measure.rate else "")
    return (int(value) if value == int(value) else value), expand(shown, context.rng)


OVER = "[more than|over|above|more than|greater than|exceeding]"
UNDER = "[less than|under|below|fewer than]"
"""Ways to compare."""


def compare(context: Context, tree: exp.Expression, bound: float, integer: bool) -> tuple[exp.Expression, str]:
    """(condition, words before the bound)."""
    roll = context.rng.random()
    if roll < 0.6:
        words = (
            ["more than", "over", "more than"]
            if integer
            else ["above", "over", "higher than", "greater than", "of more than"]
        )
        return frag(":t > :n", t=tree, n=bound), context.rng.choice(words)
    if roll < 0.75:
        return frag(":t >= :n", t=tree, n=bound), context.rng.choice(["at least", "no less than"])
    words = ["fewer than", "less than", "under"] if integer else ["below", "under", "lower than"]
    return frag(":t < :n", t=tree, n=bound), context.rng.choice(words)


def top_number(context: Context) -> tuple[int, str]:
    """N of a top-N, and how it is said."""
    count = context.rng.choice([3, 3, 5, 5, 5, 10, 10, 2, 4, 6, 7, 8, 15, 20])
    return count, number(count, context.rng, 0.35)


def draft(
    query: Query | exp.Expression, question: str, filters: list[Filter] | None = None, ordered: bool = False
) -> Draft:
    """A finished draft."""
    tree = query.build() if isinstance(query, Query) else query
    return Draft(tree, question, Context.hints(*(filters or [])), ordered)


def date_column(context: Context, base: TableWords) -> ColumnWords:
    """A date of a table, the usual one most of the time."""
    dates = [c for c in base.columns.values() if c.kind == "date" and context.pool(c).span]
    if not dates:
        raise NotApplicable
    usual = [c for c in dates if c.name == base.when]
    return usual[0] if usual and context.rng.random() < 0.65 else context.rng.choice(dates)


def participle(context: Context, base: TableWords, column: ColumnWords) -> str:
    """What is said of rows by a date: `collected`; `dated` only where it can mean no other column."""
    said = next((word for word in column.done if not word.startswith(("that", "who"))), "")
    if not said and sum(c.kind == "date" for c in base.columns.values()) > 1:
        raise NotApplicable
    return said or "dated"
