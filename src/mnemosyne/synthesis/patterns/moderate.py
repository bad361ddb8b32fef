"""Moderate pairs: joins, groups, HAVING, CASE, shares and pivots within one SELECT."""

from __future__ import annotations

from sqlglot import exp

from mnemosyne.synthesis.compose import Context, Draft, Filter, Item, NotApplicable
from mnemosyne.synthesis.lexicon import TableWords
from mnemosyne.synthesis.patterns.registry import (
    ask, bound_of, compare, date_column, draft, measured, pattern, some_measure, top_number,
)  # fmt: skip
from mnemosyne.synthesis.phrasing import expand, listing, number, plural
from mnemosyne.synthesis.query import Query, frag


def fact(context: Context) -> TableWords:
    """A table with ancestors, the most detailed ones more often."""
    tables = context.subjects(1)
    if not tables:
        raise NotApplicable
    return context.rng.choices(tables, [len(context.graph.up(t.name)) ** 1.5 for t in tables])[0]


def joined(query: Query) -> Query:
    """The query, if it joins tables at all."""
    if len(query.paths) < 2:
        raise NotApplicable
    return query


@pattern("moderate", 3)
def join_list(context: Context) -> Draft:
    """Columns of a table and its ancestors, filters on both."""
    base = fact(context)
    filters = context.filters(base, context.rng.choice([1, 1, 2, 2, 3]))
    taken = tuple(f.key for f in filters)
    items = context.items(base, context.rng.choice([0, 1, 1, 2]), context.rng.choice([0, 1, 1, 2]), taken)
    query = context.query(base.name)
    for item in items:
        query.select(item.make(query))
    joined(context.apply(query, filters))
    question = ask(
        context,
        "{LIST} the {cols} of {ALL}{np}.",
        "{LIST} {cols} for {ALL}{np}.",
        "[For|For all] {np}, [show|list|give me|return|I need] the {cols}.",
        "What are the {plural} [of|for] {np}?",
        "{np}: {cols}",
        "{cols} for {np}",
        "{LIST} {np} with [their|the] {rest}. Start with the {first}."
        if len(items) > 1
        else "{LIST} the {cols} of {np}.",
        cols=context.name_items(items),
        plural=context.name_items(items, True),
        np=context.people(base, filters),
        first=items[0].noun,
        rest=context.name_items(items[1:] or items),
    )
    return draft(query, question, filters)


@pattern("moderate", 2)
def join_count(context: Context) -> Draft:
    """How many rows, filters on ancestors."""
    base = fact(context)
    filters = context.filters(base, context.rng.choice([1, 2, 2, 3]))
    query = joined(context.apply(context.query(base.name).select(frag("COUNT(*)")), filters))
    question = ask(
        context,
        "How many {np} [are there|do we have|have we got|are on record|]?",
        "[Count|Please count] {ALL}{np}.",
        "What is the [number|total number] of {np}?",
        "[number|count|total] of {np}",
        "[Give me|I need|Tell me] the number of {np}.",
        "how many {np}",
        np=context.people(base, filters),
    )
    return draft(query, question, filters)


@pattern("moderate", 1.5)
def join_show_all(context: Context) -> Draft:
    """Every column of a table's rows, filtered through ancestors."""
    base = fact(context)
    filters = context.filters(base, context.rng.choice([1, 2, 2]))
    query = context.query(base.name)
    context.apply(query, filters)
    joined(query)
    query.select(exp.Column(this=exp.Star(), table=exp.to_identifier(query.key(()), quoted=True)))
    question = ask(
        context,
        "[Show|Show me|Give me|List|Display|Get] all {np}.",
        "[Show|Give me] [all columns|all details|the full records] of {np}.",
        "all {np}",
        np=context.people(base, filters),
    )
    return draft(query, question, filters)


@pattern("moderate", 2)
def join_aggregate(context: Context) -> Draft:
    """One number about rows that are filtered through ancestors."""
    base = fact(context)
    filters = context.filters(base, context.rng.choice([1, 1, 2]), terms=0.1)
    measure, filters = some_measure(context, base, filters, count=0.0)
    query = context.query(base.name)
    query.select(context.put(query, measure), "" if isinstance(measure.sql, exp.AggFunc) else measure.alias)
    joined(context.apply(query, filters))
    question = ask(
        context,
        "{WHAT} the {m}?",
        "{CALC} the {m}.",
        "{m}[|?| please]",
        "[I need|I'm after|Let me know] the {m}.",
        m=measured(context, base, measure, filters),
    )
    return draft(query, question, filters)


