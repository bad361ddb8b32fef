"""Complex pairs that compare rows and groups with averages, extremes and their own group."""

from __future__ import annotations

from sqlglot import exp

from mnemosyne.synthesis.compose import Context, Draft, NotApplicable
from mnemosyne.synthesis.patterns.parts import (
    cte,
    determined,
    drawn_group,
    fact,
    fix_article,
    grouped,
    key_name,
    value_of,
)
from mnemosyne.synthesis.patterns.registry import ask, date_column, draft, measured, pattern, some_measure
from mnemosyne.synthesis.phrasing import expand, listing, number, plural
from mnemosyne.synthesis.query import frag


@pattern("complex", 2)
def above_average(context: Context) -> Draft:
    """Rows whose number is above the average of the same rows."""
    base, item, need, _ = value_of(context)
    filters = context.filters(base, context.rng.choice([0, 1, 1, 2]), need=need, avoid=(item.key,), terms=0.05)
    above = context.rng.random() < 0.8
    items = context.items(base, 0, context.rng.choice([0, 0, 1]), (item.key, *(f.key for f in filters)))
    query = context.query(base.name)
    for extra in items:
        query.select(extra.make(query))
    tree = item.make(query)
    with_value = context.rng.random() < 0.6
    if with_value:
        query.select(tree, item.alias)
    context.apply(query, filters)
    inner = context.query(base.name)
    inner.select(frag("AVG(:v)", v=item.make(inner)))
    context.apply(inner, filters)
    query.where(frag(":v > (:q)" if above else ":v < (:q)", v=tree, q=inner.build()))
    if with_value is False and context.rng.random() < 0.4:
        query.selected = [frag("COUNT(*)")]
    counting = isinstance(query.selected[0], exp.Count)
    np = context.people(base, filters)
    word = context.rng.choice(["above", "higher than", "greater than"] if above else ["below", "lower than"])
    cols = listing([*(i.noun for i in items), *([item.noun] if with_value else [])])
    templates = (
        [
            "How many {np} have a {v} {word} their average?",
            "How many {np} have a {v} that is {word} the average of all {np}?",
        ]
        if counting
        else [
            "{LIST} the {cols} of {np} whose {v} is {word} [their|the] average.",
            "{LIST} the {cols} of {np} with a {v} {word} the average [{v} |]of [these|those] {nouns}.",
            "[For|Among] {np}, [which ones|which] have a {v} {word} the average? [Return|Show|Give] the {cols}.",
            "{np} with {v} {word} average: {cols}",
        ]
    )
    question = ask(
        context,
        *(t.replace("{v}", item.noun) for t in templates),
        np=np,
        word=word,
        cols=cols,
        nouns=plural(base.nouns[0]),
    )
    return draft(query, question, filters)


