"""Moderate pairs about rows: joins, bridges, CASE, and rows with columns of the tables above them."""

from __future__ import annotations

import re

from sqlglot import exp

from mnemosyne.synthesis.compose import Context, Draft, Item, NotApplicable
from mnemosyne.synthesis.patterns.parts import fact, joined
from mnemosyne.synthesis.patterns.registry import ask, draft, measured, pattern, some_measure, top_number
from mnemosyne.synthesis.phrasing import expand, listing, number, plural
from mnemosyne.synthesis.query import frag


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


@pattern("moderate", 1.8)
def distinct_parents(context: Context) -> Draft:
    """The different ancestors of rows under conditions: which clients had failed results."""
    base = fact(context)
    keys = [k for k in context.keys(base, ("name", "category")) if not k.key.startswith(f"{base.name}.")]
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


@pattern("moderate", 4)
def case_label(context: Context) -> Draft:
    """Each row with a word that CASE chooses by a condition."""
    base = fact(context)
    flags = [f for f in context.filters(base, 2, time=0.0, terms=0.8) if f.kind == "term" or "." in f.key]
    flags = [
        f for f in flags if f.kind == "term" and re.match(r"(that|which) (are|were|have|took|had|do|did) ", f.post)
    ]
    if not flags:
        raise NotApplicable
    flag = flags[0]
    filters = context.filters(base, context.rng.choice([1, 1, 2]), avoid=(flag.key,), terms=0.0)
    items = context.items(base, context.rng.choice([0, 1]), 0, (flag.key, *(f.key for f in filters)))
    query = context.query(base.name)
    for item in items:
        query.select(item.make(query))
    yes, no = context.rng.choice([("yes", "no"), ("yes", "no"), ("Y", "N")])
    case = exp.Case().when(flag.make(query), exp.Literal.string(yes), copy=False)
    query.select(case.else_(exp.Literal.string(no), copy=False), "flag")
    context.apply(query, filters)
    question = ask(
        context,
        "{LIST} the {cols} of {np}, and a column that says '{yes}' for those {what} and '{no}' for the others.",
        "For {np}, [show|give] the {cols} plus '{yes}' or '{no}' depending on whether they {verb}.",
        "{np}: {cols}, and '{yes}' if they {verb}, otherwise '{no}'",
        cols=context.name_items(items), np=context.people(base, filters), yes=yes, no=no, what=flag.post,
        verb=flag.post.split(" ", 1)[1],
    )  # fmt: skip
    return draft(query, question, [flag, *filters])


@pattern("moderate", 1.4)
def across_bridge(context: Context) -> Draft:
    """Rows of a table tied by a bridge to rows of another that satisfy conditions."""
    if not context.lexicon.bridges:
        raise NotApplicable
    bridge = context.rng.choice(context.lexicon.bridges)
    left, right = context.lexicon.tables[bridge.left], context.lexicon.tables[bridge.right]
    filters = context.filters(right, context.rng.choice([1, 1, 2]))
    query = context.query(bridge.table)
    label = query.col(left.name, left.label) if left.label not in _shared(context, bridge.table) else None
    label = label if label is not None else query.at((), left.label)
    many = context.rng.random() < 0.35
    query.select(frag("COUNT(DISTINCT :l)", l=label) if many else label)
    query.distinct = not many
    context.apply(query, filters)
    nouns, np, did = plural(context.noun(left)), context.people(right, filters), context.rng.choice(bridge.did)
    question = ask(
        context,
        *(
            ["How many {nouns} {did} {np}?", "Count the {nouns} that {did} {np}.", "number of {nouns} that {did} {np}"]
            if many
            else [
                "Which {nouns} {did} {np}?",
                "{LIST} the {ids} of {nouns} that {did} {np}.",
                "[List|Name|Find|Please list] the {nouns} that {did} {np}[|, each once].",
                "{nouns} that {did} {np}",
            ]
        ),
        nouns=nouns, did=did, np=np, ids=plural(context.label(left).nouns[0]),
    )  # fmt: skip
    return draft(query, question, filters)


def _shared(context: Context, table: str) -> set[str]:
    """Columns of a bridge that are foreign keys: the label of the other table need not be joined for."""
    return {column for key in context.graph.tables[table].foreign_keys for column in key.columns}
