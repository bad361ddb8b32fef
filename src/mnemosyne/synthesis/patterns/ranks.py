"""Complex pairs with window functions over groups and rows: ranks, tiles, previous rows, running rows."""

from __future__ import annotations

from sqlglot import exp

from mnemosyne.schema import writing
from mnemosyne.synthesis.compose import Context, Draft, NotApplicable
from mnemosyne.synthesis.patterns.parts import cte, determined, drawn_group, fact, key_name
from mnemosyne.synthesis.patterns.registry import ask, draft, measured, pattern
from mnemosyne.synthesis.phrasing import listing, number, plural
from mnemosyne.synthesis.query import frag


@pattern("complex", 2)
def rank_groups(context: Context) -> Draft:
    """RANK or DENSE_RANK of groups by a measure."""
    base, key, measure, filters = drawn_group(context, 0.5)
    dense = context.rng.random() < 0.4
    query = context.query(base.name)
    k = key.make(query)
    tree = context.put(query, measure)
    name = "DENSE_RANK" if dense else "RANK"
    query.select(k).select(tree, measure.alias)
    desc = context.rng.random() < 0.85
    query.select(frag(f"{name}() OVER (ORDER BY :t{' DESC' if desc else ''})", t=tree), "rank").group(k)
    context.apply(query, filters)
    gaps = (
        context.rng.choice([", without gaps", " using a dense rank", ", no gaps after ties"])
        if dense
        else context.rng.choice(["", "", ", with gaps after ties"])
    )
    first = "" if desc else ", the lowest first"
    question = ask(
        context,
        "Rank [the |]{keys} by {m}{first}{gaps}. [Show|Return] the {key}, the value and the rank.",
        "[Give|Show|List] each {key} with its {m} and its rank{first}{gaps}.",
        "{keys} ranked by {m}{first}{gaps}: {key}, value, rank",
        keys=plural(key.noun),
        key=key.noun,
        m=measured(context, base, measure, filters),
        first=first,
        gaps=gaps,
    )
    return draft(query, question, filters)


@pattern("complex", 1.3)
def rank_within(context: Context) -> Draft:
    """RANK of one key inside each of another."""
    base = fact(context)
    outer = context.key(base)
    inner = context.key(base, avoid=(outer.key,))
    if outer.noun == inner.noun or determined(context, inner, outer):
        raise NotApplicable
    filters = context.filters(base, context.rng.choice([0, 1, 1]), avoid=(outer.key, inner.key))
    query = context.query(base.name)
    a, b = outer.make(query), inner.make(query)
    query.select(a).select(b).select(frag("COUNT(*)"), "n")
    query.select(frag("RANK() OVER (PARTITION BY :a ORDER BY COUNT(*) DESC)", a=a), "rank").group(a, b)
    context.apply(query, filters)
    question = ask(
        context,
        "Within each {a}, rank the {bs} by number of {np}. Show {a}, {b}, number and rank.",
        "[Rank|Give the rank of] the {bs} of each {a} by their number of {np}, with {a}, {b}, the number and the rank.",
        "{bs} ranked by number of {np} within {a} ({a}, {b}, count, rank)",
        a=outer.noun,
        b=inner.noun,
        bs=plural(inner.noun),
        np=context.people(base, filters),
    )
    return draft(query, question, filters)


@pattern("complex", 1.3)
def tiles(context: Context) -> Draft:
    """NTILE: groups cut into quarters or thirds by a measure."""
    base, key, measure, filters = drawn_group(context, 0.7)
    parts, word = context.rng.choice(
        [(4, "quartile"), (4, "quartile"), (3, "third"), (5, "quintile"), (10, "decile"), (2, "half")]
    )
    if context.size(key) < 2 * parts:
        raise NotApplicable
    query = context.query(base.name)
    k = key.make(query)
    tree = context.put(query, measure)
    desc = context.rng.random() < 0.7
    query.select(k).select(tree, measure.alias)
    query.select(frag(f"NTILE({parts}) OVER (ORDER BY :t{' DESC' if desc else ''}, :k)", t=tree, k=k), word).group(k)
    context.apply(query, filters)
    first = "1 being the highest" if desc else "1 being the lowest"
    question = ask(
        context,
        "[Divide|Split] the {keys} into {n} equal groups by {m}, {first}. Show {key}, value and group number.",
        "[Assign|Give] each {key} {art} {word} by {m} ({first}), with the value.",
        "{keys} by {word} of {m}, {first}: {key}, value, {word}",
        keys=plural(key.noun),
        key=key.noun,
        n=number(parts, context.rng, 0.5),
        m=measured(context, base, measure, filters),
        first=first,
        word=word,
        art="a",
    )
    return draft(query, question, filters)


