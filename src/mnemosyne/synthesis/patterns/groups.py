"""Moderate pairs about groups: measures per group, HAVING, leading groups, periods."""

from __future__ import annotations

from sqlglot import exp

from mnemosyne.synthesis.compose import Context, Draft, NotApplicable
from mnemosyne.synthesis.patterns.parts import fact, filters_on, fix_article, rounded
from mnemosyne.synthesis.patterns.registry import (
    ask,
    bound_of,
    compare,
    date_column,
    draft,
    measured,
    pattern,
    some_measure,
    top_number,
)
from mnemosyne.synthesis.phrasing import number, plural
from mnemosyne.synthesis.query import frag

SUPERLATIVES = frozenset(
    [
        "longest",
        "shortest",
        "fastest",
        "worst",
        "latest",
        "most",
        "last",
        "maximum",
        "minimum",
        "lowest",
        "highest",
        "largest",
        "smallest",
        "earliest",
        "first",
    ]
)
"""A measure that begins with one of these can not be the highest or lowest of anything in plain English."""


@pattern("moderate", 4.5)
def group_measure(context: Context) -> Draft:
    """A measure per group."""
    base = fact(context) if context.rng.random() < 0.9 else context.subject()
    key = context.key(base)
    filters = context.filters(base, context.rng.choice([0, 0, 1, 1, 2]), avoid=(key.key,), terms=0.3)
    measure, filters = some_measure(context, base, filters, key=key.key)
    query = context.query(base.name)
    k = key.make(query)
    query.select(k)
    tree, digits = rounded(context, measure, context.put(query, measure))
    query.select(tree, measure.alias).group(k)
    context.apply(query, filters)
    m = measured(context, base, measure, filters)
    roll = context.rng.random()
    order = ""
    if roll < 0.25:
        query.order(measure.alias, True).order(k)
        order = context.rng.choice([", highest first", ", sorted from highest to lowest", ", in descending order"])
        if measure.integer:
            order = context.rng.choice([order, ", most first"])
    elif roll < 0.33:
        query.order(k)
        order = f", in order of {key.noun}" if context.rng.random() < 0.5 else f", sorted by {key.noun}"
    question = ask(
        context,
        "{WHAT} the {m} {PER} {key}{order}?",
        "{CALC} the {m} {PER} {key}{order}.",
        "[For each|For every|Per] {key}, [show|give|return|what is] the {m}{order}.",
        "{m} by {key}{order}",
        "{LIST} {keys} [with|and] their {m}{order}.",
        "{m} {PER} {key}{order}[|?| please]",
        "I'd like a table with one row per {key}: the {key} and the {m}{order}.",
        "[Give me|I want|Please prepare] two columns, {key} and {m}{order}.",
        m=m,
        key=key.noun,
        keys=plural(key.noun),
        order=order + digits,
    )
    return draft(query, question, filters, ordered=bool(order))


@pattern("moderate", 2.2)
def measure_of_large_groups(context: Context) -> Draft:
    """A measure per group, only for groups with at least so many rows."""
    base = fact(context)
    key = context.key(base)
    filters = context.filters(base, context.rng.choice([0, 0, 1]), avoid=(key.key,), terms=0.1)
    measure, filters = some_measure(context, base, filters, count=0.0, key=key.key)
    least = context.rng.choice([3, 5, 5, 10, 10, 20, 25, 30, 50, 100])
    query = context.query(base.name)
    k = key.make(query)
    tree, digits = rounded(context, measure, context.put(query, measure))
    query.select(k).select(tree, measure.alias).group(k)
    query.having.append(frag(f"COUNT(*) >= {least}"))
    context.apply(query, filters)
    rows = plural(base.nouns[0])
    if measure.rate:
        rows = f"{rows} that passed or failed"
    elif measure.where is not None:
        raise NotApplicable
    roll, order, limit = context.rng.random(), "", ""
    if roll < 0.3:
        query.order(measure.alias, True).order(k)
        order = context.rng.choice(
            [", highest first", ", worst first" if measure.alias == "failure_rate" else ", highest first"]
        )
        if context.rng.random() < 0.4:
            query.limited, shown = top_number(context)
            limit = f" Only the top {shown}."
    question = ask(
        context,
        "{CALC} the {m} {PER} {key}, only for {keys} with at least {n} {rows}{order}{digits}.{limit}",
        "{m} {PER} {key} ([minimum|at least] {n} {rows}){order}{digits}{limit}",
        "For {keys} with at least {n} {rows}, [show|give|what is] the {m}{order}{digits}.{limit}",
        "{LIST} each {key} that has {n} or more {rows}, with the {m}{order}{digits}.{limit}",
        m=measured(context, base, measure, filters), key=key.noun, keys=plural(key.noun),
        n=number(least, context.rng, 0.2), rows=rows, order=order, digits=digits, limit=limit,
    )  # fmt: skip
    return draft(query, question, filters, ordered=bool(order))


