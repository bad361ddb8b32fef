"""SQL for databases that Mnemosyne does not execute: MySQL, SQL Server, Oracle, Snowflake, BigQuery.

The query passes every check for PostgreSQL first. Then it is printed in the other dialect, read back and
printed again: the two texts and the names in them must agree. That shows that the text can be read there,
not that it returns the same rows: nothing is run, and every answer says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal, get_args

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, UnsupportedError

from mnemosyne.guard.annotate import annotate
from mnemosyne.guard.checking import check
from mnemosyne.guard.kinds import DAYS, TIMES, WHOLE, kind_of, marked
from mnemosyne.guard.policy import Policy
from mnemosyne.guard.query import Dialect, Refusal
from mnemosyne.guard.ranked import first_of_each
from mnemosyne.guard.refused import PARSER_FAULTS, Refused, describe, piece
from mnemosyne.guard.sqlite_values import is_real
from mnemosyne.guard.trees import Node, Rule, Untranslatable, data_type, is_text, paren, rewrite, whole
from mnemosyne.schema import Schema

Foreign = Literal["mysql", "tsql", "oracle", "snowflake", "bigquery"]
"""Dialects that are shown, never executed."""

FOREIGN: tuple[Foreign, ...] = get_args(Foreign)
NAMES: dict[Foreign, str] = {
    "mysql": "MySQL",
    "tsql": "SQL Server",
    "oracle": "Oracle",
    "snowflake": "Snowflake",
    "bigquery": "BigQuery",
}


@dataclass(frozen=True, slots=True)
class ShownQuery:
    """A checked query in a dialect that is not executed here. No database takes it."""

    sql: str
    """The statement as printed in `dialect`."""
    dialect: Foreign
    """The dialect of `sql`."""
    source: str
    """The statement as written."""

    @property
    def note(self) -> str:
        """What a person must know before using it."""
        return f"Translated to {NAMES[self.dialect]} and read back; not executed here, so compare its rows before use."


def show(
    sql: str,
    schema: Schema,
    dialect: Foreign,
    *,
    written: Dialect = "postgres",
    today: date | None = None,
    policy: Policy | None = None,
) -> ShownQuery | Refusal:
    """The query in `dialect`, or why it is refused: by `check`, or because the dialect cannot say it."""
    verdict = check(sql, schema, target="postgres", written=written, today=today, policy=policy)
    if isinstance(verdict, Refusal):
        return verdict
    try:
        return ShownQuery(_translated(verdict.sql, schema, dialect), dialect, sql)
    except Refused as refused:
        return refused.refusal
    except RecursionError:
        return Refusal("too-deep", "the query is nested too deeply", "", "Write it with fewer levels.")


def _translated(sql: str, schema: Schema, dialect: Foreign) -> str:
    tree = sqlglot.parse_one(sql, read="postgres")
    assert isinstance(tree, exp.Expression)
    for select in list(tree.find_all(exp.Select)):
        _write_positions_out(select)
    tree = _without_distinct_on(tree, dialect)
    annotate(tree, schema)
    tree = rewrite(tree, _EVERYWHERE | _RULES[dialect])
    _refuse_unknown(tree, dialect)
    printed = _printed(tree, dialect)
    again = _read_back(printed, dialect)
    second = _printed(again, dialect)
    if _printed(_read_back(second, dialect), dialect) != second or not _names(tree) <= _names(again):
        raise Refused("not-stable", f"the query changes when {NAMES[dialect]} reads it back", place=printed[:100])
    return printed


def _write_positions_out(select: exp.Select) -> None:
    """GROUP BY 1 and ORDER BY 1 name the expression: not every database takes positions there."""
    for clause in (select.args.get("group"), select.args.get("order")):
        for item in clause.expressions if clause is not None else ():
            key = item.this if isinstance(item, exp.Ordered) else item
            number = whole(key)
            if number is not None and 1 <= number <= len(select.expressions):
                target = select.expressions[number - 1]
                key.replace((target.this if isinstance(target, exp.Alias) else target).copy())


def _without_distinct_on(tree: exp.Expression, dialect: Foreign) -> exp.Expression:
    """Each DISTINCT ON as the first row by ROW_NUMBER(), inner ones first: the printer's own form misplaces LIMIT."""
    for node in reversed(list(tree.find_all(exp.Select))):
        distinct = node.args.get("distinct")
        if distinct is None or distinct.args.get("on") is None:
            continue
        if node.args.get("order") is None:
            reason = f"DISTINCT ON without ORDER BY takes any row, and {NAMES[dialect]} wants one"
            raise Refused("not-translatable", reason, place="DISTINCT ON", hint="Add ORDER BY.")
        try:
            numbered = first_of_each(node)
        except Untranslatable as error:
            raise Refused("not-translatable", str(error).rstrip("."), place=error.place) from None
        if node is tree:
            return numbered
        node.replace(numbered)
    return tree