@pattern("complex", 2)
def above_own_group(context: Context) -> Draft:
    """Correlated subquery: rows above the average of their own group."""
    base, item, need, _ = value_of(context)
    if need:
        table, _, name = need.partition(".")
        column = context.lexicon.column(table, name)
    else:
        keys = [c for c in base.columns.values() if c.kind == "category" and c.group and context.pool(c).distinct > 1]
        column = context.rng.choice(keys) if keys else None
    if column is None:
        raise NotApplicable
    key = f"{column.table}.{column.name}"
    filters = context.filters(base, context.rng.choice([0, 0, 1, 1]), parents=False, avoid=(key, item.key), terms=0.05)
    items = context.items(base, 0, context.rng.choice([0, 0, 1]), (key, item.key))
    query = context.query(base.name)
    for extra in items:
        query.select(extra.make(query))
    tree = item.make(query)
    query.select(tree, item.alias)
    context.apply(query, filters)
    inner = context.query(base.name, parent=query)
    inner.select(frag("AVG(:v)", v=item.make(inner)))
    if column.table == base.name:
        link = (inner.at((), column.name), query.at((), column.name))
    else:
        step = context.graph.up(base.name)[column.table][0]
        link = (inner.at((), step.key.columns[0]), query.at((), step.key.columns[0]))
        if len(context.graph.up(base.name)[column.table]) > 1:
            raise NotApplicable
    inner.where(frag(":a = :b", a=link[0], b=link[1]))
    factor = context.rng.choice([1, 1, 1, 1, 2, 1.5])
    bound = frag("(:q)", q=inner.build()) if factor == 1 else frag(":f * (:q)", f=factor, q=inner.build())
    query.where(frag(":v > :q", v=tree, q=bound))
    times = {1: "above", 2: "more than twice", 1.5: "more than 1.5 times"}[factor]
    noun = (
        context.lexicon.tables[column.table].nouns[0]
        if column.name == context.lexicon.tables[column.table].label
        else column.nouns[0]
    )
    np = context.people(base, filters)
    question = ask(
        context,
        "{LIST} the {cols} of {np} whose " + item.noun + " is {times} the average for the same {key}.",
        "{LIST} the {cols} of {np} whose " + item.noun + " is {times} the average of all {nouns} of the same {key}.",
        "Which {np} have a " + item.noun + " {times} the average of their {key}? [Return|Show] the {cols}.",
        "{np} with " + item.noun + " {times} the average of their own {key}: {cols}",
        np=np,
        cols=listing([*(i.noun for i in items), item.noun]),
        times=times,
        key=noun,
        nouns=plural(base.nouns[0]),
    )
    return draft(query, question, filters)


@pattern("complex", 2.2)
def groups_above_average(context: Context) -> Draft:
    """CTE: groups whose measure is above the average of all groups."""
    base, key, measure, filters = drawn_group(context, 0.75)
    name, value = key_name(key), "n" if measure.integer else measure.alias
    if context.size(key) < 4:
        raise NotApplicable
    inner = grouped(context, base, key, measure, filters, value)
    above = context.rng.random() < 0.8
    with_value = context.rng.random() < 0.6
    outer = exp.select(name, *([value] if with_value else [])).from_("t")
    outer = outer.where(frag(f"{value} {'>' if above else '<'} (SELECT AVG({value}) FROM t)"))
    m = measured(context, base, measure, filters)
    word = "above" if above else "below"
    tail = context.rng.choice([", with that value", " and the value"]) if with_value else ""
    question = ask(
        context,
        "Which {keys} have {art} {m} {word} the average [over|across] all {keys}{tail}?",
        "{LIST} the {keys} whose {m} is {word} the average [{key}|of all {keys}]{tail}.".replace(
            "average [{key}|of all {keys}]", "average of all {keys}"
        ),
        "{keys} with {word}-average {m}{tail}",
        "[Find|Identify] {keys} where the {m} is [{word}|{word}] the mean of all {keys}{tail}.",
        key=key.noun,
        keys=plural(key.noun),
        m=m,
        word=word,
        tail=tail,
        art="a",
    )
    return draft(cte("t", inner, outer), fix_article(question), filters)


