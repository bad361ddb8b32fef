"""Simple pairs about numbers: one table counted, averaged, or split by a category of its own."""

from __future__ import annotations

from sqlglot import exp

from mnemosyne.synthesis.compose import Context, Draft, NotApplicable
from mnemosyne.synthesis.patterns.registry import ask, date_column, draft, pattern
from mnemosyne.synthesis.phrasing import expand, listing, plural
from mnemosyne.synthesis.query import frag


@pattern("simple", 3)
def count_rows(context: Context) -> Draft:
    """How many rows."""
    base = context.subject()
    filters = context.filters(base, context.rng.choice([0, 1, 1, 1, 2, 2]), parents=False)
    query = context.apply(context.query(base.name).select(frag("COUNT(*)")), filters)
    if len(query.paths) > 1:
        raise NotApplicable
    question = ask(
        context,
        "How many {np} [are there|do we have|are in the database|are on record|exist][||| in total]?",
        "How many {np}?",
        "[Count|Count|Please count|Can you count] {ALL}{np}.",
        "{WHAT} the [number|total number|count] of {np}?",
        "[Number|Total number|Count] of {np}",
        "[I need|Give me|Tell me|Let me have] the [number|count] of {np}.",
        "how many {np} [have we got|do we have][| on the books]",
        "{np} - how many[|?]",
        np=context.people(base, filters),
    )
    return draft(query, question, filters)


@pattern("simple", 1)
def count_distinct(context: Context) -> Draft:
    """How many different values."""
    base = context.subject()
    columns = [c for c in base.columns.values() if c.kind == "category" and context.pool(c).distinct > 1]
    if not columns:
        raise NotApplicable
    column = context.rng.choice(columns)
    filters = context.filters(
        base, context.rng.choice([0, 0, 1, 1]), parents=False, avoid=(f"{base.name}.{column.name}",)
    )
    query = context.query(base.name)
    query.select(frag("COUNT(DISTINCT :c)", c=query.col(base.name, column.name)))
    context.apply(query, filters)
    if len(query.paths) > 1:
        raise NotApplicable
    question = ask(
        context,
        "How many [different|distinct|unique] {values} [are there|do we have|occur] among {np}?",
        "How many [different|distinct|unique] {values} do {ALL}{np} have?"
        if not filters
        else "How many [different|distinct] {values} [are there|occur] among {np}?",
        "[Count|Work out|Give me] the number of [different|distinct] {values} of {np}.",
        "number of [distinct|different] {values} among {np}",
        values=plural(context.rng.choice(column.nouns)),
        np=context.people(base, filters),
    )
    return draft(query, question, filters)


@pattern("simple", 2)
def aggregate_column(context: Context) -> Draft:
    """Average, minimum, maximum or total of a number."""
    base = context.rng.choice(
        [t for t in context.subjects() if any(c.aggregates and not c.needs for c in t.columns.values())]
    )
    measure = context.measure(base, lambda m: not m.needs and m.sql.find(exp.Count) is None)
    filters = context.filters(base, context.rng.choice([0, 1, 1, 2]), parents=False, terms=0.1)
    query = context.query(base.name)
    query.select(context.put(query, measure))
    context.apply(query, filters)
    if len(query.paths) > 1:
        raise NotApplicable
    question = ask(
        context,
        "{WHAT} the {measure} of {ALL}{np}?",
        "{CALC} the {measure} [of|for] {np}.",
        "{measure} of {np}",
        "{measure}, {np}",
        "For {np}, what is the {measure}?",
        measure=context.rng.choice(measure.nouns),
        np=context.people(base, filters),
    )
    return draft(query, question, filters)


@pattern("simple", 1.2)
def extreme_date(context: Context) -> Draft:
    """The first or last date."""
    base = context.rng.choice([t for t in context.subjects() if t.when])
    column = date_column(context, base)
    filters = context.filters(base, context.rng.choice([0, 1, 1, 1, 2]), parents=False, time=0.0)
    last = context.rng.random() < 0.55
    query = context.query(base.name)
    query.select(frag("MAX(:d)" if last else "MIN(:d)", d=query.col(base.name, column.name)))
    context.apply(query, filters)
    if len(query.paths) > 1:
        raise NotApplicable
    question = ask(
        context,
        "What is the {word} {noun} [of|among] {np}?",
        "[Give me|Show|Find|Tell me] the {word} {noun} of {np}.",
        "{word} {noun} of {np}",
        "{word} {noun} for {np}?",
        word="[latest|most recent|last]" if last else "[earliest|first|oldest]",
        noun=column.nouns[0],
        np=context.people(base, filters),
    )
    return draft(query, expand(question, context.rng), filters)