def _divide(node: Node) -> Node | None:
    """`/` of whole numbers cuts in PostgreSQL, and nowhere else for sure."""
    if kind_of(node.this) in WHOLE and kind_of(node.expression) in WHOLE:
        return exp.Floor(this=exp.Div(this=node.this, expression=node.expression))
    return None


def _truncate(node: Node) -> Node | None:
    """DATE_TRUNC of a date."""
    if kind_of(node.this) not in DAYS:
        return None
    day = exp.Cast(this=node.this, to=data_type("date")) if is_text(node.this) else node.this
    return exp.DateTrunc(this=day, unit=exp.Literal.string(node.args["unit"].name))  # type: ignore[no-untyped-call]


def _shift(node: Node) -> Node | None:
    """Dates plus and minus days, and the days between two dates, as functions."""
    left, right = node.this, node.expression
    if isinstance(node, exp.Add) and kind_of(left) not in TIMES and kind_of(right) in TIMES:
        left, right = right, left
    if kind_of(left) not in TIMES:
        return None
    if kind_of(right) in TIMES and isinstance(node, exp.Sub):
        return exp.DateDiff(this=left, expression=right, unit=exp.Var(this="DAY"))
    if kind_of(right) not in WHOLE | {"interval"}:
        return None
    unit, amount = exp.Var(this="DAY"), right
    if isinstance(right, exp.Interval) or kind_of(right) == "interval":
        if not isinstance(right, exp.Interval) or not isinstance(right.args.get("unit"), exp.Var):
            raise Refused("not-translatable", "only a written interval of one unit can be shown", place=piece(right))
        unit, amount = right.args["unit"], exp.Literal.number(right.this.name)
    if isinstance(node, exp.Sub):
        amount = exp.Neg(this=paren(amount))
    return exp.DateAdd(this=left, expression=amount, unit=unit)


def _folded(node: Node) -> Node:
    """ILIKE."""
    lower = exp.Lower(this=node.this)
    return exp.Like(this=lower, expression=exp.Lower(this=node.expression), negate=node.args.get("negate"))


def _average(node: Node) -> None:
    """AVG of whole numbers is whole in SQL Server."""
    if kind_of(node.this) in WHOLE:
        node.set("this", exp.Cast(this=node.this, to=data_type("double")))


def _exact(node: Node) -> None:
    """A sum of counts is a whole number in SQL Server, whose `/` cuts those."""
    kinds = {kind_of(node.this), kind_of(node.expression)}
    if "numeric" in kinds and not is_real(node.this) and not is_real(node.expression):
        node.set("this", exp.Cast(this=node.this, to=data_type("double")))


def _today(node: Node) -> Node:
    """SQL Server knows the moment only."""
    return marked(exp.Cast(this=exp.CurrentTimestamp(), to=data_type("date")), "date")


def _between_only(node: Node) -> Node | None:
    """The days between two dates, as a function."""
    if kind_of(node.this) in TIMES and kind_of(node.expression) in TIMES:
        return exp.DateDiff(this=node.this, expression=node.expression, unit=exp.Var(this="DAY"))
    return None


def _singular(node: Node) -> None:
    unit = node.args.get("unit")
    if isinstance(unit, exp.Var):
        node.set("unit", exp.Var(this=unit.name.upper().rstrip("S")))


def _filtered(node: Node) -> Node | None:
    """AGG(x) FILTER (WHERE c) is AGG(CASE WHEN c THEN x END)."""
    function, condition = node.this, node.expression.this
    if isinstance(function, exp.WithinGroup):
        place: Node = function.expression.expressions[0]
    else:
        place = function
        while isinstance(place.this, (exp.Distinct, exp.Order)):
            place = place.this
    value = place.expressions[0] if isinstance(place, exp.Distinct) else place.this
    inner = exp.Literal.number(1) if isinstance(value, exp.Star) else value
    case = exp.Case(ifs=[exp.If(this=condition, true=inner.copy())])
    if isinstance(place, exp.Distinct):
        place.set("expressions", [case])
    else:
        place.set("this", case)
    return marked(function, kind_of(node))


