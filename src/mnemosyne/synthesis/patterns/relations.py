"""Pairs about rows through the rows beneath them: with, without, both, one but not the other, including none."""

from __future__ import annotations

import re
from typing import Any

from sqlglot import exp

from mnemosyne.synthesis.compose import Context, Draft, Filter, NotApplicable
from mnemosyne.synthesis.lexicon import Relation, TableWords
from mnemosyne.synthesis.patterns.registry import ask, date_column, draft, participle, pattern
from mnemosyne.synthesis.phrasing import noun_phrase, number, plural, rank
from mnemosyne.synthesis.query import Query, frag


def drawn_relation(context: Context) -> tuple[Relation, TableWords, TableWords]:
    """A relation, its upper table and its lower table."""
    relation = context.relation()
    return relation, context.lexicon.tables[relation.parent], context.lexicon.tables[relation.child]


def below(context: Context, relation: Relation, count: int, **options: Any) -> list[Filter]:
    """Filters on the lower rows that do not lead back to the upper ones."""
    above = frozenset(context.graph.up(relation.parent))
    return context.filters(context.lexicon.tables[relation.child], count, without=above, **options)


def said(context: Context, forms: tuple[str, ...], np: str) -> str:
    """One of the verb forms, with its object."""
    return context.rng.choice(forms).replace("{np}", np)


def start(context: Context, parent: TableWords, filters: list[Filter]) -> Query:
    """`SELECT label FROM parent` under filters."""
    query = context.query(parent.name)
    query.select(query.col(parent.name, context.label(parent).name))
    return context.apply(query, filters)


def subject(context: Context, parent: TableWords, filters: list[Filter], clause: str) -> str:
    """`active clients in Cork that have ...`."""
    noun = plural(context.noun(parent))
    who = context.rng.choice(["who", "that"] if parent.person or parent.name == "clients" else ["that", "which"])
    post = [(rank(f.post), f.post) for f in filters if f.post]
    if clause.startswith(("with ", "without ")):
        return noun_phrase(noun, [f.pre for f in filters if f.pre], [*post, (4, clause)])
    joiner = "and" if any(r == 3 for r, _ in post) else ""
    return noun_phrase(noun, [f.pre for f in filters if f.pre], [*post, (4, f"{joiner} {who} {clause}".strip())])


def asked(context: Context, parent: TableWords, filters: list[Filter], clause: str, many: bool) -> str:
    """The question for the labels (or the number) of rows that satisfy a clause."""
    np = subject(context, parent, filters, clause)
    plain = plural(context.noun(parent))
    pre, post = " ".join(f.pre for f in filters if f.pre), " ".join(f.post for f in filters if f.post)
    np_plain = " ".join(p for p in (pre, plain, post) if p)
    direct = clause if not clause.startswith(("with ", "without ")) else f"are {clause}"
    if many:
        return ask(context, "How many {p} {c}?", "[Count|Give me the number of|I need the number of] {np}.",
                   "[number|count] of {np}", p=np_plain, c=direct, np=np)  # fmt: skip
    label = plural(context.label(parent).nouns[0])
    return ask(
        context,
        "Which {p} {c}?",
        "{which} {p} {c}?",
        "[List|Name|Identify|Find|Please list|Can you list|I need a list of] the {np}.",
        "{LIST} the {label} of {np}.",
        "{np}",
        "[Are there any|Do we have any] {np}? [Which ones?|If so, which?|List them.]",
        "[Find|Identify] {np}.",
        p=np_plain,
        c=direct,
        np=np,
        label=label,
        which=context.rng.choice(["Which", "What"]),
    )


@pattern("moderate", 2.6)
def without(context: Context) -> Draft:
    """NOT EXISTS: rows with nothing beneath them that satisfies conditions."""
    relation, parent, child = drawn_relation(context)
    bare = "{np}" not in relation.did_not[0]
    filters = context.filters(parent, context.rng.choice([0, 0, 0, 1, 1]), parents=False, terms=0.1)
    inner_filters = [] if bare else below(context, relation, context.rng.choice([0, 1, 1, 1, 2]))
    query = start(context, parent, filters)
    inner = context.beneath(query, relation, inner_filters)
    query.where(frag("NOT EXISTS (:q)", q=inner.build()))
    many = context.rng.random() < 0.2
    if many:
        query.selected = [frag("COUNT(*)")]
    clause = said(context, relation.did_not, context.people(child, inner_filters))
    return draft(query, asked(context, parent, filters, clause, many), [*filters, *inner_filters])


