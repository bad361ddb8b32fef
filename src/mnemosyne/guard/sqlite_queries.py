"""The shape of queries: what PostgreSQL writes around expressions and SQLite does not.

DISTINCT ON, column lists of an alias, bracketed sides of UNION, series and lists in FROM. What cannot be
said is refused with its name.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from mnemosyne.guard import sqlite_dates as dates
from mnemosyne.guard import sqlite_groups, sqlite_laterals
from mnemosyne.guard.kinds import TIMES, WHOLE, kind_of
from mnemosyne.guard.ranked import first_of_each
from mnemosyne.guard.trees import Node, Untranslatable, bare, call, data_type, output_names, paren, whole


def reshape(tree: Node) -> Node:
    """The tree in shapes that SQLite has. Before kinds are known."""
    while isinstance(tree, exp.Subquery) and not set(_filled(tree)) - {"this"}:
        tree = tree.this.pop()
    for select in list(tree.find_all(exp.Select)):
        sqlite_laterals.unfold(select)
    for node in list(tree.walk(bfs=False)):
        if isinstance(node, exp.Select):
            if sqlite_groups.is_special(node):
                tree = _swap(tree, node, sqlite_groups.each_set(node))
            elif node.args.get("distinct") is not None and node.args["distinct"].args.get("on") is not None:
                tree = _swap(tree, node, first_of_each(node))
        elif isinstance(node, (exp.Except, exp.Intersect)) and node.args.get("distinct") is False:
            tree = _swap(tree, node, _with_copies(node))
        elif isinstance(node, exp.Lateral) and not isinstance(node.this, (*_SERIES, exp.Unnest)):
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


def _with_copies(node: exp.SetOperation) -> exp.Select:
    """EXCEPT ALL and INTERSECT ALL: rows that are equal are told apart by a number."""
    sides = []
    for name in ("this", "expression"):
        side = node.args[name]
        inner = side.this if isinstance(side, exp.Subquery) and not set(_filled(side)) - {"this"} else side
        names = output_names(inner)
        columns = [exp.column(one, table="side") for one in names]
        number = exp.Window(this=exp.RowNumber(), partition_by=[column.copy() for column in columns])
        source = exp.Subquery(this=inner, alias=exp.TableAlias(this=exp.to_identifier("side")))
        hidden = exp.Alias(this=number, alias=exp.to_identifier("copy_number"))
        sides.append(exp.Select(expressions=[*columns, hidden]).from_(source))
        if name == "this":
            outputs = names
    both = type(node)(this=sides[0], expression=sides[1], distinct=True)
    copies = exp.Subquery(this=both, alias=exp.TableAlias(this=exp.to_identifier("copies")))
    outer = exp.Select(expressions=[exp.column(one, table="copies") for one in outputs]).from_(copies)
    for name in ("with_", "order", "limit", "offset"):
        outer.set(name, node.args.get(name))
    return outer


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


# Series and lists in FROM ---------------------------------------------------------------------------------------


_SERIES = (exp.GenerateSeries, exp.ExplodingGenerateSeries)


def from_item(node: Node) -> Node | None:
    """`generate_series(a, b, step) AS n` as a recursive query, `unnest(ARRAY[…]) AS n` as a list of rows."""
    inner = node if isinstance(node, exp.Unnest) else node.this
    if not isinstance(inner, (*_SERIES, exp.Unnest)) or isinstance(node.parent, exp.Lateral):
        return None
    alias = node.args.get("alias")
    if alias is not None and alias.args.get("columns"):
        column = alias.args["columns"][0].name
    else:
        column = alias.name if alias is not None else "generate_series"
    name = alias.this if alias is not None and alias.this is not None else exp.to_identifier("generate_series")
    looks = isinstance(node, exp.Lateral) or (inner.find(exp.Column) is not None and not inner.find(exp.Select))
    if looks or (isinstance(inner, exp.Unnest) and not isinstance(bare(inner.expressions[0]), exp.Array)):
        return _by_the_row(node, inner, name, column)
    query = _rows(inner, column) if isinstance(inner, exp.Unnest) else _series(inner, column)
    return exp.Subquery(this=query, alias=exp.TableAlias(this=name), joins=node.args.get("joins"))


def _by_the_row(node: Node, inner: Node, name: exp.Identifier, column: str) -> Node:
    """A list that looks at other tables: SQLite's table `json_each` of it, whose column is `value`."""
    if isinstance(inner, exp.Unnest):
        made = inner.expressions[0]
        if len(inner.expressions) != 1 or kind_of(made) != "array":
            raise Untranslatable("UNNEST takes one list.", inner)
        if isinstance(made, exp.Array):
            made = call("mn_array", "", *made.expressions)
    else:
        ends = [inner.args[one] for one in ("start", "end", "step") if inner.args.get(one) is not None]
        if not all(kind_of(end) in WHOLE for end in ends):
            raise Untranslatable("A series that looks at other tables counts whole numbers in SQLite.", inner)
        made = call("mn_series", *ends)
    select = node.find_ancestor(exp.Select)
    if select is not None:
        _rename(select, name.name.lower(), column.lower())
    table = call("json_each", made)
    return exp.Table(this=table, alias=exp.TableAlias(this=name), joins=node.args.get("joins"))


def _rename(select: exp.Select, table: str, column: str) -> None:
    """The column of a list is called `value`; alone in FROM it may be named without its list."""
    alone = not select.args.get("joins")
    outputs = {item.alias.lower() for item in select.expressions if isinstance(item, exp.Alias)}
    for found in list(select.find_all(exp.Column)):
        its_own = alone and not found.table and found.name.lower() == column
        if its_own and column in outputs and isinstance(found.parent, exp.Ordered):
            continue
        if its_own or found.table.lower() == table:
            shown = found.this.copy()
            found.set("this", exp.to_identifier("value"))
            if found.parent is select and found.arg_key == "expressions":
                found.replace(exp.Alias(this=found.copy(), alias=shown))


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


RULES = {exp.Table: from_item, exp.Unnest: from_item, exp.Lateral: from_item}


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