_EVERYWHERE: dict[type[exp.Expression], Rule] = {exp.Interval: _singular, exp.Filter: _filtered}
_RULES: dict[Foreign, dict[type[exp.Expression], Rule]] = {
    "mysql": {exp.Div: _divide, exp.TimestampTrunc: _truncate, exp.Add: _shift, exp.Sub: _shift},
    "tsql": {
        exp.Add: _shift,
        exp.Sub: _shift,
        exp.ILike: _folded,
        exp.Avg: _average,
        exp.Div: _exact,
        exp.CurrentDate: _today,
    },
    "oracle": {exp.Div: _divide, exp.TimestampTrunc: _truncate},
    "snowflake": {exp.Div: _divide, exp.TimestampTrunc: _truncate},
    "bigquery": {exp.Div: _divide, exp.TimestampTrunc: _truncate, exp.Sub: _between_only},
}

_MISSING: dict[Foreign, tuple[type[exp.Expression], ...]] = {
    "mysql": (
        exp.GenerateSeries, exp.ExplodingGenerateSeries, exp.PercentileCont, exp.PercentileDisc, exp.Mode, exp.Corr,
        exp.RegrSlope, exp.SplitPart, exp.Initcap, exp.Translate, exp.Unnest, exp.Array,
    ),
    "tsql": (
        exp.PercentileCont, exp.PercentileDisc, exp.Mode, exp.Corr, exp.RegrSlope, exp.Initcap, exp.SplitPart,
        exp.RegexpLike, exp.RegexpILike, exp.RegexpReplace, exp.Unnest, exp.Array, exp.SimilarTo,
    ),
    "oracle": (
        exp.GenerateSeries, exp.ExplodingGenerateSeries, exp.SplitPart, exp.Unnest, exp.Array, exp.SimilarTo,
        exp.Values,
    ),
    "snowflake": (exp.GenerateSeries, exp.ExplodingGenerateSeries, exp.SimilarTo),
    "bigquery": (exp.PercentileDisc, exp.Mode, exp.RegrSlope, exp.SimilarTo),
}  # fmt: skip
"""What has no equal that the printer knows; it would write PostgreSQL's name."""
_NAMED = frozenset({"age", "make_date", "justify_days", "justify_hours", "justify_interval", "every", "num_nulls"})


def _refuse_unknown(tree: Node, dialect: Foreign) -> None:
    for node in tree.find_all(*_MISSING[dialect], exp.Anonymous):
        if isinstance(node, exp.Anonymous) and node.name.lower() not in _NAMED:
            continue
        name = node.name.upper() if isinstance(node, exp.Anonymous) else describe(node).replace(" ", "_")
        raise Refused("not-translatable", f"{NAMES[dialect]} has no {name} that is known here", place=name)


def _printed(tree: Node, dialect: Foreign) -> str:
    try:
        return tree.sql(dialect=dialect, comments=False, unsupported_level=ErrorLevel.RAISE)
    except UnsupportedError as error:
        raise Refused("not-translatable", f"{NAMES[dialect]} cannot say this: {_first_line(error)}") from None
    except PARSER_FAULTS as error:
        raise Refused("not-translatable", f"the query cannot be printed for {NAMES[dialect]}: {error}") from None


def _read_back(printed: str, dialect: Foreign) -> Node:
    try:
        statements = sqlglot.parse(printed, read=dialect)
    except PARSER_FAULTS as error:
        raise Refused(
            "not-translatable", f"the translation cannot be read back as {NAMES[dialect]}: {_first_line(error)}"
        ) from None
    again = statements[0] if len(statements) == 1 else None
    if not isinstance(again, exp.Expression) or not isinstance(again, exp.Query):
        raise Refused("not-stable", f"{NAMES[dialect]} reads the translation as something else than one query")
    return again


def _names(tree: Node) -> set[str]:
    """Tables of FROM, in lower case."""
    return {table.name.lower() for table in tree.find_all(exp.Table) if isinstance(table.this, exp.Identifier)}


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:160]
