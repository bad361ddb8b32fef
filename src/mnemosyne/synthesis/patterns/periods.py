"""Complex pairs over time: against the previous period, running totals, rolling averages, this year against last."""

from __future__ import annotations

from sqlglot import exp

from mnemosyne.synthesis.compose import Context, Draft, Filter, Item, NotApplicable
from mnemosyne.synthesis.lexicon import ColumnWords, Measure, TableWords
from mnemosyne.synthesis.patterns.parts import cte, key_name, fact
from mnemosyne.synthesis.patterns.registry import ask, date_column, draft, measured, participle, pattern, some_measure
from mnemosyne.synthesis.phrasing import number, plural
from mnemosyne.synthesis.query import Query, frag, tree_of


def unit_tree(unit: str, d: exp.Expression) -> exp.Expression:
    """The start of a period as a date; a year as a number."""
    return frag("EXTRACT(YEAR FROM :d)", d=d) if unit == "year" else frag(f"DATE_TRUNC('{unit}', :d)::date", d=d)


def series(
    context: Context, unit: str, count: float = 0.6, key: Item | None = None
) -> tuple[Query, TableWords, Measure, list[Filter], str]:
    """A query that groups by period (and key): its measure is called `n` or by its alias."""
    base = fact(context)
    column = date_column(context, base)
    name = f"{base.name}.{column.name}"
    filters = context.filters(base, context.rng.choice([0, 1, 1, 2]), avoid=(name,), time=0.0)
    if unit != "year" and context.rng.random() < 0.4:
        filters.append(context.time_filter(base, column, {"week": 42, "month": 150, "quarter": 360}[unit]))
    measure, filters = some_measure(
        context, base, filters, count=count, want=lambda m: not m.alias.startswith(("last", "first"))
    )
    query = context.query(base.name)
    d = query.col(base.name, column.name)
    query.select(unit_tree(unit, d), unit)
    alias = "n" if measure.integer else measure.alias
    query.select(context.put(query, measure), alias).group(exp.column(unit))
    context.apply(query, filters)
    if context.pool(column).nulls and all(f.key != name for f in filters):
        query.where(frag(":d IS NOT NULL", d=d))
    by = "" if column.name == base.when else f" of {column.nouns[0]}"
    return query, base, measure, filters, by


def alias_of(measure: Measure) -> str:
    """The name of a measure inside a CTE."""
    return "n" if measure.integer else measure.alias


@pattern("complex", 3.2)
def period_change(context: Context) -> Draft:
    """LAG over periods: the previous value, the difference or the percentage."""
    unit = context.rng.choice(["month", "month", "month", "year", "year", "quarter"])
    query, base, measure, filters, by = series(context, unit)
    value = alias_of(measure)
    window = f"LAG({value}) OVER (ORDER BY {unit})"
    m = measured(context, base, measure, filters)
    on = {"month": "month on month", "year": "year on year", "quarter": "quarter on quarter"}[unit]
    kind = context.rng.choice(["previous", "difference", "difference", "percent"])
    if kind == "previous":
        last = exp.alias_(frag(window), f"previous_{unit}" if unit != "year" else "previous_year")
        templates = ["{CALC} the {m} per {u}{by} [next to|together with|and] the value of the previous {u}.",
                     "[For each|Per] {u}{by}, [show|give] the {m} and the previous {u}'s value.",
                     "{m} per {u}{by} with the previous {u} alongside"]  # fmt: skip
    elif kind == "difference":
        last = exp.alias_(frag(f"{value} - {window}"), "change")
        templates = ["{CALC} the {m} per {u}{by} and the change from the previous {u}.",
                     "How [does|did] the {m} change {on}{by}? [Show|Give] the {u}, the value and the difference.",
                     "[Show|Give me] the {on} change [of|in] the {m}{by}: {u}, value, change.",
                     "{on} change in the {m}{by}, with {u} and value first"]  # fmt: skip
    else:
        last = exp.alias_(frag(f"100.0 * ({value} - {window}) / NULLIF({window}, 0)"), "percent_change")
        templates = ["{CALC} the {m} per {u}{by} and the percentage change from the previous {u}.",
                     "By how many percent did the {m} change {on}{by}? Show the {u}, the value and the percentage.",
                     "{on} growth in percent of the {m}{by}: {u}, value, percent change"]  # fmt: skip
    outer = exp.select(unit, value, last).from_("t")
    question = ask(context, *templates, m=m, u=unit, on=on, by=by)
    return draft(cte("t", query, outer), question, filters)