@pattern("simple", 1)
def two_aggregates(context: Context) -> Draft:
    """Lowest and highest, or count and average, in one row."""
    base = context.rng.choice([t for t in context.subjects() if any(c.aggregates for c in t.columns.values())])
    column = context.rng.choice([c for c in base.columns.values() if c.aggregates and not c.needs] or [None])
    if column is None:
        raise NotApplicable
    filters = context.filters(base, context.rng.choice([0, 1, 1]), parents=False)
    words = {
        "MIN": ["minimum", "lowest", "smallest"],
        "MAX": ["maximum", "highest", "largest"],
        "AVG": ["average", "mean"],
    }
    kinds = context.rng.choice([["MIN", "MAX"], ["MIN", "MAX"], ["AVG", "MAX"], ["MIN", "MAX", "AVG"], ["AVG", "MIN"]])
    query = context.query(base.name)
    noun = context.rng.choice(column.nouns)
    for kind in kinds:
        query.select(
            frag(f"{kind}(:c)", c=query.col(base.name, column.name)),
            f"{kind.lower()}_{column.nouns[0].replace(' ', '_')}",
        )
    context.apply(query, filters)
    if len(query.paths) > 1:
        raise NotApplicable
    question = ask(
        context,
        "What are the {words} {noun} of {ALL}{np}?",
        "{CALC} the {words} {noun} [of|for] {np}.",
        "{words} {noun} of {np}",
        words=listing([context.rng.choice(words[k]) for k in kinds]),
        noun=noun,
        np=context.people(base, filters),
    )
    return draft(query, question, filters)


@pattern("simple", 1.3)
def count_by_own(context: Context) -> Draft:
    """Rows counted by a category of their own table."""
    base = context.subject()
    columns = [c for c in base.columns.values() if c.kind == "category" and c.group and context.pool(c).distinct > 1]
    if not columns:
        raise NotApplicable
    column = context.rng.choice(columns)
    filters = context.filters(
        base, context.rng.choice([0, 0, 1, 1]), parents=False, avoid=(f"{base.name}.{column.name}",)
    )
    query = context.query(base.name)
    c = query.col(base.name, column.name)
    query.select(c).select(frag("COUNT(*)"), "count").group(c)
    context.apply(query, filters)
    if len(query.paths) > 1:
        raise NotApplicable
    question = ask(
        context,
        "How many {np} [are there|do we have|] {PER} {key}?",
        "[Count|Show the number of|Give me the number of|I need the number of] {np} {PER} {key}.",
        "[Number|Count] of {np} {PER} {key}",
        "{np} by {key}, counts",
        "[Break down|Split] the number of {np} by {key}.",
        np=context.people(base, filters),
        key=context.rng.choice(column.nouns),
    )
    return draft(query, question, filters)


@pattern("simple", 1.6)
def most_common(context: Context) -> Draft:
    """The most frequent value of a category."""
    base = context.subject()
    columns = [c for c in base.columns.values() if c.kind == "category" and c.group and context.pool(c).distinct > 2]
    if not columns:
        raise NotApplicable
    column = context.rng.choice(columns)
    filters = context.filters(base, context.rng.choice([0, 1, 1]), parents=False, avoid=(f"{base.name}.{column.name}",))
    query = context.query(base.name)
    c = query.col(base.name, column.name)
    query.select(c).group(c)
    context.apply(query, filters)
    if context.pool(column).nulls:
        query.where(frag(":c IS NOT NULL", c=c))
    query.order(frag("COUNT(*)"), True).order(c)
    query.limited = 1
    if len(query.paths) > 1:
        raise NotApplicable
    question = ask(
        context,
        "[What is|Which is|What's] the [most common|most frequent] {key} [among|of] {np}?",
        "Which {key} has the most {np}?",
        "[Find|Show|Name] the {key} with the [most|highest number of] {np}.",
        "{key} with the most {np}",
        np=context.people(base, filters),
        key=column.nouns[0],
    )
    return draft(query, question, filters, ordered=True)