@pattern("moderate", 4.5)
def group_measure(context: Context) -> Draft:
    """A measure per group."""
    base = fact(context) if context.rng.random() < 0.9 else context.rng.choice(context.subjects())
    key = context.key(base)
    filters = context.filters(base, context.rng.choice([0, 0, 1, 1, 2]), avoid=(key.key,), terms=0.3)
    measure, filters = some_measure(context, base, filters, key=key.key)
    query = context.query(base.name)
    k = key.make(query)
    query.select(k)
    query.select(context.put(query, measure), measure.alias).group(k)
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
        "[Break down|Split] the {m} by {key}{order}.",
        "{m} {PER} {key}{order}[|?| please]",
        m=m,
        key=key.noun,
        keys=plural(key.noun),
        order=order,
    )
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


def fix_article(text: str) -> str:
    """`a` or `an` as the next word wants it."""
    import re

    return re.sub(r"\b(?:a|an) (?=([A-Za-z]))",
                  lambda m: ("an " if m.group(1).lower() in "aeiou" else "a ") if m.group(0)[0] == "a" else m.group(0), text)  # fmt: skip


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
        if any(w in m.split()[0] for w in ("longest", "shortest", "fastest", "worst", "latest", "most", "last", "maximum", "minimum",
                                           "lowest", "highest", "largest", "smallest")):  # fmt: skip
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
    base = fact(context) if context.rng.random() < 0.85 else context.rng.choice(context.subjects())
    column = date_column(context, base)
    key = f"{base.name}.{column.name}"
    filters = context.filters(base, context.rng.choice([0, 1, 1, 2]), avoid=(key,), time=0.0)
    if context.rng.random() < 0.45:
        filters.append(context.time_filter(base, column))
    measure, filters = some_measure(context, base, filters, count=0.6)
    query = context.query(base.name)
    d = query.col(base.name, column.name)
    unit = context.rng.choice(["month", "month", "month", "month", "quarter", "year", "year", "week"])
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


def filters_on(filters: list[Filter], key: str) -> bool:
    """Whether one of the filters is about a column."""
    return any(f.key == key for f in filters)


@pattern("moderate", 1.8)
def distinct_parents(context: Context) -> Draft:
    """The different ancestors of rows under conditions: which clients had failed results."""
    base = fact(context)
    keys = [k for k in context.keys(base, ("name", "category"))]
    key = context.rng.choice(keys) if keys else None
    if key is None:
        raise NotApplicable
    filters = context.filters(base, context.rng.choice([1, 2, 2]), avoid=(key.key,))
    query = context.query(base.name)
    query.select(key.make(query))
    query.distinct = True
    joined(context.apply(query, filters))
    many = context.rng.random() < 0.25
    if many:
        query.selected = [frag("COUNT(DISTINCT :c)", c=key.make(query))]
        query.distinct = False
    np = context.people(base, filters)
    question = ask(
        context,
        *(
            [
                "How many [different|distinct] {keys} have {np}?",
                "[Count|Give me the number of] the [different|distinct] {keys} with {np}.",
                "number of [different|distinct] {keys} with {np}",
            ]
            if many
            else [
                "Which {keys} have {np}?",
                "{LIST} the {keys} with {np}[|, each once|, without repeats].",
                "[What|Which] {keys} have had {np}?",
                "{keys} with {np}",
                "{LIST} the [distinct|different|unique] {keys} [that have|with] {np}.",
            ]
        ),
        keys=plural(key.noun),
        np=np,
    )
    question = question.replace("the the ", "the ").replace("number of the ", "number of ")
    return draft(query, question, filters)


@pattern("moderate", 1.5)
def share(context: Context) -> Draft:
    """The percentage of rows that satisfy a condition, over all or per group."""
    base = fact(context)
    flags = context.filters(base, 1, time=0.0, terms=0.7)
    if not flags or not (flags[0].post.startswith(("that", "which")) or flags[0].pre):
        raise NotApplicable
    flag = flags[0]
    grouped = context.rng.random() < 0.6
    key = context.key(base, avoid=(flag.key,)) if grouped else None
    filters = context.filters(base, context.rng.choice([0, 0, 1]), avoid=(flag.key, key.key if key else ""), terms=0.0)
    query = context.query(base.name)
    tree = frag("100.0 * COUNT(*) FILTER (WHERE :c) / COUNT(*)", c=flag.make(query))
    if key:
        query.select(key.make(query)).group(key.make(query))
    query.select(tree, "share" if "share" else "")
    context.apply(query, filters)
    if "pass_fail" in flag.key:
        raise NotApplicable
    np = context.people(base, filters)
    what = f"are {flag.pre}" if flag.pre else flag.post.split(" ", 1)[1]
    if not flag.pre and not flag.post.startswith("that "):
        raise NotApplicable
    per = f" [per|by|for each] {key.noun}" if key else ""
    question = expand(
        ask(
            context,
            "What percentage of {np} {what}{per}?",
            "{CALC} the percentage of {np} that {what}{per}.",
            "percentage of {np} that {what}{per}",
            np=np,
            what=what,
            per=per,
        ),
        context.rng,
    )
    return draft(query, question, [flag, *filters])


