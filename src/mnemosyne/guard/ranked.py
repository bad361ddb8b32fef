"""The first rows of each group, and the first rows with their ties, by a number that a window gives each row.

DISTINCT ON is known to PostgreSQL and DuckDB only, WITH TIES to PostgreSQL only.
"""

from __future__ import annotations

from sqlglot import exp

from mnemosyne.guard.trees import Node, Untranslatable, bare, output_names, whole


def with_ties(node: exp.Select) -> exp.Select:
    """SELECT … ORDER BY k FETCH FIRST n ROWS WITH TIES: the rows whose rank by k is at most n."""
    order, count = node.args.get("order"), node.args["limit"].args.get("count")
    if order is None or node.args.get("offset") is not None or node.args.get("distinct") is not None:
        raise Untranslatable("WITH TIES needs ORDER BY, and neither DISTINCT nor OFFSET; use RANK().", node)
    number = 1 if count is None else whole(count)
    if number is None:
        raise Untranslatable("WITH TIES takes a written number of rows.", node)
    items = [written_out(item, node) for item in order.expressions]
    rank = exp.Window(this=exp.Rank(), order=exp.Order(expressions=[item.copy() for item in items]))
    test = exp.LTE(this=exp.column("rank_of_row", table="each_row"), expression=exp.Literal.number(number))
    return _numbered(node, exp.Alias(this=rank, alias=exp.to_identifier("rank_of_row")), items, test, ("with_",))


def first_of_each(node: exp.Select) -> exp.Select:
    """SELECT DISTINCT ON (k) a, b … ORDER BY k, c: the first row of each k, by ROW_NUMBER()."""
    keys = node.args["distinct"].args["on"]
    keys = list(keys.expressions) if isinstance(keys, exp.Tuple) else [bare(keys)]
    output_names(node)
    order = node.args.get("order")
    items = [written_out(item, node) for item in order.expressions] if order is not None else []
    number = exp.Window(
        this=exp.RowNumber(),
        partition_by=[expression_of(key, node).copy() for key in keys],
        order=exp.Order(expressions=[item.copy() for item in items]) if items else None,
    )
    test = exp.EQ(this=exp.column("first_of_each", table="each_row"), expression=exp.Literal.number(1))
    hidden = exp.Alias(this=number, alias=exp.to_identifier("first_of_each"))
    return _numbered(node, hidden, items, test, ("limit", "offset", "with_"))


def _numbered(node: exp.Select, number: exp.Alias, items: list[Node], test: Node, kept: tuple[str, ...]) -> exp.Select:
    """The columns of a query whose rows pass a test of their number, in its order; `kept` clauses move outside."""
    names = output_names(node)
    inner = node.copy()
    for name in ("distinct", "order", "limit", "offset", "with_"):
        inner.set(name, None)
    hidden = [number] + [
        exp.Alias(this=item.this.copy(), alias=exp.to_identifier(f"sort_{index}"))
        for index, item in enumerate(items, 1)
    ]
    inner.set("expressions", [*inner.expressions, *hidden])
    source = exp.Subquery(this=inner, alias=exp.TableAlias(this=exp.to_identifier("each_row")))
    outer = exp.Select(expressions=[exp.column(name, table="each_row") for name in names]).from_(source).where(test)
    if items:
        sorts = [
            exp.Ordered(**{**item.args, "this": exp.column(f"sort_{index}", table="each_row")})
            for index, item in enumerate(items, 1)
        ]
        outer.set("order", exp.Order(expressions=sorts))
    for name in kept:
        outer.set(name, node.args.get(name))
    return outer


def written_out(item: Node, node: exp.Select) -> Node:
    """An item of ORDER BY, with the expression that it means."""
    copy = item.copy()
    copy.set("this", expression_of(item.this, node).copy())
    return copy


def expression_of(key: Node, node: exp.Select) -> Node:
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