@pattern("moderate", 1.6)
def with_some(context: Context) -> Draft:
    """EXISTS: rows with something beneath them; conditions on both."""
    relation, parent, child = drawn_relation(context)
    bare = "{np}" not in relation.did[0]
    filters = context.filters(parent, context.rng.choice([0, 1, 1, 1]), parents=False, terms=0.1)
    inner_filters = [] if bare else below(context, relation, context.rng.choice([1, 1, 2]))
    query = start(context, parent, filters)
    query.where(frag("EXISTS (:q)", q=context.beneath(query, relation, inner_filters).build()))
    many = context.rng.random() < 0.3
    if many:
        query.selected = [frag("COUNT(*)")]
    clause = said(context, relation.did, context.people(child, inner_filters))
    return draft(query, asked(context, parent, filters, clause, many), [*filters, *inner_filters])


@pattern("complex", 4)
def both_kinds(context: Context) -> Draft:
    """EXISTS twice: rows with one kind beneath them and another kind too; or one but not the other."""
    relation, parent, child = drawn_relation(context)
    if "{np}" not in relation.did[0]:
        raise NotApplicable
    columns = [c for c in [*child.columns.values(), *context.reachable(child.name)]
               if c.kind in ("name", "category") and c.table != parent.name and len(context.pool(c).values) > 2
               and context.phrases(child, c, "is") is not None
               and c.table not in context.graph.up(parent.name)]  # fmt: skip
    if not columns:
        raise NotApplicable
    column = context.rng.choice(columns)
    one, other = context.rng.sample(context.pool(column).values[:30], 2)
    kinds = [context.value_filter(child, column, value) for value in (one, other)]
    common = below(context, relation, context.rng.choice([0, 1, 1]), avoid=(kinds[0].key,), terms=0.7)
    filters = context.filters(parent, context.rng.choice([0, 0, 0, 1]), parents=False, terms=0.0)
    negative = context.rng.random() < 0.45
    query = start(context, parent, filters)
    for index, kind in enumerate(kinds):
        inner = context.beneath(query, relation, [kind, *common]).build()
        query.where(frag("NOT EXISTS (:q)" if negative and index else "EXISTS (:q)", q=inner))
    noun = context.noun(child)
    a, b = (context.people(child, [kind, *common], noun) for kind in kinds)
    clause = said(context, relation.did, f"{a} but no {b}" if negative else f"both {a} and {b}")
    return draft(query, asked(context, parent, filters, clause, False), [*filters, *kinds, *common])


def child_key(context: Context, child: TableWords) -> str:
    """A column of the lower table that is never NULL, to count by."""
    table = context.graph.tables[child.name]
    return table.primary_key[0] if table.primary_key else child.label


@pattern("moderate", 2)
def including_none(context: Context) -> Draft:
    """LEFT JOIN: a count per row, zero where there is nothing beneath."""
    _, parent, child = drawn_relation(context)
    path = context.graph.down(parent.name).get(child.name)
    if path is None or len(path) > 2:
        raise NotApplicable
    filters = context.filters(parent, context.rng.choice([0, 0, 1]), parents=False, terms=0.0)
    inner = context.filters(child, context.rng.choice([0, 1, 1]), parents=False)
    query = context.query(parent.name)
    label = query.col(parent.name, context.label(parent).name)
    query.join(path, "LEFT JOIN")
    query.extra_on.setdefault(path, []).extend(rebased(context, query, child, path, f) for f in inner)
    alias = re.sub(r"\W+", "_", plural(child.nouns[0]))
    query.select(label).select(frag("COUNT(:c)", c=query.at(path, child_key(context, child))), alias).group(label)
    context.apply(query, filters)
    if len(query.paths) != len(path) + 1:
        raise NotApplicable
    np, people = context.people(child, inner), context.people(parent, filters)
    order = ""
    if context.rng.random() < 0.25:
        query.order(alias, True).order(label)
        order = context.rng.choice([", highest first", ", most first"])
    question = ask(
        context,
        "[How many|Show how many] {np} does each of the {people} have, {NONE}{order}?",
        "{LIST} {people} with their number of {np}, {NONE}{order}.",
        "[Number|Count] of {np} for each [of the |of our |]{people}, {NONE}{order}",
        "[Count|Give me the number of] {np} per {one}, {NONE}{order}."
        if not filters
        else "[Count|Give me the number of] {np} for all {people}, {NONE}{order}.",
        np=np,
        people=people,
        one=parent.nouns[0],
        order=order,
    )
    question = question.replace("for each the ", "for each of the ")
    question = re.sub(r"^(Number|Count) of (.*) for each (?!of)", r"\1 of \2 for all ", question)
    question = (
        re.sub(r"^Show (how many .*) does each of (.*)\?$", r"Show \1 each of \2 has.", question)
        if question.startswith("Show how")
        else question
    )
    question = re.sub(r" have, (.*) has\.$", r" have, \1.", question)
    return draft(query, question, [*filters, *inner], ordered=bool(order))


