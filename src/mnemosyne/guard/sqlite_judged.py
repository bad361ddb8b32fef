"""`x = ANY (…)`, `x >= ALL (…)` and their relatives for SQLite, which has neither.

Of a written array each item is compared; of a query the greatest and least item and the number of NULLs say all,
so that a query that does not look outside runs once and not once for every row.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from mnemosyne.guard.kinds import Kind, kind_of, marked
from mnemosyne.guard.trees import Node, Untranslatable, bare, call, literal, output_names, paren

Compare = Callable[[Node], "Node | None"]
"""The rule for `=`, `<` and their relatives."""

_UPWARDS = (exp.GT, exp.GTE)
_ORDERS = (exp.GT, exp.GTE, exp.LT, exp.LTE)


def quantified(node: Node, compare: Compare) -> Node:
    """A comparison whose right side is ANY (…) or ALL (…)."""
    some = isinstance(node.expression, exp.Any)
    inner = bare(node.expression.this)
    if isinstance(inner, exp.Array):
        tests = [_compared(node, item, compare) for item in inner.expressions]
        if not tests:
            return marked(exp.Boolean(this=not some), "bool")
        return marked(exp.Paren(this=exp.or_(*tests) if some else exp.and_(*tests)), "bool")
    query = inner.this if isinstance(inner, exp.Subquery) else inner
    if kind_of(inner) == "array" and isinstance(node, exp.EQ if some else exp.NEQ):
        has = call("mn_array_has", inner, node.this, kind="bool")
        return has if some else marked(exp.Not(this=has), "bool")
    if not isinstance(query, (exp.Select, exp.SetOperation)):
        raise Untranslatable("ANY and ALL take a query or a written ARRAY.", node)
    if isinstance(node.this, exp.Tuple) or not isinstance(node, (*_ORDERS, exp.EQ, exp.NEQ)):
        raise Untranslatable("ANY and ALL of rows have no equal in SQLite.", node)
    if some and isinstance(node, exp.EQ):
        return marked(exp.In(this=node.this, query=exp.Subquery(this=query)), "bool")
    if not some and isinstance(node, exp.NEQ):
        return marked(exp.Not(this=exp.In(this=node.this, query=exp.Subquery(this=query))), "bool")
    return _judged(node, query, some, compare)


def _compared(node: Node, item: Node, compare: Compare) -> Node:
    made = type(node)(this=node.this.copy(), expression=item.copy())
    return compare(made) or made


def _judged(node: Node, query: Node, some: bool, compare: Compare) -> Node:
    """Nothing is in the query, a known item decides, something is unknown, or none decides: in this order."""
    ends: list[type[Node]] = [exp.Min, exp.Max]
    if isinstance(node, _ORDERS):
        ends = [exp.Max if isinstance(node, _UPWARDS) != some else exp.Min]
    kind = _first_kind(query)
    item = exp.column(output_names(query)[0], table="one")
    tests = [_compared(node, marked(_over(query, end(this=item.copy())), kind), compare) for end in ends]
    decided = exp.or_(*(tests if some else [exp.Not(this=paren(test)) for test in tests]))
    unknown = exp.Sub(this=exp.Count(this=exp.Star()), expression=exp.Count(this=item.copy()))
    nulls = exp.GT(this=_over(query, unknown), expression=literal(0))
    nothing = exp.EQ(this=_over(query, exp.Count(this=exp.Star())), expression=literal(0))
    verdict = exp.Case(
        ifs=[
            exp.If(this=nothing, true=exp.Boolean(this=not some)),
            exp.If(this=decided, true=exp.Boolean(this=some)),
            exp.If(this=exp.or_(exp.Is(this=paren(node.this.copy()), expression=exp.Null()), nulls), true=exp.Null()),
        ],
        default=exp.Boolean(this=not some),
    )
    return marked(exp.Paren(this=verdict), "bool")


def _first_kind(query: Node) -> Kind:
    while isinstance(query, exp.SetOperation):
        query = query.this
    return kind_of(query.expressions[0])


def _over(query: Node, value: Node) -> Node:
    """`(SELECT value FROM (query) AS one)`."""
    source = exp.Subquery(this=query.copy(), alias=exp.TableAlias(this=exp.to_identifier("one")))
    return exp.Subquery(this=exp.Select(expressions=[value]).from_(source))