@pattern("complex", 1.5)
def group_year_change(context: Context) -> Draft:
    """Year on year per group, by LAG inside the group."""
    base = fact(context)
    column = date_column(context, base)
    key = context.key(base)
    filters = context.filters(
        base, context.rng.choice([0, 1, 1]), avoid=(key.key, f"{base.name}.{column.name}"), time=0.0
    )
    measure, filters = some_measure(
        context, base, filters, count=0.75, key=key.key, want=lambda m: not m.alias.startswith(("last", "first"))
    )
    query = context.query(base.name)
    k, d = key.make(query), query.col(base.name, column.name)
    value, unit = alias_of(measure), context.rng.choice(["year", "year", "year", "month", "quarter"])
    query.select(k).select(unit_tree(unit, d), unit).select(context.put(query, measure), value).group(
        k, exp.column(unit)
    )
    context.apply(query, filters)
    if context.pool(column).nulls:
        query.where(frag(":d IS NOT NULL", d=d))
    name = key_name(key)
    window = f"LAG({value}) OVER (PARTITION BY {name} ORDER BY {unit})"
    diff = context.rng.random() < 0.6
    last = exp.alias_(frag(f"{value} - {window}" if diff else window), "change" if diff else f"previous_{unit}")
    outer = exp.select(name, unit, value, last).from_("t")
    by = "" if column.name == base.when else f" of {column.nouns[0]}"
    on = {"year": "year on year", "month": "month on month", "quarter": "quarter on quarter"}[unit]
    question = ask(
        context,
        "[For each|Per] {key}, [compare|show] the {m} per {u}{by} with the previous {u}: {key}, {u}, value and "
        + ("change." if diff else "previous value."),
        "{CALC} the {m} per {key} and {u}{by}, "
        + ("and the change from the previous {u}." if diff else "with the value of the {u} before."),
        "{on} comparison of the {m} per {key}{by}: {key}, {u}, value, "
        + ("change" if diff else "previous {u}'s value").replace("{u}", unit),
        key=key.noun,
        m=measured(context, base, measure, filters),
        u=unit,
        by=by,
        on=on,
    )
    return draft(cte("t", query, outer), question, filters)


@pattern("complex", 2)
def running_total(context: Context) -> Draft:
    """SUM of counts over the periods so far."""
    unit = context.rng.choice(["month", "month", "month", "year", "week", "quarter"])
    query, base, measure, filters, by = series(context, unit, count=1.0)
    keep = context.rng.random() < 0.6
    d = query.selected[0].this
    selected = [query.selected[0]]
    if keep:
        selected.append(query.selected[1])
    selected.append(tree_of(exp.alias_(frag("SUM(COUNT(*)) OVER (ORDER BY :d)", d=d), "running_total")))
    query.selected = selected
    query.groups = [d.copy()]
    m = measured(context, base, measure, filters)
    question = ask(
        context,
        "[Show|Give me|Calculate] the {m} per {u}{by} and the [running|cumulative] total."
        if keep
        else "[Show|Give me|Calculate] the [running|cumulative] {m} per {u}{by}.",
        "[Running|Cumulative] total of the {m} by {u}{by}"
        + (", next to the {u}'s own number" if keep else "").replace("{u}", unit),
        "Per {u}{by}, [show|give] the {m} and how it adds up over time."
        if keep
        else "How does the {m} add up over time, {u} by {u}{by}? Only the {u} and the cumulative number.",
        m=m,
        u=unit,
        by=by,
    )
    return draft(query, question, filters)


@pattern("complex", 2)
def rolling_periods(context: Context) -> Draft:
    """A moving average over the last periods."""
    unit, size = context.rng.choice(
        [
            ("month", 3),
            ("month", 3),
            ("month", 3),
            ("month", 6),
            ("month", 12),
            ("week", 4),
            ("quarter", 4),
            ("month", 2),
        ]
    )
    query, base, measure, filters, by = series(context, unit)
    value = alias_of(measure)
    window = exp.alias_(
        frag(f"AVG({value}) OVER (ORDER BY {unit} ROWS BETWEEN {size - 1} PRECEDING AND CURRENT ROW)"),
        "rolling_average",
    )
    outer = exp.select(unit, value, window).from_("t")
    question = ask(
        context,
        "[Show|Give me|Calculate] the {m} per {u}{by} with a {n}-{u} [rolling|moving] average.",
        "{n}-{u} [rolling|moving] average of the {m}{by}: {u}, value, average",
        "[For each|Per] {u}{by}, [show|give] the {m} and the [rolling|moving] average over the last {n} {us}.",
        m=measured(context, base, measure, filters),
        u=unit,
        us=unit + "s",
        n=number(size, context.rng, 0.4),
        by=by,
    )
    return draft(cte("t", query, outer), question, filters)


