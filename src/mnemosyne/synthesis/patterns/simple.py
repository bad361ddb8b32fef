"""Simple pairs about rows: one table; conditions, distinct values, order and limit."""

from __future__ import annotations

from sqlglot import exp

from mnemosyne.synthesis.compose import Context, Draft, NotApplicable
from mnemosyne.synthesis.patterns.registry import ask, draft, participle, pattern, top_number, which
from mnemosyne.synthesis.phrasing import listing, plural
from mnemosyne.synthesis.query import frag

_ORDERS = {
    True: {
        "date": ["newest first", "most recent first", "latest {noun} first"],
        "number": ["highest {noun} first", "by {noun}, descending"],
    },
    False: {
        "date": ["oldest first", "earliest {noun} first", "in order of {noun}"],
        "number": ["lowest {noun} first", "by {noun}, ascending"],
    },
}
"""How an order is asked for: descending or not, then by kind of column."""


def _some(context: Context) -> int:
    return context.rng.choice([1, 1, 1, 2, 2, 3])


@pattern("simple", 3)
def list_columns(context: Context) -> Draft:
    """Named columns of rows under conditions."""
    base = context.subject()
    items = context.items(base, context.rng.choice([0, 1, 1, 2, 2, 3]), 0)
    filters = context.filters(base, _some(context), parents=False)
    query = context.query(base.name)
    for item in items:
        query.select(item.make(query))
    context.apply(query, filters)
    if len(query.paths) > 1:
        raise NotApplicable
    question = ask(
        context,
        "{LIST} the {cols} of {ALL}{np}.",
        "{LIST} {cols} [for|of] {ALL}{np}.",
        "What are the {plural} of {ALL}{np}?",
        "[What are|I want] the {plural} [for|of] {np}[|, please]?",
        "{cols} of {np}",
        "{np}: {cols}",
        "For {ALL}{np}, [show|list|give|return] the {cols}.",
        cols=context.name_items(items),
        plural=context.name_items(items, True),
        np=context.people(base, filters),
    )
    return draft(query, question, filters)


@pattern("simple", 1.5)
def show_all(context: Context) -> Draft:
    """Every column of rows under conditions."""
    base = context.subject()
    filters = context.filters(base, _some(context), parents=False)
    query = context.apply(context.query(base.name), filters)
    if len(query.paths) > 1:
        raise NotApplicable
    question = ask(
        context,
        "[Show|Show me|Give me|Display|List|Get|I need|Please show|Can you show me|Let me see] all {np}.",
        "[Show|Give me|Display|Pull] [all details|all columns|everything|full details|the full records] [of|for] {np}.",
        "all {np}[|, please| pls]",
        "[Show|Pull up|Fetch] the [complete|full] [records|rows|details] of {ALL}{np}.",
        np=context.people(base, filters),
    )
    return draft(query, question, filters)


@pattern("simple", 2.5)
def which_rows(context: Context) -> Draft:
    """The names or ids of rows under conditions."""
    base = context.subject()
    label = context.label(base)
    filters = context.filters(base, _some(context), parents=False)
    if not filters:
        raise NotApplicable
    query = context.query(base.name)
    query.select(query.col(base.name, label.name))
    context.apply(query, filters)
    if len(query.paths) > 1:
        raise NotApplicable
    pre = [f for f in filters if f.pre]
    noun = context.noun(base)
    if pre and len(filters) == 1:
        question = ask(context, "[Which|What] {nouns} are {pre}?", "which {nouns} are {pre}",
                       nouns=plural(noun), pre=pre[0].pre)  # fmt: skip
        if "flag" in question or pre[0].key == f"{base.name}.{label.name}" or not pre[0].pre[0].isalpha():
            raise NotApplicable
        column = context.lexicon.column(*pre[0].key.split(".", 1)) if "." in pre[0].key else None
        if (
            column is not None
            and column.kind == "category"
            and column.name in ("city", "technique", "matrix", "category")
        ):
            raise NotApplicable
        return draft(query, question, filters)
    np = context.people(base, filters, noun)
    question = ask(
        context,
        "{which} [do we have|are there|are on record]?",
        "{LIST} the {label} of {ALL}{np}.",
        "{LIST} the {label} [for|of] {np}.",
        "I'm looking for {np}. [Which are they?|Which ones are there?]",
        "{plural} of {np}",
        "[Name|Identify] the {np}.",
        "[Tell me|Do you know] which {np} [we have|there are].",
        np=np,
        which=which(context, base, np),
        label=plural(label.nouns[0]),
        plural=plural(label.nouns[0]),
    )
    return draft(query, question, filters)


