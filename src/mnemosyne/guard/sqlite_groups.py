"""ROLLUP, CUBE and GROUPING SETS for SQLite: a query for each set of keys, joined by UNION ALL."""

from __future__ import annotations

from itertools import product

from sqlglot import exp

from mnemosyne.guard.ranked import expression_of, written_out
from mnemosyne.guard.trees import Node, Untranslatable, bare, literal, output_names

_SPECIAL = (exp.Rollup, exp.Cube, exp.GroupingSets)
_MOST = 64
"""Most sets of one query: CUBE of six keys."""


def is_special(select: exp.Select) -> bool:
    """Whether GROUP BY names several sets of keys."""
    group = select.args.get("group")
    return group is not None and group.find(*_SPECIAL) is not None


def each_set(select: exp.Select) -> exp.Select:
    """The groups of every set, one after another; a key that is not in a set is NULL there."""
    if select.args.get("distinct") is not None or any(item.find(exp.Window) for item in select.expressions):
        raise Untranslatable(
            "ROLLUP, CUBE and GROUPING SETS with DISTINCT or a window have no equal in SQLite.", select
        )
    parts = [_sets(item, select) for item in select.args["group"].expressions]
    sets = [[key for part in parts_of for key in part] for parts_of in product(*parts)]
    if len(sets) > _MOST:
        raise Untranslatable(f"More than {_MOST} sets of groups.", select)
    names = output_names(select)
    order = select.args.get("order")
    sorts = [written_out(item, select) for item in order.expressions] if order is not None else []
    keys = [key for one in sets for key in one]
    query: Node | None = None
    for one in sets:
        branch = _branch(select, one, keys, [item.this for item in sorts])
        query = branch if query is None else exp.Union(this=query, expression=branch, distinct=False)
    source = exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier("each_set")))
    outer = exp.Select(expressions=[exp.column(name, table="each_set") for name in names]).from_(source)
    if sorts:
        items = [
            exp.Ordered(**{**item.args, "this": exp.column(f"sort_{index}", table="each_set")})
            for index, item in enumerate(sorts, 1)
        ]
        outer.set("order", exp.Order(expressions=items))
    for name in ("limit", "offset", "with_"):
        outer.set(name, select.args.get(name))
    return outer


def _sets(item: Node, select: exp.Select) -> list[list[Node]]:
    """The sets that one item of GROUP BY stands for."""
    if isinstance(item, exp.GroupingSets):
        return [one for inner in item.expressions for one in _sets(inner, select)]
    if isinstance(item, (exp.Rollup, exp.Cube)):
        steps = [_keys(inner, select) for inner in item.expressions]
        if isinstance(item, exp.Rollup):
            return [[key for step in steps[:size] for key in step] for size in range(len(steps), -1, -1)]
        return [
            [key for step, taken in zip(steps, choice, strict=True) if taken for key in step]
            for choice in product((True, False), repeat=len(steps))
        ]
    return [_keys(item, select)]


def _keys(item: Node, select: exp.Select) -> list[Node]:
    parts = list(item.expressions) if isinstance(item, exp.Tuple) else [item]
    return [bare(expression_of(bare(part), select)) for part in parts]


def _branch(select: exp.Select, keys: list[Node], every: list[Node], sorts: list[Node]) -> exp.Select:
    branch = select.copy()
    for name in ("order", "limit", "offset", "with_"):
        branch.set(name, None)
    hidden = [exp.Alias(this=value.copy(), alias=exp.to_identifier(f"sort_{n}")) for n, value in enumerate(sorts, 1)]
    branch.set("expressions", [*branch.expressions, *hidden])
    having = branch.args.get("having")
    aggregates = any(one.find(exp.AggFunc) is not None for one in [*branch.expressions, having] if one is not None)
    for item in list(branch.expressions):
        if isinstance(item, exp.Alias):
            item.set("this", _settled(item.this, keys, every))
        else:
            name = exp.to_identifier(item.alias_or_name)
            item.replace(exp.Alias(this=_settled(item.copy(), keys, every), alias=name))
    if having is not None:
        having.set("this", _settled(having.this, keys, every))
    if not keys and not aggregates:
        raise Untranslatable("A set without keys needs an aggregate such as COUNT(*).", select)
    branch.set("group", exp.Group(expressions=[key.copy() for key in keys]) if keys else None)
    return branch


def _settled(node: Node, keys: list[Node], every: list[Node]) -> Node:
    """The expression in the groups of one set; what is inside an aggregate sees the rows as they are."""
    if isinstance(node, exp.Grouping):
        bits = "".join("0" if bare(item) in keys else "1" for item in node.expressions)
        return literal(int(bits, 2))
    if node in every:
        return node if node in keys else exp.Null()
    if isinstance(node, (exp.AggFunc, exp.Filter, exp.WithinGroup)):
        return node
    if isinstance(node, (exp.Column, exp.Query)):
        raise Untranslatable("ROLLUP, CUBE and GROUPING SETS: this is neither a key nor in an aggregate.", node)
    for name, value in list(node.args.items()):
        if isinstance(value, exp.Expression):
            node.set(name, _settled(value, keys, every))
        elif isinstance(value, list):
            node.set(name, [_settled(one, keys, every) if isinstance(one, exp.Expression) else one for one in value])
    return node