@pattern("complex", 1.8)
def previous_row(context: Context) -> Draft:
    """LAG inside a partition: the previous date or value, or the days since."""
    base = fact(context)
    if not base.when:
        raise NotApplicable
    column = base.columns[base.when]
    numbers = [c for c in base.columns.values() if "avg" in c.aggregates]
    value = context.rng.choice(numbers) if numbers and context.rng.random() < 0.5 else None
    key = context.key(base, kinds=("name", "category"))
    filters = context.filters(
        base, context.rng.choice([0, 1, 1]), need=value.needs if value else "", avoid=(key.key,), terms=0.1
    )
    if value and not filters:
        raise NotApplicable
    if value and value.needs and key.key.partition(".")[0] in context.graph.up(value.needs.partition(".")[0]):
        raise NotApplicable
    query = context.query(base.name)
    k, d, label = key.make(query), query.col(base.name, column.name), query.col(base.name, base.label)
    query.select(k).select(label).select(d)
    ahead = context.rng.random() < 0.2
    name = "LEAD" if ahead else "LAG"
    what = "next" if ahead else "previous"
    if value:
        v = query.col(base.name, value.name)
        query.select(v).select(
            frag(f"{name}(:v) OVER (PARTITION BY :k ORDER BY :d, :l)", v=v, k=k, d=d, l=label),
            f"{what}_{value.nouns[0]}",
        )
        cols = f"the {column.nouns[0]}, the {value.nouns[0]} and the {what} {value.nouns[0]}"
        if context.pool(value).nulls:
            query.where(frag(":v IS NOT NULL", v=v))
    elif context.rng.random() < 0.6 and not ahead and not column.moment:
        query.select(
            frag(":d - LAG(:d) OVER (PARTITION BY :k ORDER BY :d, :l)", k=k, d=d, l=label), "days_since_previous"
        )
        cols = f"the {column.nouns[0]} and the days since the previous one"
    else:
        query.select(frag(f"{name}(:d) OVER (PARTITION BY :k ORDER BY :d, :l)", k=k, d=d, l=label), f"{what}_date")
        cols = f"the {column.nouns[0]} and the {what} {column.nouns[0]}"
    context.apply(query, filters)
    id_noun = context.label(base).nouns[0]
    question = ask(
        context,
        "For {np}, [show|list|give] the {key}, the {id}, {cols} of the same {key}.",
        "{LIST} {key}, {id}, {cols} within the same {key}, for {np}.",
        "{np}: {key}, {id}, {cols} of that {key}",
        np=context.people(base, filters),
        key=key.noun,
        id=id_noun,
        cols=cols,
    )
    return draft(query, question, filters)