PAIRS = {
    "year": (
        ("this year", "last year"),
        ":d >= DATE_TRUNC('year', CURRENT_DATE)",
        ":d >= DATE_TRUNC('year', CURRENT_DATE) - INTERVAL '1 year' AND :d < DATE_TRUNC('year', CURRENT_DATE)",
    ),
    "month": (
        ("this month", "last month"),
        ":d >= DATE_TRUNC('month', CURRENT_DATE)",
        ":d >= DATE_TRUNC('month', CURRENT_DATE) - INTERVAL '1 month' AND :d < DATE_TRUNC('month', CURRENT_DATE)",
    ),
}
"""Two windows that are often compared."""


def two_windows(
    context: Context, d: exp.Expression
) -> tuple[tuple[str, str], exp.Expression, exp.Expression, tuple[str, str]]:
    """(words, later window, earlier window, aliases)."""
    if context.rng.random() < 0.5:
        unit = context.rng.choice(["year", "year", "month"])
        words, later, earlier = PAIRS[unit]
        return words, frag(later, d=d), frag(earlier, d=d), (f"this_{unit}", f"last_{unit}")
    year = context.world.today.year - context.rng.choice([0, 0, 1])
    later, earlier = (f"EXTRACT(YEAR FROM :d) = {y}" for y in (year, year - 1))
    return (f"in {year}", f"in {year - 1}"), frag(later, d=d), frag(earlier, d=d), (f"y{year}", f"y{year - 1}")


@pattern("complex", 2)
def pivot_periods(context: Context) -> Draft:
    """Counts of two periods side by side, by FILTER."""
    base = fact(context)
    column = date_column(context, base)
    key = context.key(base)
    filters = context.filters(
        base, context.rng.choice([0, 1, 1, 2]), avoid=(key.key, f"{base.name}.{column.name}"), time=0.0
    )
    query = context.query(base.name)
    k, d = key.make(query), query.col(base.name, column.name)
    words, later, earlier, aliases = two_windows(context, d)
    query.select(k).select(frag("COUNT(*) FILTER (WHERE :c)", c=later), aliases[0])
    query.select(frag("COUNT(*) FILTER (WHERE :c)", c=earlier), aliases[1])
    change = context.rng.random() < 0.3
    if change:
        query.select(frag("COUNT(*) FILTER (WHERE :a) - COUNT(*) FILTER (WHERE :b)", a=later, b=earlier), "change")
    query.group(k)
    context.apply(query, filters)
    done = participle(context, base, column)
    np = context.people(base, filters)
    tail = context.rng.choice([", and the difference", " and the change"]) if change else ""
    question = ask(
        context,
        "[For each|For every|Per] {key}, [show|give] the number of {np} {done} {a} and the number {done} {b}{tail}.",
        "Compare the number of {np} {done} {a} with {b} {PER} {key}{tail}.",
        "{np} {done} {a} against {b} by {key}, two columns{tail}",
        key=key.noun,
        keys=plural(key.noun),
        np=np,
        done=done,
        a=words[0],
        b=words[1],
        tail=tail,
    )
    return draft(query, question, filters)


@pattern("complex", 1.6)
def more_than_before(context: Context) -> Draft:
    """Groups with more rows in one period than in the one before."""
    base = fact(context)
    column = date_column(context, base)
    key = context.key(base)
    filters = context.filters(
        base, context.rng.choice([0, 1, 1]), avoid=(key.key, f"{base.name}.{column.name}"), time=0.0
    )
    query = context.query(base.name)
    k, d = key.make(query), query.col(base.name, column.name)
    words, later, earlier, aliases = two_windows(context, d)
    more = context.rng.random() < 0.6
    query.select(k)
    with_value = context.rng.random() < 0.4
    first, second = frag("COUNT(*) FILTER (WHERE :c)", c=later), frag("COUNT(*) FILTER (WHERE :c)", c=earlier)
    if with_value:
        query.select(first, aliases[0]).select(second, aliases[1])
    query.group(k)
    query.having.append(frag(":a > :b" if more else ":a < :b", a=first, b=second))
    context.apply(query, filters)
    done = participle(context, base, column)
    tail = ", with both numbers" if with_value else ""
    question = ask(
        context,
        "Which {keys} had {more} {np} {done} {a} than {b}{tail}?",
        "{LIST} the {keys} with {more} {np} {done} {a} than {b}{tail}.",
        "{keys} where the number of {np} {done} {a} is {cmp} than {b}{tail}",
        keys=plural(key.noun),
        more="more" if more else "fewer",
        cmp="higher" if more else "lower",
        np=context.people(base, filters),
        done=done,
        a=words[0],
        b=words[1],
        tail=tail,
    )
    return draft(query, question, filters)