@pattern("complex", 1.6)
def worse_than_overall(context: Context) -> Draft:
    """HAVING with a scalar subquery: groups whose rate or average is worse than the overall one."""
    base = fact(context)
    key = context.key(base)
    filters = context.filters(base, context.rng.choice([0, 0, 1, 1]), avoid=(key.key,), terms=0.1)
    measure, filters = some_measure(
        context, base, filters, count=0.0, key="", want=lambda m: m.rate or m.alias.startswith("avg")
    )
    if any(f.key == key.key for f in filters):
        raise NotApplicable
    query = context.query(base.name)
    k = key.make(query)
    tree = context.put(query, measure)
    query.select(k)
    with_value = context.rng.random() < 0.6
    if with_value:
        query.select(tree, measure.alias)
    query.group(k)
    context.apply(query, filters)
    inner = context.query(base.name)
    inner.select(context.put(inner, measure))
    context.apply(inner, filters)
    above = context.rng.random() < 0.8
    query.having.append(frag(":t > (:q)" if above else ":t < (:q)", t=tree, q=inner.build()))
    noun = context.rng.choice(measure.nouns)
    np = f" [of|for] {context.people(base, filters)}" if filters or measure.about else ""
    word = context.rng.choice(["above", "higher than"] if above else ["below", "lower than"])
    question = ask(
        context,
        "Which {keys} have a {m}{np} {word} the overall {m}" + (", and what is it?" if with_value else "?"),
        "{LIST} {keys} whose {m}{np} is {word} the overall [figure|value|{m}]".replace("|{m}]", "]")
        + (", with the {m}." if with_value else "."),
        "{keys} with a {m}{np} {word} the overall one" + (", showing the {m}" if with_value else ""),
        keys=plural(key.noun),
        m=noun,
        np=np,
        word=word,
    )
    return draft(query, fix_article(expand(question, context.rng)), filters)


@pattern("complex", 2.2)
def latest_per_group(context: Context) -> Draft:
    """DISTINCT ON: the latest (or first) row of each group."""
    base = fact(context)
    if not base.when:
        raise NotApplicable
    key = context.key(base)
    column = date_column(context, base)
    filters = context.filters(
        base, context.rng.choice([0, 0, 1, 1]), avoid=(key.key, f"{base.name}.{column.name}"), time=0.1
    )
    items = context.items(base, context.rng.choice([0, 1]), 0, (key.key, f"{base.name}.{column.name}"))
    last = context.rng.random() < 0.75
    query = context.query(base.name)
    k = key.make(query)
    d = query.col(base.name, column.name)
    query.select(k)
    for item in items:
        query.select(item.make(query))
    query.select(d)
    query.distinct_on = [k]
    context.apply(query, filters)
    if context.pool(column).nulls:
        query.where(frag(":d IS NOT NULL", d=d))
    query.order(k).order(d, last).order(query.col(base.name, base.label))
    one = context.noun(base)
    np = context.people(base, filters, one)
    word = context.rng.choice(["latest", "most recent", "last"] if last else ["first", "earliest", "oldest"])
    cols = listing([*(i.noun for i in items), column.nouns[0]])
    by = "" if column.name == base.when else f" by {column.nouns[0]}"
    question = ask(
        context,
        "[For each|For every|Per] {key}, [show|find|give|list] the {word} of the {np}{by}: {keyname}, {cols}.",
        "[For each|For every] {key}, what is the {word} one among {np}{by}? [Return|Show] the {keyname}, {cols}.",
        "{word} of the {np} per {key}{by} ({keyname}, {cols})",
        "{LIST} the {word} {one} of each {key}{by}, with {keyname}, {cols}."
        if not filters
        else "{LIST} {keyname}, {cols} of the {word} {one} per {key}{by}, looking only at {np}.",
        key=key.noun,
        keyname=key.noun,
        word=word,
        np=np,
        cols=cols,
        by=by,
        one=one,
    )
    return draft(query, question, filters)