@pattern("simple", 1.2)
def distinct_values(context: Context) -> Draft:
    """The different values of a column."""
    base = context.subject()
    columns = [c for c in base.columns.values() if c.kind == "category" and context.pool(c).distinct > 1]
    if not columns:
        raise NotApplicable
    column = context.rng.choice(columns)
    key = f"{base.name}.{column.name}"
    filters = context.filters(base, context.rng.choice([0, 0, 1, 1, 2]), parents=False, avoid=(key,))
    query = context.query(base.name)
    query.select(query.col(base.name, column.name))
    query.distinct = True
    context.apply(query, filters)
    if len(query.paths) > 1:
        raise NotApplicable
    if context.pool(column).nulls:
        query.where(frag(":c IS NOT NULL", c=query.col(base.name, column.name)))
    question = ask(
        context,
        "What are the [different|distinct|unique] {values} of {ALL}{np}?",
        "{LIST} the [different|distinct|unique] {values} of {ALL}{np}.",
        "[What|Which] {values} [occur|appear|are there] among {np}?",
        "[distinct|unique|different] {values} of {np}",
        "{LIST} every {value} [found|that occurs|present] among {np}[|, without repeats|, each once].",
        values=plural(column.nouns[0] if context.rng.random() < 0.6 else context.rng.choice(column.nouns)),
        value=column.nouns[0],
        np=context.people(base, filters),
    )
    return draft(query, question, filters)


@pattern("simple", 2.2)
def top_rows(context: Context) -> Draft:
    """The first N rows by a number or a date, ties broken by the label."""
    base = context.subject()
    columns = [c for c in base.columns.values() if (c.kind == "date" or c.aggregates) and not c.needs]
    if not columns:
        raise NotApplicable
    column = context.rng.choice(columns)
    label = context.label(base)
    filters = context.filters(
        base, context.rng.choice([0, 0, 1, 1, 2]), parents=False, avoid=(f"{base.name}.{column.name}",)
    )
    count, shown = top_number(context)
    desc = context.rng.random() < 0.6
    query = context.query(base.name)
    query.select(query.col(base.name, label.name))
    with_value = context.rng.random() < 0.6
    if with_value:
        query.select(query.col(base.name, column.name))
    context.apply(query, filters)
    if context.pool(column).nulls:
        query.where(frag(":c IS NOT NULL", c=query.col(base.name, column.name)))
    if len(query.paths) > 1:
        raise NotApplicable
    query.order(query.col(base.name, column.name), desc).order(query.col(base.name, label.name))
    query.limited = count
    np = context.people(base, filters)
    cols = f"{label.nouns[0]} and {column.nouns[0]}" if with_value else label.nouns[0]
    if column.kind == "date":
        done = context.rng.choice(column.done or (participle(context, base, column),))
        simple_done = " " not in done or done.startswith(("signed", "taken", "logged", "booked", "drawn"))
        order = ("most recently" if desc else "earliest") if simple_done else ""
        templates = [
            "{LIST} the {cols} of the {n} {np} with the [latest|most recent] {noun}."
            if desc
            else "{LIST} the {cols} of the {n} {np} with the [earliest|oldest] {noun}.",
        ]
        if order:
            templates.append("{LIST} the {cols} of the {n} " + f"{order} {done}" + " {np}.")
            templates.append("the {n} " + f"{order} {done}" + " {np}: {cols}")
    else:
        word = "[highest|largest]" if desc else "[lowest|smallest]"
        templates = [
            "{LIST} the {cols} of the {n} {np} with the " + word + " {noun}.",
            "[Which|What] {n} {np} have the " + word + " {noun}? [Return|Show|Give] the {cols}.",
            "[top|the top] {n} {np} by {noun}, {cols}" if desc else "the {n} {np} with the lowest {noun}, {cols}",
        ]
    question = ask(context, *templates, cols=cols, n=shown, np=np, noun=column.nouns[0])
    return draft(query, question, filters, ordered=True)


@pattern("simple", 1.5)
def sorted_list(context: Context) -> Draft:
    """Named columns, in an order that is asked for."""
    base = context.subject()
    items = context.items(base, context.rng.choice([1, 1, 2]), 0)
    filters = context.filters(base, context.rng.choice([1, 1, 2]), parents=False)
    by = context.rng.choice(items)
    column = context.lexicon.column(*by.key.split(".", 1))
    label = context.label(base)
    if column is None or context.pool(column).nulls or column.kind in ("boolean", "text"):
        raise NotApplicable
    desc = context.rng.random() < 0.4
    query = context.query(base.name)
    for item in items:
        query.select(item.make(query))
    context.apply(query, filters)
    if len(query.paths) > 1:
        raise NotApplicable
    query.order(query.col(base.name, column.name), desc)
    if column.name != label.name:
        query.order(query.col(base.name, label.name))
    how = _ORDERS[desc]
    ways = how.get(
        column.kind,
        ["in reverse order of {noun}", "sorted by {noun} from Z to A"]
        if desc
        else ["sorted by {noun}", "ordered by {noun}", "in order of {noun}"],
    )
    if column.kind == "name" and not desc:
        ways = ["in alphabetical order of {noun}", "alphabetically by {noun}", "sorted by {noun}"]
    if column.kind == "date":
        ways = [*ways, "sorted by {noun}, newest first" if desc else "sorted by {noun}"]
        ways = [w if "{noun}" in w else f"by {{noun}}, {w}" for w in ways]
    tie = "" if column.name == label.name else context.rng.choice(["", f", then by {label.nouns[0]}"])
    question = ask(
        context,
        "{LIST} the {cols} of {ALL}{np}, {how}{tie}.",
        "{cols} of {np}, {how}{tie}",
        cols=context.name_items(items),
        np=context.people(base, filters),
        how=context.rng.choice(ways).replace("{noun}", by.noun),
        tie=tie,
    )
    return draft(query, question, filters, ordered=True)


