"""LATERAL for SQLite: a query that returns one row becomes a correlated query for each of its columns.

`LEFT JOIN LATERAL (… LIMIT 1) AS x ON TRUE`, and an aggregate without GROUP BY. A query of several rows has no
equal and is refused.
"""

from __future__ import annotations

from sqlglot import exp

from mnemosyne.guard.trees import Node, Untranslatable, whole


def unfold(select: exp.Select) -> None:
    """Replace the LATERAL queries of one SELECT, last first: a later one may look at an earlier one."""
    for join in reversed(list(select.args.get("joins") or ())):
        if isinstance(join.this, exp.Lateral) and isinstance(join.this.this, exp.Subquery):
            _unfold(select, join)


def _unfold(select: exp.Select, join: exp.Join) -> None:
    lateral = join.this
    query = lateral.this.this if isinstance(lateral.this, exp.Subquery) else None
    alias = lateral.args.get("alias")
    if not isinstance(query, exp.Select) or alias is None or not alias.name or query.args.get("with_"):
        raise _refused(lateral)
    always = _is_aggregate(query)
    limit = query.args.get("limit")
    first = limit is not None and whole(limit.args.get("expression") or limit.args.get("count")) == 1
    left = str(join.args.get("side") or "").upper() == "LEFT"
    condition = join.args.get("on")
    plain = condition is None or (isinstance(condition, exp.Boolean) and condition.this)
    if not (always or first) or not plain or select.args.get("distinct") is not None:
        raise _refused(lateral)
    values = _values(query, alias)
    join.pop()
    for column in list(select.find_all(exp.Column)):
        if column.table.lower() == alias.name.lower():
            _replace(select, column, query, values)
    if not always and not left:
        select.where(exp.Exists(this=query.copy()), copy=False)


def _is_aggregate(query: exp.Select) -> bool:
    """Whether a query returns exactly one row, whatever it finds."""
    if query.args.get("group") is not None or query.args.get("having") is not None or query.args.get("offset"):
        return False
    return all(item.find(exp.AggFunc) is not None and item.find(exp.Window) is None for item in query.expressions)


def _values(query: exp.Select, alias: exp.TableAlias) -> dict[str, Node]:
    """The expressions of the query by the names under which they are known outside."""
    names = [name.name for name in alias.args.get("columns") or ()]
    values: dict[str, Node] = {}
    for index, item in enumerate(query.expressions):
        name = names[index] if index < len(names) else item.alias_or_name
        values[name.lower()] = item.this if isinstance(item, exp.Alias) else item
    return values


def _replace(select: exp.Select, column: exp.Column, query: exp.Select, values: dict[str, Node]) -> None:
    value = values.get(column.name.lower())
    if value is None:
        raise _refused(column)
    single = query.copy()
    single.set("expressions", [value.copy()])
    scalar: Node = exp.Subquery(this=single)
    if column.parent is select and column.arg_key == "expressions":
        scalar = exp.Alias(this=scalar, alias=column.this.copy())
    column.replace(scalar)


def _refused(node: Node) -> Untranslatable:
    return Untranslatable("SQLite has no LATERAL of several rows; use a correlated subquery, or ROW_NUMBER().", node)
