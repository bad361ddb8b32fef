"""The shape of queries: what PostgreSQL writes around expressions and SQLite does not.

DISTINCT ON, column lists of an alias, bracketed sides of UNION, series and lists in FROM. What cannot be
said is refused with its name: LATERAL of several rows, GROUPING SETS, EXCEPT ALL, WITH TIES.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from mnemosyne.guard import sqlite_dates as dates
from mnemosyne.guard import sqlite_laterals
from mnemosyne.guard.kinds import TIMES, kind_of
from mnemosyne.guard.trees import Node, Untranslatable, bare, data_type, paren, whole


def reshape(tree: Node) -> Node:
    """The tree in shapes that SQLite has. Before kinds are known."""
    while isinstance(tree, exp.Subquery) and not set(_filled(tree)) - {"this"}:
        tree = tree.this.pop()
    for select in list(tree.find_all(exp.Select)):
        sqlite_laterals.unfold(select)
    for node in list(tree.walk(bfs=False)):
        if isinstance(node, exp.Select):
            _refuse_clauses(node)
            if node.args.get("distinct") is not None and node.args["distinct"].args.get("on") is not None:
                tree = _swap(tree, node, first_of_each(node))
        elif isinstance(node, exp.SetOperation):
            _refuse_all(node)
        elif isinstance(node, exp.Lateral):
            raise Untranslatable("SQLite has no LATERAL here; use a correlated subquery, or ROW_NUMBER().", node)
    for node in list(tree.find_all(exp.SetOperation)):
        for side in ("this", "expression"):
            _unbracket(node, side)
    for node in list(tree.find_all(exp.Subquery, exp.Values)):
        _name_columns(node)
    return tree


def _swap(tree: Node, old: Node, new: Node) -> Node:
    if old is tree:
        return new
    old.replace(new)
    return tree


def _filled(node: Node) -> list[str]:
    return [name for name, value in node.args.items() if value]


def _refuse_clauses(node: exp.Select) -> None:
    group = node.args.get("group")
    if group is not None and group.find(exp.Rollup, exp.Cube, exp.GroupingSets) is not None:
        raise Untranslatable("SQLite has no ROLLUP, CUBE or GROUPING SETS.", group)
    limit = node.args.get("limit")
    if isinstance(limit, exp.Fetch):
        refuse_ties(limit)


def refuse_ties(node: Node) -> None:
    """FETCH FIRST n ROWS WITH TIES."""
    options = node.args.get("limit_options")
    if options is not None and options.args.get("with_ties"):
        raise Untranslatable("WITH TIES is known to PostgreSQL only; use RANK().", node)


def _refuse_all(node: exp.SetOperation) -> None:
    if not isinstance(node, exp.Union) and node.args.get("distinct") is False:
        raise Untranslatable(f"SQLite has no {node.key.upper()} ALL.", node)


def _unbracket(node: exp.SetOperation, side: str) -> None:
    """A bracketed side becomes a plain SELECT; so does a nested operation on the right, to keep the order."""
    operand = node.args[side]
    nested = isinstance(operand, exp.SetOperation) and (side == "expression" or bool(operand.args.get("with_")))
    if not isinstance(operand, exp.Subquery) and not nested:
        return
    inner = operand.this if isinstance(operand, exp.Subquery) else operand
    plain = isinstance(inner, exp.Select) and not any(
        inner.args.get(name) for name in ("with_", "order", "limit", "offset")
    )
    if plain and isinstance(operand, exp.Subquery) and not set(_filled(operand)) - {"this"}:
        node.set(side, inner)
        return
    outputs = output_names(operand)
    alias = exp.TableAlias(this=exp.to_identifier("side"))
    source = exp.Subquery(this=inner if isinstance(operand, exp.Subquery) else operand, alias=alias)
    for name in ("order", "limit", "offset", "with_"):
        if isinstance(operand, exp.Subquery) and operand.args.get(name):
            source = exp.Subquery(this=exp.Subquery(this=inner, **{name: operand.args[name]}), alias=alias)
    node.set(side, exp.Select(expressions=[exp.column(name, table="side") for name in outputs]).from_(source))


def output_names(query: Node) -> list[str]:
    """The names of the columns that a query returns; those without a name get one."""
    while isinstance(query, (exp.SetOperation, exp.Subquery)):
        query = query.this
    names: list[str] = []
    for index, item in enumerate(query.expressions, 1):
        name = item.alias_or_name if isinstance(item, (exp.Alias, exp.Column)) else ""
        if not name or name in names:
            inner = item.this if isinstance(item, exp.Alias) else item.copy()
            name = f"{name or 'value'}_{index}"
            item.replace(exp.Alias(this=inner, alias=exp.to_identifier(name)))
        names.append(name)
    return names


def _name_columns(node: exp.DerivedTable) -> None:
    """`(SELECT …) AS t(a, b)` and `(VALUES …) AS t(a, b)`: the names move inside."""
    alias = node.args.get("alias")
    if not isinstance(alias, exp.TableAlias):
        return
    columns: Sequence[exp.Identifier] = alias.args.get("columns") or ()
    if isinstance(node, exp.Values):
        names = columns or [
            exp.to_identifier(f"column{index}") for index in range(1, len(_cells(node.expressions[0])) + 1)
        ]
        branches = [
            exp.Select(
                expressions=[
                    exp.Alias(this=cell, alias=name.copy()) for cell, name in zip(_cells(row), names, strict=True)
                ]
            )
            for row in node.expressions
        ]
        query: Node = branches[0]
        for branch in branches[1:]:
            query = exp.Union(this=query, expression=branch, distinct=False)
        alias.set("columns", None)
        node.replace(exp.Subquery(this=query, alias=alias.copy(), joins=node.args.get("joins")))
        return
    if not columns:
        return
    output_names(node.this)
    select = node.this
    while isinstance(select, (exp.SetOperation, exp.Subquery)):
        select = select.this
    for item, name in zip(list(select.expressions), columns, strict=False):
        inner = item.this if isinstance(item, exp.Alias) else item.copy()
        item.replace(exp.Alias(this=inner, alias=name.copy()))
    alias.set("columns", None)


def _cells(row: Node) -> list[Node]:
    return list(row.expressions) if isinstance(row, exp.Tuple) else [row]


def first_of_each(node: exp.Select) -> exp.Select:
    """SELECT DISTINCT ON (k) a, b … ORDER BY k, c: the first row of each k, by ROW_NUMBER()."""
    keys = node.args["distinct"].args["on"]
    keys = list(keys.expressions) if isinstance(keys, exp.Tuple) else [bare(keys)]
    names = output_names(node)
    order = node.args.get("order")
    items = [_written_out(item, node) for item in order.expressions] if order is not None else []
    number = exp.Window(
        this=exp.RowNumber(),
        partition_by=[_expression_of(key, node).copy() for key in keys],
        order=exp.Order(expressions=[item.copy() for item in items]) if items else None,
    )
    inner = node.copy()
    for name in ("distinct", "order", "limit", "offset", "with_"):
        inner.set(name, None)
    hidden = [exp.Alias(this=number, alias=exp.to_identifier("first_of_each"))]
    hidden += [
        exp.Alias(this=item.this.copy(), alias=exp.to_identifier(f"sort_{index}"))
        for index, item in enumerate(items, 1)
    ]
    inner.set("expressions", [*inner.expressions, *hidden])
    source = exp.Subquery(this=inner, alias=exp.TableAlias(this=exp.to_identifier("each_row")))
    outer = exp.Select(expressions=[exp.column(name, table="each_row") for name in names]).from_(source)
    outer = outer.where(exp.EQ(this=exp.column("first_of_each", table="each_row"), expression=exp.Literal.number(1)))
    if items:
        sorts = [
            exp.Ordered(**{**item.args, "this": exp.column(f"sort_{index}", table="each_row")})
            for index, item in enumerate(items, 1)
        ]
        outer.set("order", exp.Order(expressions=sorts))
    for name in ("limit", "offset", "with_"):
        outer.set(name, node.args.get(name))
    return outer


def _written_out(item: Node, node: exp.Select) -> Node:
    copy = item.copy()
    copy.set("this", _expression_of(item.this, node).copy())
    return copy


def _expression_of(key: Node, node: exp.Select) -> Node:
    """What a key means: the expression behind a position or an output name, or itself."""
    position = whole(key)
    if position is not None and 1 <= position <= len(node.expressions):
        item: Node = node.expressions[position - 1]
        behind: Node = item.this if isinstance(item, exp.Alias) else item
        return behind
    if isinstance(key, exp.Column) and not key.table:
        for item in node.expressions:
            if isinstance(item, exp.Alias) and item.alias.lower() == key.name.lower():
                inner: Node = item.this
                return inner
    return key


# Series and lists in FROM ---------------------------------------------------------------------------------------


_SERIES = (exp.GenerateSeries, exp.ExplodingGenerateSeries)


def from_item(node: Node) -> Node | None:
    """`generate_series(a, b, step) AS n` as a recursive query, `unnest(ARRAY[…]) AS n` as a list of rows."""
    inner = node if isinstance(node, exp.Unnest) else node.this
    if not isinstance(inner, (*_SERIES, exp.Unnest)):
        return None
    if isinstance(node.parent, exp.Lateral) or (inner.find(exp.Column) and not inner.find(exp.Select)):
        raise Untranslatable("A series in FROM cannot look at other tables in SQLite.", node)
    alias = node.args.get("alias")
    if alias is not None and alias.args.get("columns"):
        column = alias.args["columns"][0].name
    else:
        column = alias.name if alias is not None else "generate_series"
    query = _rows(inner, column) if isinstance(inner, exp.Unnest) else _series(inner, column)
    name = alias.this if alias is not None and alias.this is not None else exp.to_identifier("generate_series")
    return exp.Subquery(this=query, alias=exp.TableAlias(this=name), joins=node.args.get("joins"))


def _rows(node: exp.Unnest, column: str) -> Node:
    array = bare(node.expressions[0])
    if not isinstance(array, exp.Array) or not array.expressions:
        raise Untranslatable("UNNEST takes a written ARRAY.", node)
    query: Node | None = None
    for item in array.expressions:
        branch = exp.Select(expressions=[exp.Alias(this=item, alias=exp.to_identifier(column))])
        query = branch if query is None else exp.Union(this=query, expression=branch, distinct=False)
    assert query is not None
    return query


def _series(node: Node, column: str) -> Node:
    start, end, step = node.args["start"], node.args["end"], node.args.get("step")
    if kind_of(start) in TIMES or (step is not None and kind_of(step) == "interval"):
        return _moments(start, end, step, column)
    number = 1 if step is None else whole(step)
    if number is None or number == 0:
        raise Untranslatable("The step of a series is a written number or interval.", node)
    current = exp.column(column, table="series")
    following = exp.Add(this=current, expression=_number(number))
    return _recursive(start, following, end, number > 0, column)


def _number(value: int) -> Node:
    number = exp.Literal.number(abs(value))
    return number if value > 0 else exp.Paren(this=exp.Neg(this=number))


def _moments(start: Node, end: Node, step: Node | None, column: str) -> Node:
    parts = dates.written(_as_interval(step)) if step is not None else None
    if parts is None:
        raise Untranslatable("The step of a series of dates is a written interval.", step)
    if parts[2]:
        start, end = dates.as_timestamp(_date(start)), dates.as_timestamp(_date(end))
    else:
        start, end = _date(start), _date(end)
    current = exp.column(column, table="series")
    current.meta["kind"] = kind_of(start)
    following = dates.shift(current, _as_interval(step), 1)
    return _recursive(start, following, end, sum(parts) > 0, column)


def _as_interval(step: Node | None) -> Node:
    assert step is not None
    if kind_of(step) == "text":
        return dates.cast_interval(exp.Cast(this=step, to=data_type("interval")))
    return step


def _date(node: Node) -> Node:
    if kind_of(node) == "text":
        return dates.cast_date(exp.Cast(this=node, to=data_type("date")))
    return node


def _recursive(start: Node, following: Node, end: Node, up: bool, column: str) -> Node:
    """WITH RECURSIVE series(n) AS (SELECT start WHERE start <= end UNION ALL SELECT next … WHERE next <= end)."""
    test = exp.LTE if up else exp.GTE
    first = exp.Select(expressions=[start]).where(test(this=paren(start.copy()), expression=paren(end.copy())))
    more = exp.Select(expressions=[following]).from_(exp.to_table("series"))
    more = more.where(test(this=paren(following.copy()), expression=paren(end.copy())))
    name = exp.TableAlias(this=exp.to_identifier("series"), columns=[exp.to_identifier(column)])
    body = exp.CTE(this=exp.Union(this=first, expression=more, distinct=False), alias=name)
    query = exp.Select(expressions=[exp.column(column, table="series")]).from_(exp.to_table("series"))
    query.set("with_", exp.With(expressions=[body], recursive=True))
    return query


RULES = {exp.Table: from_item, exp.Unnest: from_item}


def finish(tree: Node) -> None:
    """What the outermost query returns is written for people: intervals in words."""
    if isinstance(tree, (exp.SetOperation, exp.Subquery)):
        finish(tree.this)
        if isinstance(tree, exp.SetOperation):
            finish(tree.expression)
        return
    for item in list(tree.expressions):
        if kind_of(item) == "interval":
            inner = item.this if isinstance(item, exp.Alias) else item
            text = dates.interval_text(inner.copy())
            if isinstance(item, exp.Alias):
                item.set("this", text)
            else:
                item.replace(text)
