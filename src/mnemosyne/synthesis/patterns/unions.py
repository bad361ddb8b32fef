"""Complex pairs that put queries together or weigh groups against the whole: UNION and shares of a total."""

from __future__ import annotations

from sqlglot import exp

from mnemosyne.synthesis.compose import Context, Draft, NotApplicable
from mnemosyne.synthesis.patterns.parts import fact
from mnemosyne.synthesis.patterns.registry import ask, draft, pattern, top_number
from mnemosyne.synthesis.phrasing import listing, plural
from mnemosyne.synthesis.query import frag


@pattern("complex", 0.8)
def union_lists(context: Context) -> Draft:
    """UNION of the names of two kinds of rows, with a column that says which."""
    labels = [t for t in context.subjects() if context.label(t).kind == "name"]
    if len(labels) < 2:
        raise NotApplicable
    first, second = context.rng.sample(labels, 2)
    queries, phrases, hints = [], [], []
    tagged = context.rng.random() < 0.6
    for table in (first, second):
        filters = context.filters(table, context.rng.choice([0, 1, 1]), parents=False)
        query = context.query(table.name)
        query.select(query.col(table.name, table.label), "name")
        if tagged:
            query.select(exp.Literal.string(table.nouns[0]), "kind")
        context.apply(query, filters)
        if len(query.paths) > 1:
            raise NotApplicable
        queries.append(query.build())
        phrases.append(f"{plural(context.label(table).nouns[0])} of {context.people(table, filters)}")
        hints += filters
    tail = f", with a second column saying '{first.nouns[0]}' or '{second.nouns[0]}'" if tagged else ""
    question = (
        ask(
            context,
            "[Make|Give me|I need] [one|a single] list with the {a} and the {b}{tail}.",
            "[Combine|Put together|Merge] the {a} and the {b} [into|in] one list{tail}.",
            "one list: {a} plus {b}{tail}",
            a=phrases[0],
            b=phrases[1],
            tail=tail,
        )
        .replace("List one list", "Make one list")
        .replace("List a single list", "Make a single list")
    )
    return draft(exp.union(queries[0], queries[1], distinct=not tagged or True), question, hints)


@pattern("complex", 0.7)
def union_counts(context: Context) -> Draft:
    """UNION ALL of two or three counts, one row each."""
    tables = context.rng.sample(context.subjects(), min(len(context.subjects()), context.rng.choice([2, 2, 3])))
    queries, phrases, hints = [], [], []
    for table in tables:
        filters = context.filters(table, context.rng.choice([0, 1, 1]), time=0.6)
        query = context.query(table.name)
        name = plural(table.nouns[0])
        query.select(exp.Literal.string(name), "what").select(frag("COUNT(*)"), "n")
        context.apply(query, filters)
        queries.append(query.build())
        phrases.append(context.people(table, filters, table.nouns[0]))
        hints += filters
    tree: exp.Expression = queries[0]
    for query_tree in queries[1:]:
        tree = exp.union(tree, query_tree, distinct=False)
    names = listing([f"'{plural(t.nouns[0])}'" for t in tables], "or")
    question = ask(
        context,
        "[Count|Give me the number of] {parts}, one row each, labelled {names}.",
        "In one table with a row each ({names}): the number of {parts}.",
        "{parts}: one row each with the label {names} and the count",
        parts=listing(phrases),
        names=names,
    )
    return draft(tree, question, hints)


@pattern("complex", 1.2)
def share_of_total(context: Context) -> Draft:
    """SUM(COUNT(*)) OVER (): each group's share of all rows."""
    base = fact(context)
    key = context.key(base)
    filters = context.filters(base, context.rng.choice([0, 1, 1, 2]), avoid=(key.key,))
    query = context.query(base.name)
    k = key.make(query)
    query.select(k)
    with_count = context.rng.random() < 0.4
    if with_count:
        query.select(frag("COUNT(*)"), "n")
    query.select(frag("100.0 * COUNT(*) / SUM(COUNT(*)) OVER ()"), "share").group(k)
    context.apply(query, filters)
    np = context.people(base, filters)
    question = ask(
        context,
        "[What share|What percentage] of {np} does each {key} [account for|make up]?"
        + (" Show the count too, before the share." if with_count else ""),
        "[For each|Per] {key}, [show|give] "
        + ("the number of {np} and " if with_count else "")
        + "[its|the] percentage of all {np}.",
        "percentage of all {np} by {key}" + (", with the count before it" if with_count else ""),
        np=np,
        key=key.noun,
    )
    return draft(query, question, filters)


@pattern("complex", 1)
def top_share(context: Context) -> Draft:
    """The first N groups with their share of the total."""
    base = fact(context)
    key = context.key(base)
    filters = context.filters(base, context.rng.choice([0, 1, 1]), avoid=(key.key,))
    count, shown = top_number(context)
    if context.size(key) <= count:
        raise NotApplicable
    query = context.query(base.name)
    k = key.make(query)
    query.select(k).select(frag("COUNT(*)"), "n")
    query.select(frag("100.0 * COUNT(*) / SUM(COUNT(*)) OVER ()"), "share").group(k)
    query.order("n", True).order(k)
    query.limited = count
    context.apply(query, filters)
    question = ask(
        context,
        "Which {n} {keys} have the most {np}? [Show|Give] the count and the percentage of the total.",
        "[Top|The top] {n} {keys} by number of {np}, with [their|the] count and share of the total in percent",
        "{LIST} the {n} {keys} with the most {np}, the count and its percentage of all.",
        n=shown,
        keys=plural(key.noun),
        np=context.people(base, filters),
    )
    return draft(query, question, filters, ordered=True)
