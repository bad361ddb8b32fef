"""What a question says and a query that ran does not do: a window of time, a stored value, a term it never looks at.

A small model drops one condition of three and still writes SQL that runs, so no error tells of it. What the question
names was found before (`grounding`); here it is looked for in the query. A window whose days differ is set right
where only one reading is possible; the rest goes back to the model once, and what remains is told to the person.
"""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING

from mnemosyne.grounding.days import Bounds, bounds_of
from mnemosyne.grounding.synonyms import normal, singular
from mnemosyne.grounding.values import meant

if TYPE_CHECKING:
    from sqlglot import exp

    from mnemosyne.grounding import Grounded, Mention
    from mnemosyne.grounding.terms import Said
    from mnemosyne.grounding.windows import Window


def unmet(ground: Grounded, sql: str, today: date | None = None) -> tuple[str, ...]:
    """A sentence for each thing that `ground` knows of the question and the query (PostgreSQL) has no word of."""
    if not ground.windows and not ground.mentions and not ground.terms:
        return ()
    tree = parsed(sql)
    if tree is None:
        return ()
    missing = [_of_window(window) for window in _unmet_windows(_own_days(ground), tree, today or date.today())]
    missing += [_of_value(mention) for mention in (*_unmet_values(ground, tree), *_unmet_codes(ground, tree))]
    told = " ".join(missing)
    missing += [
        _of_term(term)
        for term in ground.terms
        if not _has_term(term, tree) and not any(f"'{words}'" in told for words in _windows_of(term, ground))
    ]
    return tuple(dict.fromkeys(missing))


def with_window(ground: Grounded, question: str, sql: str, today: date | None = None) -> str | None:
    """The query with the days of the one window that the question names, or None where that is not certain.

    Certain is: the question speaks of no other time, and all conditions on dates in the query are on one column, come
    to the same days, and stand beside other conditions (AND), so that they can only be a wrong reading of that window.
    """
    from sqlglot import exp

    tree = parsed(sql)
    if tree is None or len(_own_days(ground)) != 1 or _other_time(question, ground.windows[0]):
        return None
    day = today or date.today()
    if not _unmet_windows(ground.windows, tree, day):
        return None
    found = bounds_of(tree, day)
    if len({(column, b.start, b.end) for (_, column), b in found.items()}) != 1:
        return None
    if any(b.outside or any(_is_under_not(node) for node in b.nodes) for b in found.values()):
        return None
    for bounds in found.values():
        columns = {node.sql(): node for node in map(_dated, bounds.nodes) if node is not None}
        if len(columns) != 1 or not all(isinstance(node.parent, exp.And | exp.Where) for node in bounds.nodes):
            return None
        [column] = columns.values()
        first, *rest = bounds.nodes
        for node in rest:
            node.replace(exp.true())
        first.replace(_condition(ground.windows[0], column))
    for where in tree.find_all(exp.Where):
        kept = (
            [node for node in where.this.flatten() if node != exp.true()] if isinstance(where.this, exp.And) else None
        )
        if kept:
            where.set("this", exp.and_(*kept, copy=False))
    return tree.sql(dialect="postgres")


def _windows_of(term: Said, ground: Grounded) -> list[str]:
    """The windows that a term's own words end with: it says which date they are of, and they may be missed already."""
    return [window.words for window in ground.windows if term.words.lower().endswith(window.words)]


def _own_days(ground: Grounded) -> tuple[Window, ...]:
    """The windows of a question, none where a term has days of its own: *overdue* among what was received this year."""
    return () if any("CURRENT_DATE" in term.condition for term in ground.terms) else ground.windows


def _unmet_windows(windows: tuple[Window, ...], tree: exp.Expr, today: date) -> list[Window]:
    if not windows or _is_unreadable(tree):
        return []
    found = list(bounds_of(tree, today).items())
    return [window for window in windows if not _is_met(*_days(window, today), found, today)]


def _is_met(start: date | None, end: date | None, found: list[tuple[tuple[int, str], Bounds]], today: date) -> bool:
    """Whether some column has these days for its ends; the halves of a window may stand in two places."""
    for column in {name for (_, name), _ in found}:
        places = [bounds for (_, name), bounds in found if name == column and not bounds.outside]
        begins = start is None or any(b.start == start for b in places)
        if end is None:  # to this day: an end in the future is none
            if any(b.start == start and (b.end is None or b.end >= today) for b in places):
                return True
        elif begins and any(b.end == end for b in places):
            return True
    return False


def _days(window: Window, today: date) -> tuple[date | None, date | None]:
    """First and last day of a window."""
    import sqlglot

    tree = sqlglot.parse_one(f"SELECT 1 FROM t WHERE {window.condition}", read="postgres")
    [bounds] = bounds_of(tree, today).values()
    return bounds.start, bounds.end


def _is_unreadable(tree: exp.Expr) -> bool:
    """Whether the query takes dates apart in ways that no window is read from."""
    from sqlglot import exp

    return any(
        (isinstance(node, exp.Extract) and node.name.upper() != "YEAR")
        or isinstance(node, exp.TimeToStr | exp.DateDiff | exp.Anonymous)
        for node in tree.find_all(exp.Extract, exp.TimeToStr, exp.DateDiff, exp.Anonymous)
    )