@pattern("moderate", 1.5)
def pivot_counts(context: Context) -> Draft:
    """Two or three conditional counts side by side, over all or per group."""
    base = fact(context)
    columns = [
        c
        for c in base.columns.values()
        if c.kind == "category" and 2 <= context.pool(c).distinct <= 9 and c.phrases.get("is")
    ]
    key = context.key(base)
    pairs: list[tuple[str, Filter]] = []
    if columns and context.rng.random() < 0.6:
        column = context.rng.choice([c for c in columns if f"{c.table}.{c.name}" != key.key] or columns)
        if f"{column.table}.{column.name}" == key.key:
            raise NotApplicable
        values = context.pool(column).values
        for value in context.rng.sample(values, min(len(values), context.rng.choice([2, 2, 3]))):
            pairs.append((value, context.value_filter(base, column, value)))
    else:
        for drawn in context.filters(base, 2, time=0.0, terms=1.0, avoid=(key.key,)):
            pairs.append((drawn.pre or drawn.post, drawn))
    if len(pairs) < 2:
        raise NotApplicable
    import re

    query = context.query(base.name)
    query.select(key.make(query)).group(key.make(query))
    filters = context.filters(
        base, context.rng.choice([0, 0, 1]), avoid=(key.key, *(f.key for _, f in pairs)), terms=0.0
    )
    for name, drawn in pairs:
        alias = re.sub(r"\W+", "_", name.lower()).strip("_")[:30]
        query.select(frag("COUNT(*) FILTER (WHERE :c)", c=drawn.make(query)), alias)
    context.apply(query, filters)
    parts = [context.people(base, [f, *filters], context.noun(base)) if i == len(pairs) - 1 or not f.pre else f.pre
             for i, (_, f) in enumerate(pairs)]  # fmt: skip
    if any(not f.pre for _, f in pairs) and filters:
        raise NotApplicable
    question = ask(
        context,
        "[For each|For every|Per] {key}, [show|give|count] the number of {parts}.",
        "[Count|Show the number of|Compare the number of] {parts} {PER} {key}.",
        "{parts} {PER} {key}, side by side",
        "How many {parts} [are there|do we have] {PER} {key}? One column each.",
        key=key.noun,
        parts=listing(parts),
    )
    return draft(query, question, [*(f for _, f in pairs), *filters])


@pattern("moderate", 1.3)
def buckets(context: Context) -> Draft:
    """A number cut into named bands by CASE, and counted."""
    candidates = [m for m in context.lexicon.computed if len(m.thresholds) >= 1 and not m.needs]
    numbers = [
        c
        for t in context.subjects()
        for c in t.columns.values()
        if c.kind == "number" and len(set(context.pool(c).quantiles)) > 4
    ]
    query: Query
    if candidates and context.rng.random() < 0.6:
        computed = context.rng.choice(candidates)
        base = context.lexicon.tables[computed.on]
        filters = context.filters(base, context.rng.choice([0, 0, 1, 1]), terms=0.0)
        query = context.query(base.name)
        value = context.put(query, computed)
        what, bounds = (
            context.rng.choice(computed.nouns),
            sorted(context.rng.sample(computed.thresholds, min(2, len(computed.thresholds)))),
        )
    elif numbers:
        column = context.rng.choice(numbers)
        base = context.lexicon.tables[column.table]
        filters = context.filters(base, context.rng.choice([0, 1, 1]), need=column.needs, terms=0.0)
        query = context.query(base.name)
        value = query.col(column.table, column.name)
        what = column.nouns[0]
        bounds = sorted({float(context.bound(context.pool(column).quantiles)) for _ in range(2)})
        query.where(frag(":v IS NOT NULL", v=value)) if context.pool(column).nulls else None
    else:
        raise NotApplicable
    cut = [int(b) if b == int(b) else b for b in bounds]
    names = (
        [("low", "high"), ("short", "long"), ("normal", "high")]
        if len(cut) == 1
        else [("low", "medium", "high"), ("low", "mid", "high")]
    )
    labels = context.rng.choice(names)
    case = exp.Case()
    for bound, label in zip(cut, labels, strict=False):
        case = case.when(frag(":v <= :b", v=value, b=bound), exp.Literal.string(label), copy=False)
    case = case.else_(exp.Literal.string(labels[-1]), copy=False)
    query.select(case, "band").select(frag("COUNT(*)"), "count").group(exp.column("band"))
    context.apply(query, filters)
    shown = [number(float(b), context.rng, 0) for b in cut]
    legend = (f"'{labels[0]}' up to {shown[0]}, '{labels[1]}' above" if len(cut) == 1 else
              f"'{labels[0]}' up to {shown[0]}, '{labels[1]}' up to {shown[1]}, '{labels[2]}' above")  # fmt: skip
    question = ask(
        context,
        "[Group|Split|Bucket|Classify] {np} by {what} into {legend}, and count each [group|band].",
        "How many {np} fall into each band of {what}: {legend}?",
        "Count {np} per {what} band ({legend}).",
        np=context.people(base, filters),
        what=what,
        legend=legend,
    )
    return draft(query, question, filters)


