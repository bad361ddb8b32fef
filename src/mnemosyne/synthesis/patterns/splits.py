"""Moderate pairs that split: shares, conditional counts side by side, bands."""

from __future__ import annotations

import re

from sqlglot import exp

from mnemosyne.synthesis.compose import Context, Draft, Filter, NotApplicable
from mnemosyne.synthesis.patterns.parts import fact
from mnemosyne.synthesis.patterns.registry import ask, draft, pattern
from mnemosyne.synthesis.phrasing import expand, listing, number
from mnemosyne.synthesis.query import Query, frag

_SMALL = frozenset(
    [
        "that",
        "which",
        "who",
        "with",
        "where",
        "are",
        "were",
        "is",
        "was",
        "have",
        "has",
        "had",
        "came",
        "a",
        "the",
        "an",
        "of",
        "for",
        "in",
        "on",
    ]
)
"""Words that no column's name needs."""


@pattern("moderate", 3)
def share(context: Context) -> Draft:
    """The percentage of rows that satisfy a condition, over all or per group."""
    base = fact(context)
    flags = context.filters(base, 1, time=0.0, terms=0.7)
    if not flags or not (flags[0].post.startswith(("that", "which")) or flags[0].pre):
        raise NotApplicable
    flag = flags[0]
    if flag.kind != "term" and not flag.key.startswith(f"{base.name}."):
        raise NotApplicable
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


@pattern("moderate", 5)
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
            pairs += [(value, context.value_filter(base, column, value))]
    else:
        for drawn in context.filters(base, 2, time=0.0, terms=1.0, avoid=(key.key,)):
            pairs += [(drawn.pre or drawn.post, drawn)]
    if len(pairs) < 2:
        raise NotApplicable
    query = context.query(base.name)
    query.select(key.make(query)).group(key.make(query))
    filters = context.filters(
        base, context.rng.choice([0, 0, 1]), avoid=(key.key, *(f.key for _, f in pairs)), terms=0.0
    )
    for name, drawn in pairs:
        alias = re.sub(r"\W+", "_", name.lower()).strip("_")
        words = [w for w in alias.split("_") if w not in _SMALL]
        alias = "_".join(words[:3]) or "n"
        query.select(frag("COUNT(*) FILTER (WHERE :c)", c=drawn.make(query)), alias)
    context.apply(query, filters)
    parts = [context.people(base, [f, *filters], context.noun(base)) if i == len(pairs) - 1 or not f.pre else f.pre
             for i, (_, f) in enumerate(pairs)]  # fmt: skip
    bare = [not f.pre for _, f in pairs]
    if any(bare) and (filters or not all(bare)):
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
        settled = {c.name for c in computed.where.find_all(exp.Column)} if computed.where is not None else set()
        for used in computed.sql.find_all(exp.Column):
            words = context.lexicon.column(used.table, used.name)
            if used.name not in settled and words is not None and context.pool(words).nulls:
                query.where(frag(":c IS NOT NULL", c=query.col(used.table, used.name)))
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