@pattern("complex", 2)
def top_per_group(context: Context) -> Draft:
    """CTE with ROW_NUMBER: the leading N of one key inside each of another."""
    base = fact(context)
    outer_key = context.key(base)
    inner_key = context.key(base, avoid=(outer_key.key,))
    if (
        outer_key.noun == inner_key.noun
        or key_name(outer_key) == key_name(inner_key)
        or determined(context, inner_key, outer_key)
    ):
        raise NotApplicable
    filters = context.filters(base, context.rng.choice([0, 1, 1]), avoid=(outer_key.key, inner_key.key))
    count = context.rng.choice([1, 1, 1, 2, 3, 3, 5])
    query = context.query(base.name)
    a, b = outer_key.make(query), inner_key.make(query)
    query.select(a).select(b).select(frag("COUNT(*)"), "n")
    query.select(frag("ROW_NUMBER() OVER (PARTITION BY :a ORDER BY COUNT(*) DESC, :b)", a=a, b=b), "rn")
    query.group(a, b)
    context.apply(query, filters)
    with_value = context.rng.random() < 0.6
    outer = exp.select(key_name(outer_key), key_name(inner_key), *(["n"] if with_value else [])).from_("t")
    outer = outer.where(frag(f"rn = {count}" if count == 1 else f"rn <= {count}"))
    np = context.people(base, filters)
    tail = context.rng.choice([" and how many", ", with the count", ", with the number"]) if with_value else ""
    templates = (
        [
            "Which {b} has the most {np} in each {a}{tail}?",
            "[For each|For every|Per] {a}, [show|find|name] the {b} with the most {np}{tail}.",
            "the {b} with the most {np} per {a}{tail}",
        ]
        if count == 1
        else [
            "[For each|For every|Per] {a}, [show|find|list] the {n} {bs} with the most {np}{tail}.",
            "[top|Top] {n} {bs} by number of {np} within each {a}{tail}",
            "What are the top {n} {bs} of each {a} by number of {np}{tail}?",
        ]
    )
    question = ask(
        context,
        *templates,
        a=outer_key.noun,
        b=inner_key.noun,
        bs=plural(inner_key.noun),
        n=number(count, context.rng, 0.4),
        np=np,
        tail=tail,
    )
    return draft(cte("t", query, outer), question, filters)


@pattern("complex", 1.2)
def nth_group(context: Context) -> Draft:
    """DENSE_RANK in a CTE: the second, third ... group."""
    base, key, measure, filters = drawn_group(context, 0.8)
    place = context.rng.choice([2, 2, 2, 3, 3, 4, 5])
    if context.size(key) <= place:
        raise NotApplicable
    query = context.query(base.name)
    k = key.make(query)
    tree = context.put(query, measure)
    query.select(k).select(tree, "n" if measure.integer else measure.alias)
    desc = context.rng.random() < 0.8
    query.select(frag(f"DENSE_RANK() OVER (ORDER BY :t{' DESC' if desc else ''})", t=tree), "place").group(k)
    context.apply(query, filters)
    outer = (
        exp.select(key_name(key), "n" if measure.integer else measure.alias).from_("t").where(frag(f"place = {place}"))
    )
    ordinal = {2: "second", 3: "third", 4: "fourth", 5: "fifth"}[place] + ("-" if context.rng.random() < 0.6 else " ")
    word = "highest" if desc else "lowest"
    question = ask(
        context,
        "Which {key} has the {o}{word} {m}? [Show|Give] the [value|figure] too, and all {keys} if there is a tie.",
        "{LIST} the {key} (all of them if tied) with the {o}{word} {m}, and the value.",
        "{key} with the {o}{word} {m}, ties included, with the value",
        key=key.noun,
        keys=plural(key.noun),
        o=ordinal,
        word=word,
        m=measured(context, base, measure, filters),
    )
    return draft(cte("t", query, outer), question, filters, ordered=False)