def _unmet_values(ground: Grounded, tree: exp.Expr) -> list[Mention]:
    """Values whose column the query never names, that it does not write, and whose row it does not name by its key."""
    from sqlglot import exp

    columns = {column.name.lower() for column in tree.find_all(exp.Column)}
    texts = " ".join(node.this.lower() for node in tree.find_all(exp.Literal) if node.is_string)
    keyed = {
        singular(normal(column.name.lower().removesuffix("_id")))
        for node in tree.find_all(exp.EQ, exp.In)
        if isinstance(column := node.this, exp.Column)
        and column.name.lower().endswith("_id")
        and any(isinstance(other, exp.Literal) for other in (node.args.get("expression"), *node.expressions))
    }
    return [
        mention
        for mention in meant(ground.mentions)
        if mention.how in ("spelling", "synonym", "beginning")
        and not mention.optional
        and singular(normal(mention.table.rsplit(".", 1)[-1])) not in keyed
        and mention.column.lower() not in columns
        and mention.value.lower() not in texts
        and not any(column.startswith(f"{mention.value.lower()}_") for column in columns)
    ]


def _unmet_codes(ground: Grounded, tree: exp.Expr) -> list[Mention]:
    """Codes (`failed` for pass_fail = 'F') whose table the query reads and whose column it never names."""
    from sqlglot import exp

    columns = {column.name.lower() for column in tree.find_all(exp.Column)}
    tables = {table.name.lower() for table in tree.find_all(exp.Table)}
    return [
        mention
        for mention in ground.mentions
        if mention.how == "code"
        and not mention.optional
        and not any(mention.column.lower() in term.columns for term in ground.terms)
        and mention.table.rsplit(".", 1)[-1].lower() in tables
        and mention.column.lower() not in columns
    ]


def _has_term(term: Said, tree: exp.Expr) -> bool:
    """Whether a query names the columns of a term; one that leaves NULL out must do so, or count what is not NULL."""
    from sqlglot import exp

    tables = {table.name.lower() for table in tree.find_all(exp.Table)}
    if not term.tables <= tables:
        return True  # said of something else: `not approved yet` of worksheets, not of results
    named = [column for column in tree.find_all(exp.Column) if column.name.lower() in term.columns]
    if not term.condition.upper().endswith(" IS NOT NULL"):
        return term.columns <= {column.name.lower() for column in named}
    return any(
        isinstance(column.parent, exp.Count | exp.In)
        or (isinstance(column.parent, exp.Is) and isinstance(column.parent.parent, exp.Not))
        or (isinstance(column.parent, exp.Binary) and isinstance(_clause(column), exp.Where))
        for column in named
    )


def _clause(node: exp.Expr) -> exp.Expr | None:
    """The nearest of what a condition may stand in."""
    from sqlglot import exp

    found = node.find_ancestor(exp.Filter, exp.Case, exp.Where, exp.Having, exp.Select)
    if isinstance(found, exp.Where) and isinstance(found.parent, exp.Filter):
        return found.parent
    return found


def _of_term(term: Said) -> str:
    return f"The question says '{term.words}', and the query has no such condition: {term.condition}."


def _of_window(window: Window) -> str:
    return f"The question says '{window.words}', and the query has no such condition: {window.condition}."


def _of_value(mention: Mention) -> str:
    return f"The question says '{mention.words}', and the query has no such condition: {mention.hint}."


_TIME = re.compile(
    r"\b(overdue|except|exclud\w+|other than|leave out|not|older|today|yesterday|ago|since|before|after|until|between|"
    r"(19|20)\d\d|(in|of|during) may|(jan|feb|mar|apr|jun|jul|aug|sep|oct|nov|dec)[a-z]*|"
    r"q[1-4]|h[12]|hal(f|ves)|spring|summer|autumn|winter|days?|weeks?|fortnights?|months?|quarters?|years?)\b",
    re.IGNORECASE,
)
"""Words that may speak of another time than the window, or rule the window out."""

_GROUPED = re.compile(r"\b(per|by|each|every) (calendar )?(day|week|month|quarter|year)\b|\bin days\b", re.IGNORECASE)
"""Time as a group or a unit, which names no window."""


def _other_time(question: str, window: Window) -> bool:
    text = re.sub(re.escape(window.words), " ", " ".join(question.split()), flags=re.IGNORECASE)
    return _TIME.search(_GROUPED.sub(" ", text)) is not None


def _is_under_not(node: exp.Expr) -> bool:
    """Whether a condition is ruled out, or part of what is."""
    from sqlglot import exp

    return isinstance(node.find_ancestor(exp.Not, exp.Select), exp.Not)


def _dated(node: exp.Expr) -> exp.Column | None:
    """The column of a condition on days."""
    from sqlglot import exp

    return next(node.find_all(exp.Column), None)


def _condition(window: Window, column: exp.Column) -> exp.Expr:
    import sqlglot
    from sqlglot import exp

    tree = sqlglot.parse_one(window.condition, read="postgres")
    for named in list(tree.find_all(exp.Column)):
        if named.name == "date":
            named.replace(column.copy())
    return tree


def parsed(sql: str) -> exp.Expr | None:
    """A query of PostgreSQL, None when it cannot be read."""
    import sqlglot

    try:
        return sqlglot.parse_one(sql, read="postgres")
    except (sqlglot.errors.SqlglotError, RecursionError):
        return None