@pattern("complex", 1.4)
def rolling_rows(context: Context) -> Draft:
    """A moving average over the last rows, in order of date."""
    found = [(t, c) for t in context.subjects() for c in t.columns.values() if "avg" in c.aggregates and t.when]
    if not found:
        raise NotApplicable
    base, value = context.rng.choice(found)
    column = base.columns[base.when]
    filters = context.filters(base, context.rng.choice([1, 1, 2]), need=value.needs, terms=0.05)
    size = context.rng.choice([3, 3, 5, 5, 7, 10])
    query = context.query(base.name)
    label, d, v = query.col(base.name, base.label), query.col(base.name, column.name), query.col(base.name, value.name)
    query.select(label).select(d).select(v)
    kind, words = context.rng.choice([("AVG", "average"), ("AVG", "average"), ("AVG", "average"), ("MAX", "maximum")])
    query.select(
        frag(f"{kind}(:v) OVER (ORDER BY :d, :l ROWS BETWEEN {size - 1} PRECEDING AND CURRENT ROW)", v=v, d=d, l=label),
        f"moving_{words}",
    )
    context.apply(query, filters)
    if context.pool(value).nulls:
        query.where(frag(":v IS NOT NULL", v=v))
    question = ask(
        context,
        "[Show|Give] the {id}, {date}, {v} and the [rolling|moving] {w} of the {v} over the last {n} {nouns} for {np}, "
        "in order of {date}.",
        "[For|For all] {np}, [list|show] {id}, {date}, {v} and a {n}-{one} [rolling|moving] {w} by {date}.",
        "{n}-{one} [moving|rolling] {w} of the {v} of {np} by {date}, with {id}, {date} and {v} before it",
        id=context.label(base).nouns[0],
        date=column.nouns[0],
        v=value.nouns[0],
        w=words,
        n=number(size, context.rng, 0.3),
        nouns=plural(base.nouns[0]),
        one=base.nouns[0],
        np=context.people(base, filters),
    )
    return draft(query, question, filters)


@pattern("complex", 1.2)
def repeated(context: Context) -> Draft:
    """LAG in a CTE: a condition that holds on a row and on the one before it in its group."""
    terms = [t for t in context.lexicon.terms if isinstance(t.sql, exp.EQ) and isinstance(t.sql.expression, exp.Literal)
             and isinstance(t.sql.this, exp.Column) and t.sql.this.table == t.on]  # fmt: skip
    if not terms:
        raise NotApplicable
    term = context.rng.choices(terms, [t.weight for t in terms])[0]
    base = context.lexicon.tables[term.on]
    if not base.when:
        raise NotApplicable
    flagged = context.term_filter(base, term)
    column = base.columns[base.when]
    key = context.key(base, avoid=(flagged.key,), kinds=("name", "category"))
    filters = context.filters(base, context.rng.choice([0, 1, 1]), avoid=(key.key, flagged.key), terms=0.0)
    state = term.sql.this.name
    literal = term.sql.expression
    inner = context.query(base.name)
    k, label, d = key.make(inner), inner.col(base.name, base.label), inner.col(base.name, column.name)
    s = inner.col(base.name, state)
    inner.select(k).select(label).select(s)
    inner.select(frag("LAG(:s) OVER (PARTITION BY :k ORDER BY :d, :l)", s=s, k=k, d=d, l=label), "previous")
    context.apply(inner, filters)
    only_keys = context.rng.random() < 0.5
    name = key_name(key)
    outer = exp.select(name, *([] if only_keys else [writing.name(base.label)])).from_("t")
    outer = outer.where(frag(f"{writing.name(state)} = :v AND previous = :v", v=literal))
    if only_keys:
        outer = outer.distinct()
    np = context.people(base, filters)
    phrase = flagged.pre or flagged.post
    two = (
        f"two {flagged.pre} {plural(base.nouns[0])} in a row"
        if flagged.pre
        else f"two {plural(base.nouns[0])} in a row {phrase}"
    )
    among = f", looking only at {np}" if filters else ""
    question = ask(
        context,
        *(
            [
                "Which {keys} had {two} (by {date}){among}?",
                "{LIST} the {keys} with {two}, in order of {date}{among}.",
                "{keys} with {two} by {date}{among}",
            ]
            if only_keys
            else [
                "Find {two} for the same {key} (by {date}){among}: give the {key} and the {id} of the second one.",
                "{LIST} the {key} and {id} of every {one} that makes {two} for its {key} by {date}{among}.",
            ]
        ),
        key=key.noun,
        keys=plural(key.noun),
        two=two,
        date=column.nouns[0],
        among=among,
        id=context.label(base).nouns[0],
        one=base.nouns[0],
    )
    return draft(cte("t", inner, outer), question, [flagged, *filters])


