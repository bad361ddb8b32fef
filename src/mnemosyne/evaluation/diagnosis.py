"""What went wrong in a wrong answer, said by a machine: one main category, the first that applies.

The outcome speaks first (it did not parse, did not run, was only in the wrong order), then the two
queries are compared clause by clause. It is a sorting aid for a person, not a proof.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import sqlglot
from sqlglot import exp

from mnemosyne.evaluation.components import Components, read
from mnemosyne.evaluation.judging import Verdict
from mnemosyne.schema import Schema

CATEGORIES: dict[str, str] = {
    "abstained": "the assistant gave the question back",
    "no SQL": "the model wrote no SQL",
    "parse": "the text is not one SQL query",
    "unknown table": "a table that the schema does not have",
    "unknown column": "a column that its tables do not have",
    "refused": "another rule of the guard",
    "fails": "the database rejected it, or it took too long",
    "order": "the right rows in the wrong order",
    "extra columns": "the right rows with columns that nobody asked for",
    "missing columns": "fewer columns than asked for",
    "wrong table": "reads a table that the gold does not, instead of one that it does",
    "join": "a table too many or too few",
    "set operation": "UNION, INTERSECT or EXCEPT where the gold has none, or the reverse",
    "aggregate": "other aggregates, or another grouping",
    "date window": "another condition on dates",
    "filter": "conditions on other columns, or other operators",
    "filter value": "the right conditions with other values",
    "duplicates": "DISTINCT where the gold has none, or the reverse",
    "order or limit": "another ORDER BY or LIMIT",
    "expression": "the same clauses, another expression in them",
    "other": "none of the above",
}
"""Category to what it means, in the order in which they are tried."""

WITHOUT_ANSWER: dict[str, str] = {
    "answered": "a query that runs, where there is no answer",
    "stopped": "a query that was stopped, where there is no answer",
}
"""The categories of questions that have none."""

_CODES = {
    "no-sql": "no SQL",
    "empty": "no SQL",
    **dict.fromkeys(("syntax", "not-a-query", "not-one-statement"), "parse"),
    "unknown-table": "unknown table",
    "unknown-column": "unknown column",
    "ambiguous-column": "unknown column",
    **dict.fromkeys(("error", "timeout", "memory", "cancelled", "crash"), "fails"),
}


def diagnose(
    gold: str,
    gold_dialect: str,
    answer: str,
    verdict: Verdict,
    width: int,
    schema: Schema,
    answer_dialect: str = "postgres",
) -> str:
    """The main category of one wrong answer; `width` is the number of columns of the gold's result."""
    if not verdict.runs:
        return _CODES.get(verdict.code, "refused")
    if verdict.unordered:
        return "order"
    if all(verdict.lenient):
        return "extra columns"
    if verdict.shown is not None and len(verdict.shown.columns) < width:
        return "missing columns"
    ours, theirs = read(gold, schema, gold_dialect), read(answer, schema, answer_dialect)
    if ours is None or theirs is None:
        return "other"
    trees = sqlglot.parse_one(gold, read=gold_dialect), sqlglot.parse_one(answer, read=answer_dialect)
    return next((category for category, differs in _RULES if differs(ours, theirs, *trees)), "other")


Rule = Callable[[Components, Components, exp.Expr, exp.Expr], bool]


def _names(tree: exp.Expr) -> Counter[str]:
    ctes = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    return Counter(table.name.lower() for table in tree.find_all(exp.Table) if table.name.lower() not in ctes)


def _wrong_table(gold: Components, answer: Components, a: exp.Expr, b: exp.Expr) -> bool:
    return bool(set(_names(a)) - set(_names(b)) and set(_names(b)) - set(_names(a)))


def _join(gold: Components, answer: Components, a: exp.Expr, b: exp.Expr) -> bool:
    sides = [Counter(str(join.side).upper() for join in tree.find_all(exp.Join)) for tree in (a, b)]
    return set(_names(a)) != set(_names(b)) or sides[0] != sides[1]


def _aggregate(gold: Components, answer: Components, a: exp.Expr, b: exp.Expr) -> bool:
    functions = [Counter(node.key for node in tree.find_all(exp.AggFunc)) for tree in (a, b)]
    groups = [{name.rpartition(".")[2] for name in query.group} for query in (gold, answer)]
    return functions[0] != functions[1] or bool(groups[0]) != bool(groups[1]) or gold.having != answer.having


def _conditions(tree: exp.Expr) -> list[exp.Expr]:
    """Every comparison of every WHERE, in the whole query."""
    nodes = [where.this for where in tree.find_all(exp.Where)]
    return [part for node in nodes for part in (node.flatten() if isinstance(node, exp.Connector) else [node])]


_DATES = (exp.CurrentDate, exp.CurrentTimestamp, exp.Interval, exp.TimestampTrunc, exp.DateTrunc, exp.Extract)


def _is_date(node: exp.Expr) -> bool:
    casts = any(str(cast.to).upper().startswith(("DATE", "TIMESTAMP")) for cast in node.find_all(exp.Cast))
    return casts or node.find(*_DATES) is not None or any(_looks_like_date(lit) for lit in node.find_all(exp.Literal))


def _looks_like_date(literal: exp.Literal) -> bool:
    text = literal.name
    return literal.is_string and len(text) >= 8 and text[:4].isdigit() and text[4:5] == "-"


def _date_window(gold: Components, answer: Components, a: exp.Expr, b: exp.Expr) -> bool:
    windows = [Counter(_unqualified(node) for node in _conditions(tree) if _is_date(node)) for tree in (a, b)]
    return windows[0] != windows[1]


def _unqualified(node: exp.Expr) -> str:
    def bare(part: exp.Expr) -> exp.Expr:
        return exp.column(part.name.lower()) if isinstance(part, exp.Column) else part

    return node.copy().transform(bare).sql()


def _shape(tree: exp.Expr) -> Counter[str]:
    """The conditions without their values."""

    def plain(part: exp.Expr) -> exp.Expr:
        if isinstance(part, exp.Column):
            return exp.column(part.name.lower())
        return exp.Var(this="?") if isinstance(part, exp.Literal) else part

    return Counter(node.copy().transform(plain).sql() for node in _conditions(tree))


def _values(tree: exp.Expr) -> Counter[str]:
    return Counter(literal.name for node in _conditions(tree) for literal in node.find_all(exp.Literal))


def _distinct(tree: exp.Expr) -> int:
    return sum(1 for _ in tree.find_all(exp.Distinct))


def _limits(tree: exp.Expr) -> Counter[str]:
    return Counter(limit.sql() for limit in tree.find_all(exp.Limit, exp.Offset))


_RULES: tuple[tuple[str, Rule], ...] = (
    ("wrong table", _wrong_table),
    ("join", _join),
    ("set operation", lambda gold, answer, a, b: [name for name, _ in gold.sets] != [name for name, _ in answer.sets]),
    ("aggregate", _aggregate),
    ("date window", _date_window),
    ("filter", lambda gold, answer, a, b: _shape(a) != _shape(b)),
    ("filter value", lambda gold, answer, a, b: _values(a) != _values(b)),
    ("duplicates", lambda gold, answer, a, b: _distinct(a) != _distinct(b)),
    ("order or limit", lambda gold, answer, a, b: gold.order != answer.order or _limits(a) != _limits(b)),
    ("expression", lambda gold, answer, a, b: gold.select != answer.select),
)