@pattern("simple", 2)
def lookup(context: Context) -> Draft:
    """Attributes of one named row."""
    base = context.subject()
    label = context.label(base)
    unique = label.kind == "name" or context.graph.tables[base.name].primary_key == (label.name,)
    if label.kind not in ("name", "id") or not unique:
        raise NotApplicable
    values = context.pool(label).values
    if not values:
        raise NotApplicable
    stored = context.pick(values)
    said, hint = context.say(label, stored)
    columns = [c for c in base.columns.values() if c.name != label.name and c.kind not in ("id", "boolean")]
    if not columns:
        raise NotApplicable
    chosen = context.rng.sample(columns, min(len(columns), context.rng.choice([1, 1, 1, 2, 2, 3])))
    query = context.query(base.name)
    for column in chosen:
        query.select(query.col(base.name, column.name))
    literal: int | str = int(stored) if stored.isdigit() else stored
    query.where(frag(":c = :v", c=query.col(base.name, label.name), v=literal))
    cols = listing([context.rng.choice(c.nouns) for c in chosen])
    noun = context.noun(base)
    the = f"{noun} {said}" if label.kind == "id" or context.rng.random() < 0.3 else said
    question = ask(
        context,
        "[What is|What's|Tell me|I need|Give me|Show] the {cols} of {x}?",
        "[What is|What's] the {cols} [for|of] {x}?" if len(chosen) == 1 else "What are the {cols} of {x}?",
        "{x}: {cols}[|?]",
        "{cols} of {x}",
        "[Show|Give|Look up] the {cols} of {x}.",
        "For {x}, what [is|do we have as] the {cols}?" if len(chosen) == 1 else "For {x}, give the {cols}.",
        cols=cols,
        x=the,
    )
    made = draft(query, question)
    made.hints = [] if isinstance(literal, int) else [hint]
    return made


@pattern("simple", 1.2)
def either(context: Context) -> Draft:
    """Rows that satisfy one condition or another."""
    base = context.subject()
    filters = [
        f for f in context.filters(base, 4, parents=False, time=0.15, terms=0.4) if f.post and not context.needs(f)
    ][:2]
    if len(filters) < 2:
        raise NotApplicable
    label = context.label(base)
    query = context.query(base.name)
    many = context.rng.random() < 0.5
    query.select(frag("COUNT(*)") if many else query.col(base.name, label.name))
    query.where(frag(":a OR :b", **{n: exp.paren(t) if isinstance(t, exp.And) else t
                                    for n, t in zip("ab", (f.make(query) for f in filters), strict=True)}))  # fmt: skip
    if len(query.paths) > 1:
        raise NotApplicable
    np = f"{plural(context.noun(base))} {filters[0].post} or {filters[1].post}"
    question = ask(
        context,
        *(
            ["How many {np} are there?", "Count the {np}.", "How many {np}?", "number of {np}"]
            if many
            else [
                "{LIST} the {label} of all {np}.",
                "{LIST} the {label} of {np}.",
                "Which {np} do we have?",
                "{label} of {np}",
            ]
        ),
        np=np,
        label=plural(label.nouns[0]),
    )
    return draft(query, question, filters)


@pattern("simple", 1)
def computed_column(context: Context) -> Draft:
    """A row-level expression of the lexicon, listed beside the label."""
    found = [m for m in context.lexicon.computed if not m.needs]
    if not found:
        raise NotApplicable
    computed = context.rng.choice(found)
    base = context.lexicon.tables[computed.on]
    label = context.label(base)
    filters = context.filters(base, _some(context), parents=False, terms=0.0)
    query = context.query(base.name)
    query.select(query.col(base.name, label.name)).select(context.put(query, computed), computed.alias)
    context.apply(query, filters)
    if len(query.paths) > 1:
        raise NotApplicable
    question = ask(
        context,
        "{LIST} the {label} and the {what} [of|for] {np}.",
        "[For|For all] {np}, [show|give|list] the {label} and the {what}.",
        "{label} and {what} of {np}",
        label=label.nouns[0],
        what=context.rng.choice(computed.nouns),
        np=context.people(base, filters),
    )
    return draft(query, question, filters)