@pattern("complex", 1)
def row_rank(context: Context) -> Draft:
    """RANK of rows inside their group by a number."""
    found = [(t, c) for t in context.subjects() for c in t.columns.values() if c.aggregates]
    if not found:
        raise NotApplicable
    base, value = context.rng.choices(found, [t.weight * len(context.graph.up(t.name)) for t, _ in found])[0]
    key = context.key(base)
    filters = context.filters(
        base, context.rng.choice([1, 1, 2]), need=value.needs, avoid=(key.key, f"{base.name}.{value.name}"), terms=0.1
    )
    if any(f.key == key.key for f in filters):
        raise NotApplicable
    if value.needs and key.key.partition(".")[0] in context.graph.up(value.needs.partition(".")[0]):
        raise NotApplicable
    count = context.rng.choice([1, 1, 2, 3, 3])
    inner = context.query(base.name)
    k, label, v = key.make(inner), inner.col(base.name, base.label), inner.col(base.name, value.name)
    inner.select(k).select(label).select(v)
    inner.select(frag("ROW_NUMBER() OVER (PARTITION BY :k ORDER BY :v DESC, :l)", k=k, v=v, l=label), "rn")
    context.apply(inner, filters)
    if context.pool(value).nulls:
        inner.where(frag(":v IS NOT NULL", v=v))
    outer = (
        exp.select(key_name(key), writing.name(base.label), writing.name(value.name))
        .from_("t")
        .where(frag("rn = 1" if count == 1 else f"rn <= {count}"))
    )
    one = base.nouns[0]
    question = ask(
        context,
        "[For each|For every|Per] {key}, [show|list|find] the {n} {np} with the highest {v}: {cols}."
        if count > 1
        else "[For each|For every|Per] {key}, [show|find] the one with the highest {v} among {np}: {cols}.",
        "{LIST} {cols} of the {n} highest {vs} per {key} among {np}."
        if count > 1
        else "{LIST} {cols} of the {one} with the highest {v} in each {key}, for {np}.",
        key=key.noun,
        n=number(count, context.rng, 0.4),
        np=context.people(base, filters),
        v=value.nouns[0],
        vs=plural(value.nouns[0]),
        one=one,
        cols=listing([key.noun, context.label(base).nouns[0], value.nouns[0]]),
    )
    return draft(cte("t", inner, outer), question, filters)


@pattern("complex", 1)
def sequence_number(context: Context) -> Draft:
    """The gap between neighbouring rows: longest or average interval per group."""
    base = fact(context)
    if not base.when:
        raise NotApplicable
    column = base.columns[base.when]
    if column.moment:
        raise NotApplicable
    key = context.key(base)
    filters = context.filters(base, context.rng.choice([0, 1, 1]), avoid=(key.key,), time=0.1, terms=0.3)
    inner = context.query(base.name)
    k, d = key.make(inner), inner.col(base.name, column.name)
    inner.select(k).select(frag(":d - LAG(:d) OVER (PARTITION BY :k ORDER BY :d)", k=k, d=d), "gap")
    context.apply(inner, filters)
    kind, word = context.rng.choice([("MAX", "longest"), ("AVG", "average"), ("AVG", "average")])
    name = key_name(key)
    outer = exp.select(name, exp.alias_(frag(f"{kind}(gap)"), f"{'max' if kind == 'MAX' else 'avg'}_gap")).from_("t")
    outer = outer.where(frag("gap IS NOT NULL")).group_by(name)
    question = ask(
        context,
        "{WHAT} the {w} [gap|interval] in days between consecutive {np} {PER} {key}, by {date}?",
        "{CALC} the {w} number of days between consecutive {np} (by {date}) {PER} {key}.",
        "{w} [gap|interval] in days between one and the next of the {np}, per {key}, by {date}",
        w=word,
        np=context.people(base, filters),
        key=key.noun,
        date=column.nouns[0],
    )
    return draft(cte("t", inner, outer), question, filters)