@pattern("complex", 1.2)
def best_period(context: Context) -> Draft:
    """The period with the highest measure, or the periods above the average period."""
    unit = context.rng.choice(["month", "month", "quarter", "week"])
    query, base, measure, filters, by = series(context, unit, count=0.75)
    value = alias_of(measure)
    m = measured(context, base, measure, filters)
    if context.rng.random() < 0.5:
        query.order(value, True).order(unit)
        query.limited = 1
        question = ask(context, "[Which|In which] {u}{by} was the {m} highest? [Show|Give] the {u} and the value.",
                       "{LIST} the {u}{by} with the highest {m}, and the value.",
                       "{u}{by} with the highest {m}, with the value",
                       u=unit, by=by, m=m)  # fmt: skip
        question = (
            question.replace("Which month was", "In which month was")
            .replace("Which quarter was", "In which quarter was")
            .replace("Which week was", "In which week was")
        )
        return draft(query, question, filters, ordered=True)
    outer = exp.select(unit, value).from_("t").where(frag(f"{value} > (SELECT AVG({value}) FROM t)"))
    question = ask(
        context,
        "In which {us}{by} was the {m} above the [monthly |]average[| of all {us}]?".replace("[monthly |]", "").replace(
            "[| of all {us}]", " of all {us}"
        ),
        "{LIST} the {us}{by} in which the {m} was above the average {u}, with the value.",
        "{us}{by} with an above-average {m}, and the value",
        us=unit + "s",
        u=unit,
        by=by,
        m=m,
    )
    if "value" not in question:
        outer = exp.select(unit).from_("t").where(frag(f"{value} > (SELECT AVG({value}) FROM t)"))
    return draft(cte("t", query, outer), question, filters)


def filters_on(filters: list[Filter], column: ColumnWords) -> bool:
    """Whether one of the filters is about a column."""
    return any(f.key == f"{column.table}.{column.name}" for f in filters)


@pattern("complex", 1)
def top_group_of_period(context: Context) -> Draft:
    """For each period the leading group, by ROW_NUMBER."""
    base = fact(context)
    column = date_column(context, base)
    key = context.key(base)
    filters = context.filters(
        base, context.rng.choice([0, 1, 1]), avoid=(key.key, f"{base.name}.{column.name}"), time=0.0
    )
    if context.rng.random() < 0.4:
        filters.append(context.time_filter(base, column, 365))
    unit = context.rng.choice(
        ["month", "month", "year", "quarter"] if not filters_on(filters, column) else ["month", "quarter"]
    )
    query = context.query(base.name)
    k, d = key.make(query), query.col(base.name, column.name)
    period = unit_tree(unit, d)
    query.select(period, unit).select(k).select(frag("COUNT(*)"), "n")
    query.select(frag("ROW_NUMBER() OVER (PARTITION BY :p ORDER BY COUNT(*) DESC, :k)", p=period, k=k), "rn").group(
        period, k
    )
    context.apply(query, filters)
    if context.pool(column).nulls:
        query.where(frag(":d IS NOT NULL", d=d))
    outer = exp.select(unit, key_name(key), "n").from_("t").where(frag("rn = 1"))
    by = "" if column.name == base.when else f" of {column.nouns[0]}"
    question = ask(
        context,
        "[For each|For every|Per] {u}{by}, which {key} had the most {np}, and how many?",
        "{LIST} the {key} with the most {np} in each {u}{by}, with the number.",
        "{key} with the most {np} per {u}{by}, and the count",
        u=unit,
        by=by,
        key=key.noun,
        np=context.people(base, filters),
    )
    if not isinstance(key, Item):
        raise NotApplicable
    return draft(cte("t", query, outer), question, filters)