@pattern("moderate", 1.2)
def group_two_keys(context: Context) -> Draft:
    """A measure per pair of groups."""
    base = fact(context)
    first = context.key(base)
    second = context.key(base, avoid=(first.key,))
    if first.noun == second.noun:
        raise NotApplicable
    filters = context.filters(base, context.rng.choice([0, 1, 1]), avoid=(first.key, second.key))
    measure, filters = some_measure(context, base, filters, key=first.key, count=0.6)
    query = context.query(base.name)
    for key in (first, second):
        query.select(key.make(query)).group(key.make(query))
    query.select(context.put(query, measure), measure.alias)
    context.apply(query, filters)
    question = ask(
        context,
        "{WHAT} the {m} {PER} {a} and {b}?",
        "{CALC} the {m} {PER} {a} and {b}.",
        "[For each|For every] [combination of |]{a} and {b}, show the {m}.",
        "{m} by {a} and {b}",
        m=measured(context, base, measure, filters),
        a=first.noun,
        b=second.noun,
    )
    return draft(query, question, filters)


@pattern("moderate", 1.2)
def group_two_measures(context: Context) -> Draft:
    """A count and a measure per group."""
    base = fact(context)
    key = context.key(base)
    filters = context.filters(base, context.rng.choice([0, 0, 1]), avoid=(key.key,), terms=0.0)
    measure, filters = some_measure(context, base, filters, key=key.key, count=0.0)
    if measure.where is not None:
        raise NotApplicable
    query = context.query(base.name)
    k = key.make(query)
    np = context.people(base, filters)
    alias = plural(base.nouns[0]).replace(" ", "_")
    if alias == measure.alias:
        raise NotApplicable
    query.select(k).select(frag("COUNT(*)"), alias)
    query.select(context.put(query, measure), measure.alias).group(k)
    context.apply(query, filters)
    question = ask(
        context,
        "[For each|For every|Per] {key}, [show|give|list] the number of {np} and [their|the] {m}.",
        "{CALC} the number of {np} and the {m} {PER} {key}.",
        "{np} by {key}: count and {m}",
        m=context.rng.choice(measure.nouns),
        key=key.noun,
        np=np,
    )
    return draft(query, question, filters)


@pattern("moderate", 2.6)
def group_having(context: Context) -> Draft:
    """Groups whose measure passes a bound."""
    base = fact(context)
    key = context.key(base)
    filters = context.filters(base, context.rng.choice([0, 1, 1, 2]), avoid=(key.key,))
    measure, filters = some_measure(context, base, filters, count=0.55, key=key.key, want=lambda m: bool(m.thresholds))
    bound, said = bound_of(context, measure)
    query = context.query(base.name)
    k = key.make(query)
    tree = context.put(query, measure)
    condition, words = compare(context, tree, bound, measure.integer)
    query.select(k)
    with_value = context.rng.random() < 0.5
    if with_value:
        query.select(tree, measure.alias)
    query.group(k)
    query.having.append(condition)
    context.apply(query, filters)
    keys = plural(key.noun)
    if measure.integer and isinstance(measure.sql, exp.Count) and isinstance(measure.sql.this, exp.Star):
        np = context.people(base, filters)
        tail = " [Show|Give|Include] the [number|count] too.| and how many[|?]" if with_value else ""
        question = ask(
            context,
            "Which {keys} have {w} {n} {np}?" if not with_value else "Which {keys} have {w} {n} {np}, and how many?",
            ("{LIST} {keys} with {w} {n} {np}" + (" and the number" if with_value else "") + "."),
            ("{keys} with {w} {n} {np}" + (" and their count" if with_value else "")),
            ("{LIST} every {key} that has {w} {n} {np}" + (", with the count" if with_value else "") + "."),
            keys=keys,
            key=key.noun,
            w=words,
            n=said,
            np=np,
        )
        del tail
    else:
        m = measured(context, base, measure, filters)
        question = ask(
            context,
            "Which {keys} have [a|an] {m} {w} {n}?" + (" [Show|Give] the value too." if with_value else ""),
            "{LIST} {keys} whose {m} is {w} {n}" + (", with that value" if with_value else "") + ".",
            "{keys} where the {m} is {w} {n}" + (", with the value" if with_value else ""),
            keys=keys,
            m=m,
            w=words.removeprefix("of "),
            n=said,
        )
        question = fix_article(question)
    return draft(query, question, filters)


