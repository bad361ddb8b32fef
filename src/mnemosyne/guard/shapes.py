"""What only PostgreSQL writes, as every engine does: before kinds are known, for SQLite and DuckDB alike.

OVERLAPS as comparisons, WITH TIES by rank, series and lists of SELECT in FROM, names for the columns of VALUES.
"""

from __future__ import annotations

from sqlglot import exp

from mnemosyne.guard.ranked import with_ties
from mnemosyne.guard.trees import Node, Untranslatable, paren

_MAKES_ROWS = (exp.Explode, exp.ExplodingGenerateSeries)


def plain(tree: Node) -> Node:
    """The tree in shapes that all engines have."""
    for overlaps in list(tree.find_all(exp.Overlaps)):
        overlaps.replace(_overlapping(overlaps))
    for values in tree.find_all(exp.Values):
        _name_columns(values)
    for select in list(tree.find_all(exp.Select)):
        _rows_in_select(select)
        limit = select.args.get("limit")
        options = limit.args.get("limit_options") if isinstance(limit, exp.Fetch) else None
        if options is not None and options.args.get("with_ties"):
            tree = _in_its_place(tree, select, with_ties(select))
    for fetch in tree.find_all(exp.Fetch):
        if fetch.args.get("limit_options") is not None and fetch.args["limit_options"].args.get("with_ties"):
            raise Untranslatable("WITH TIES of a UNION is known to PostgreSQL only; use RANK().", fetch)
    return tree


def _in_its_place(tree: Node, old: Node, new: Node) -> Node:
    if old is tree:
        return new
    old.replace(new)
    return tree


def _overlapping(node: exp.Overlaps) -> Node:
    """(a, b) OVERLAPS (c, d): either end may come first, and an interval is counted from the first."""
    (a, b), (c, d) = (_ends(side) for side in (node.this, node.expression))
    ifs = [
        exp.If(this=exp.GT(this=a, expression=c), true=exp.LT(this=a.copy(), expression=d)),
        exp.If(this=exp.LT(this=a.copy(), expression=c.copy()), true=exp.LT(this=c.copy(), expression=b)),
        exp.If(this=exp.EQ(this=a.copy(), expression=c.copy()), true=exp.Boolean(this=True)),
    ]
    return exp.Paren(this=exp.Case(ifs=ifs))


def _ends(side: Node) -> tuple[Node, Node]:
    start, end = side.expressions
    long = isinstance(end, exp.Interval) or (isinstance(end, exp.Cast) and end.to.is_type("interval"))
    if long:
        end = exp.Add(this=paren(start.copy()), expression=end)
    return (
        exp.Least(this=start, expressions=[end], ignore_nulls=True),
        exp.Greatest(this=start.copy(), expressions=[end.copy()], ignore_nulls=True),
    )


def _name_columns(values: exp.Values) -> None:
    """`VALUES (1, 'a')` in FROM has columns with the names that PostgreSQL gives them."""
    alias = values.args.get("alias")
    if alias is None or alias.args.get("columns"):
        return
    first = values.expressions[0]
    width = len(first.expressions) if isinstance(first, exp.Tuple) else 1
    alias.set("columns", [exp.to_identifier(f"column{index}") for index in range(1, width + 1)])


def _rows_in_select(select: exp.Select) -> None:
    """`SELECT a, UNNEST(list) FROM t` is `SELECT a, u.item FROM t CROSS JOIN UNNEST(list) AS u(item)`."""
    items = [item for item in select.expressions if isinstance(_behind(item), _MAKES_ROWS)]
    if not items:
        return
    (item, *others), maker = items, _behind(items[0])
    clauses = ("group", "having", "distinct", "qualify", "windows")
    counts = any(one.find(exp.AggFunc, exp.Window) is not None for one in select.expressions)
    if others or counts or any(select.args.get(name) for name in clauses):
        raise Untranslatable("UNNEST and GENERATE_SERIES beside other lists or groups belong into FROM.", maker)
    name = item.alias or ("unnest" if isinstance(maker, exp.Explode) else "generate_series")
    alias = exp.TableAlias(this=exp.to_identifier("made"), columns=[exp.to_identifier("item")])
    item.replace(exp.Alias(this=exp.column("item", table="made"), alias=exp.to_identifier(name)))
    source: Node
    if isinstance(maker, exp.Explode):
        source = exp.Unnest(expressions=[maker.this], alias=alias)
    else:
        series = exp.GenerateSeries(**maker.args)
        looks = series.find(exp.Column) is not None
        source = exp.Lateral(this=series, alias=alias) if looks else exp.Table(this=series, alias=alias)
    if select.args.get("from_") is None:
        select.set("from_", exp.From(this=source))
    else:
        select.append("joins", exp.Join(this=source, kind="CROSS"))


def _behind(item: Node) -> Node:
    inner: Node = item.this if isinstance(item, exp.Alias) else item
    return inner