@pattern("moderate", 1.8)
def join_top_rows(context: Context) -> Draft:
    """The first N rows by a number or date, with columns of ancestors."""
    base = fact(context)
    columns = [c for c in base.columns.values() if c.kind == "date" or c.aggregates]
    if not columns:
        raise NotApplicable
    column = context.rng.choice(columns)
    filters = context.filters(
        base, context.rng.choice([1, 1, 2]), need=column.needs, avoid=(f"{base.name}.{column.name}",)
    )
    items = context.items(
        base, 0, context.rng.choice([0, 1, 1, 2]), (f"{base.name}.{column.name}", *(f.key for f in filters))
    )
    count, shown = top_number(context)
    desc = context.rng.random() < 0.75
    query = context.query(base.name)
    for item in items:
        query.select(item.make(query))
    tree = query.col(base.name, column.name)
    query.select(tree)
    context.apply(query, filters)
    if context.pool(column).nulls:
        query.where(frag(":c IS NOT NULL", c=tree))
    query.order(tree, desc).order(query.col(base.name, base.label))
    query.limited = count
    joined(query)
    word = (
        (("latest", "most recent") if desc else ("earliest", "oldest"))
        if column.kind == "date"
        else (("highest", "largest") if desc else ("lowest", "smallest"))
    )
    cols = listing([*(i.noun for i in items), column.nouns[0]])
    question = ask(
        context,
        "{LIST} the {cols} of the {n} {np} with the {word} {noun}.",
        "{LIST} the {n} {np} with the {word} {noun}: {cols}.",
        "the {n} {np} with the {word} {noun}, showing {cols}",
        n=shown,
        np=context.people(base, filters),
        word=context.rng.choice(word),
        noun=column.nouns[0],
        cols=cols,
    )
    return draft(query, question, filters, ordered=True)


@pattern("moderate", 1)
def computed_by_row(context: Context) -> Draft:
    """A row-level expression with columns of ancestors, perhaps above a bound."""
    if not context.lexicon.computed:
        raise NotApplicable
    computed = context.rng.choice(context.lexicon.computed)
    base = context.lexicon.tables[computed.on]
    filters = context.filters(base, context.rng.choice([1, 1, 2]), terms=0.0)
    items: list[Item] = context.items(base, 0, context.rng.choice([0, 1, 1]), tuple(f.key for f in filters))
    query = context.query(base.name)
    for item in items:
        query.select(item.make(query))
    tree = context.put(query, computed)
    query.select(tree, computed.alias)
    context.apply(query, filters)
    what = context.rng.choice(computed.nouns)
    tail = ""
    if computed.thresholds and context.rng.random() < 0.5:
        bound = context.rng.choice(computed.thresholds)
        query.where(frag(":t > :n", t=tree, n=int(bound) if bound == int(bound) else bound))
        tail = f" where [the {what}|it|that] is [more than|over|above] {number(bound, context.rng)}"
        tail = f" where the {what} is [more than|over|above] {number(bound, context.rng)}"
    joined(query)
    question = expand(
        ask(
            context,
            "{LIST} the {cols} and the {what} of {np}{tail}.",
            "[For|For all] {np}{tail}, [show|give] the {cols} and the {what}.",
            cols=listing([i.noun for i in items]) if len(items) == 1 else ", ".join(i.noun for i in items),
            what=what,
            np=context.people(base, filters),
            tail=tail,
        ),
        context.rng,
    )
    return draft(query, question, filters)