@pattern("moderate", 2.6)
def top_groups(context: Context) -> Draft:
    """The N groups with the highest (or lowest) measure, ties broken by the key."""
    base = fact(context)
    key = context.key(base)
    filters = context.filters(base, context.rng.choice([0, 1, 1, 2]), avoid=(key.key,))
    measure, filters = some_measure(context, base, filters, count=0.6, key=key.key,
                                    want=lambda m: not m.alias.startswith(("last", "first")))  # fmt: skip
    single = context.rng.random() < 0.35
    count, shown = (1, "one") if single else top_number(context)
    if context.size(key) <= count:
        raise NotApplicable
    desc = context.rng.random() < 0.8
    with_value = context.rng.random() < 0.45
    query = context.query(base.name)
    k = key.make(query)
    tree = context.put(query, measure)
    query.select(k)
    if with_value:
        query.select(tree, measure.alias)
    query.group(k)
    query.order(measure.alias if with_value else tree, desc).order(k)
    query.limited = count
    context.apply(query, filters)
    keys = plural(key.noun)
    counting = isinstance(measure.sql, exp.Count) and isinstance(measure.sql.this, exp.Star)
    if counting:
        np = context.people(base, filters)
        most = context.rng.choice(
            ["the most", "the highest number of"] if desc else ["the fewest", "the lowest number of"]
        )
        tail = context.rng.choice([", with the count", ", and how many", ", plus the number"]) if with_value else ""
        if single:
            question = ask(context, "Which {key} has {most} {np}{tail}?", "{LIST} the {key} with {most} {np}{tail}.",
                           "{key} with {most} {np}{tail}", key=key.noun, most=most, np=np, tail=tail)  # fmt: skip
        else:
            question = ask(
                context,
                "Which {n} {keys} have {most} {np}{tail}?",
                "{LIST} the {n} {keys} with {most} {np}{tail}.",
                "[top|Top] {n} {keys} by number of {np}{tail}" if desc else "the {n} {keys} with {most} {np}{tail}",
                "What are the top {n} {keys} by number of {np}{tail}?"
                if desc
                else "Which {n} {keys} have {most} {np}{tail}?",
                keys=keys,
                most=most,
                np=np,
                tail=tail,
                n=shown,
            )
    else:
        m = measured(context, base, measure, filters)
        word = context.rng.choice(["highest", "highest", "largest"] if desc else ["lowest", "lowest", "smallest"])
        tail = context.rng.choice([", with the value", " and the value itself"]) if with_value else ""
        if m.split()[0] in SUPERLATIVES:
            raise NotApplicable
        templates = (
            [
                "Which {key} has the {word} {m}{tail}?",
                "{LIST} the {key} with the {word} {m}{tail}.",
                "{key} with the {word} {m}{tail}",
            ]
            if single
            else [
                "Which {n} {keys} have the {word} {m}{tail}?",
                "{LIST} the {n} {keys} with the {word} {m}{tail}.",
                "the {n} {keys} with the {word} {m}{tail}",
            ]
        )
        question = ask(context, *templates, key=key.noun, keys=keys, word=word, m=m, tail=tail, n=shown)
    return draft(query, question, filters, ordered=True)


@pattern("moderate", 2.2)
def by_period(context: Context) -> Draft:
    """A measure per month, quarter, year or weekday."""
    base = fact(context) if context.rng.random() < 0.85 else context.subject()
    column = date_column(context, base)
    key = f"{base.name}.{column.name}"
    filters = context.filters(base, context.rng.choice([0, 1, 1, 2]), avoid=(key,), time=0.0)
    unit = context.rng.choice(["month", "month", "month", "month", "quarter", "year", "year", "week"])
    if context.rng.random() < 0.45:
        least = {"week": 21, "month": 75, "quarter": 180, "year": 700}[unit]
        filters.append(context.time_filter(base, column, least))
    measure, filters = some_measure(context, base, filters, count=0.6)
    query = context.query(base.name)
    d = query.col(base.name, column.name)
    k = frag("EXTRACT(YEAR FROM :d)", d=d) if unit == "year" else frag(f"DATE_TRUNC('{unit}', :d)::date", d=d)
    query.select(k, unit)
    query.select(context.put(query, measure), measure.alias)
    query.group(exp.column(unit))
    context.apply(query, filters)
    if context.pool(column).nulls and not filters_on(filters, key):
        query.where(frag(":d IS NOT NULL", d=d))
    order = ""
    if context.rng.random() < 0.35:
        query.order(unit)
        order = context.rng.choice([", oldest first", ", in order of time", ", chronologically"])
    per = context.rng.choice(
        [
            f"per {unit}",
            f"by {unit}",
            f"for each {unit}",
            {"month": "month by month", "week": "weekly"}.get(unit, f"per {unit}"),
        ]
    )
    date = (
        ""
        if column.name == base.when
        else context.rng.choice([f" of {column.nouns[0]}", f" (by {column.nouns[0]})", f", by {column.nouns[0]}"])
    )
    if date.startswith(" of") and per in ("month by month", "weekly"):
        per = f"per {unit}"
    question = ask(
        context,
        "{WHAT} the {m} {per}{date}{order}?",
        "{CALC} the {m} {per}{date}{order}.",
        "{m} {per}{date}{order}",
        "[Show|Give me|I need] [the trend of |]the {m} {per}{date}{order}.",
        m=measured(context, base, measure, filters),
        per=per,
        date=date,
        order=order,
    )
    return draft(query, question, filters, ordered=bool(order))