def rebased(
    context: Context, query: Query, child: TableWords, path: tuple[object, ...], drawn: Filter
) -> exp.Expression:
    """A filter's condition about the child that is joined at `path`. Only the child's own columns may take part."""
    alone = context.query(child.name)
    tree = drawn.make(alone)
    if len(alone.paths) > 1:
        raise NotApplicable
    for column in list(tree.find_all(exp.Column)):
        column.replace(query.at(path, column.name))  # type: ignore[arg-type]
    return tree


@pattern("moderate", 1.2)
def not_since(context: Context) -> Draft:
    """Groups whose last date lies before a bound: quiet for N days."""
    relation, parent, child = drawn_relation(context)
    if not child.when or "{np}" not in relation.did[0]:
        raise NotApplicable
    column = child.columns[child.when]
    filters = context.filters(child, context.rng.choice([0, 0, 1]), time=0.0, terms=0.0)
    query = context.query(child.name)
    label = query.at(context.graph.up(child.name)[parent.name], context.label(parent).name)
    days = context.rng.choice([14, 30, 60, 90, 120, 180])
    query.select(label)
    tree = frag("MAX(:d)", d=query.col(child.name, column.name))
    with_value = context.rng.random() < 0.5
    if with_value:
        query.select(tree, f"last_{column.name}")
    query.group(label)
    query.having.append(frag(f":t < CURRENT_DATE - INTERVAL '{days} days'", t=tree))
    context.apply(query, filters)
    done = context.rng.choice(column.done)
    question = ask(
        context,
        "Which {parents} have their [last|latest|most recent] {np} {done} more than {n} days ago"
        + (", and when was that?" if with_value else "?"),
        "{LIST} the {parents} whose [most recent|last|latest] {child} was {done} more than {n} days ago"
        + (", with that date." if with_value else ".")
        if not filters
        else "{LIST} the {parents} whose latest {noun} among {nps} is more than {n} days ago"
        + (", with that date." if with_value else "."),
        "{parents} whose latest {noun}"
        + ("" if not filters else " among {nps}")
        + " is more than {n} days ago"
        + (", with the date" if with_value else ""),
        parents=plural(context.noun(parent)),
        np=child.nouns[0],
        nps=context.people(child, filters),
        child=child.nouns[0],
        done=done,
        n=number(days, context.rng, 0),
        noun=column.nouns[0],
    )
    if filters and "among" not in question:
        raise NotApplicable
    if done.startswith(("that", "who")) and done in question:
        raise NotApplicable
    return draft(query, question, filters)


@pattern("moderate", 1)
def first_in(context: Context) -> Draft:
    """Groups whose first date falls into a window."""
    relation, parent, child = drawn_relation(context)
    if not child.when or "{np}" not in relation.did[0]:
        raise NotApplicable
    column = date_column(context, child)
    last = context.rng.random() < 0.4
    window = context.window(column)
    query = context.query(child.name)
    label = query.at(context.graph.up(child.name)[parent.name], context.label(parent).name)
    query.select(label).group(label)
    query.having.append(window.on(frag("MAX(:d)" if last else "MIN(:d)", d=query.col(child.name, column.name))))
    word = context.rng.choice(["last", "latest", "most recent"] if last else ["first", "earliest"])
    done = participle(context, child, column)
    question = ask(
        context,
        "Which {parents} had their {word} {child} {done} {window}?",
        "{LIST} the {parents} whose {word} {child} was {done} {window}.",
        "{parents} whose {word} {child} was {done} {window}",
        parents=plural(context.noun(parent)),
        word=word,
        child=child.nouns[0],
        done=done,
        window=window.text,
    )
    return draft(query, question)