@pattern("complex", 1.8)
def spread(context: Context) -> Draft:
    """Median, percentile or standard deviation, per group or over all."""
    base, item, need, _ = value_of(context)
    key = context.key(base, avoid=(item.key,)) if context.rng.random() < 0.65 else None
    fixed = need if not (key and key.key == need) else ""
    filters = context.filters(
        base, context.rng.choice([0, 1, 1]), need=fixed, avoid=((key.key,) if key else ()), terms=0.05
    )
    if key and any(f.key == key.key for f in filters):
        raise NotApplicable
    kind, words = context.rng.choice(
        [("0.5", ["median"]), ("0.5", ["median"]), ("0.9", ["90th percentile"]), ("0.95", ["95th percentile"]),
         ("sd", ["standard deviation"])])  # fmt: skip
    query = context.query(base.name)
    if key:
        query.select(key.make(query)).group(key.make(query))
    value = item.make(query)
    tree = (
        frag("STDDEV(:v)", v=value)
        if kind == "sd"
        else frag(f"PERCENTILE_CONT({kind}) WITHIN GROUP (ORDER BY :v)", v=value)
    )
    query.select(tree, {"0.5": "median", "0.9": "p90", "0.95": "p95", "sd": "stddev"}[kind])
    context.apply(query, filters)
    if item.key:
        column = context.lexicon.column(*item.key.split(".", 1))
        if column and context.pool(column).nulls and key:
            query.where(frag(":v IS NOT NULL", v=value))
    np = context.people(base, filters)
    per = f"[per|by|for each] {key.noun}" if key else ""
    question = ask(
        context,
        "{WHAT} the {word} [of the |]{v} of {np} " + per + "?",
        "{CALC} the {word} [of the |]{v} for {np} " + per + ".",
        "{word} {v} of {np} " + per,
        word=words[0],
        v=item.noun,
        np=np,
    )
    return draft(query, question, filters)


@pattern("complex", 1.3)
def maximum_rows(context: Context) -> Draft:
    """Rows that hold the maximum (ties included), by a scalar subquery."""
    base, item, need, _ = value_of(context)
    filters = context.filters(base, context.rng.choice([0, 1, 1]), need=need, avoid=(item.key,), terms=0.1)
    items = context.items(base, 0, context.rng.choice([0, 1, 1]), (item.key, *(f.key for f in filters)))
    high = context.rng.random() < 0.75
    query = context.query(base.name)
    for extra in items:
        query.select(extra.make(query))
    tree = item.make(query)
    query.select(tree, item.alias)
    context.apply(query, filters)
    inner = context.query(base.name)
    inner.select(frag("MAX(:v)" if high else "MIN(:v)", v=item.make(inner)))
    context.apply(inner, filters)
    query.where(frag(":v = (:q)", v=tree, q=inner.build()))
    question = ask(
        context,
        "{LIST} the {cols} of all {np} that [share|have] the {word} {v}.",
        "Which {np} have the {word} {v} of all? Include ties and [show|return] the {cols}.",
        "{np} with the {word} {v}, ties included: {cols}",
        np=context.people(base, filters),
        word="highest" if high else "lowest",
        v=item.noun,
        cols=listing([*(i.noun for i in items), item.noun]),
    )
    return draft(query, question, filters)


@pattern("complex", 1.6)
def best_of_groups(context: Context) -> Draft:
    """Average (or maximum) over groups of a per-group count: a number about a derived table."""
    base, key, measure, filters = drawn_group(context, 1.0)
    inner = grouped(context, base, key, measure, filters, "n")
    kind, words = context.rng.choice(
        [
            ("AVG", ["average", "mean"]),
            ("AVG", ["average", "mean"]),
            ("MAX", ["highest", "maximum"]),
            ("MIN", ["lowest", "minimum"]),
        ]
    )
    query_tree = cte("t", inner, exp.select(frag(f"{kind}(n)")).from_("t"))
    question = ask(
        context,
        *(
            [
                "{WHAT} the {word} number of {np} per {key}?",
                "{CALC} the {word} number of {np} per {key}. One number is enough.",
                "{word} number of {np} per {key}, over all {keys} together",
                "On average, how many {np} [are there|do we have] per {key}?",
            ]
            if kind == "AVG"
            else [
                "{WHAT} the {word} number of {np} that any single {key} has?",
                "{CALC} the {word} number of {np} of any one {key}. Just the number.",
                "{word} number of {np} for a single {key}",
            ]
        ),
        keys=plural(key.noun),
        word=context.rng.choice(words),
        np=context.people(base, filters),
        key=key.noun,
    )
    return draft(query_tree, question, filters)
