"""Lists for SQLite, which has none: they are JSON text, as `databases` gives the lists of every engine.

An item by its number, how many there are, text that is cut into a list. What is done with a list inside a query
beyond that is refused.
"""

from __future__ import annotations

from sqlglot import exp

from mnemosyne.guard.kinds import Kind, kind_of, marked
from mnemosyne.guard.trees import Node, Rule, Untranslatable, bare, call, literal, output_names, whole


def shown(value: Node) -> Node:
    """An item in the form that a list shows: a timestamp at midnight has its time."""
    return call("DATETIME", value, kind="text") if kind_of(value) == "midnight" else value


def letter(kind: Kind) -> str:
    """What JSON must be told of the kind of the items, because SQLite does not know it."""
    return {"bool": "b", "numeric": "f", "float": "f"}.get(kind, "")


def written(node: Node) -> Node | None:
    """ARRAY[1, 2, 3], and ARRAY(SELECT …)."""
    if isinstance(node.parent, (exp.Unnest, exp.Any, exp.All)) or _in_comparison(node):
        return None
    if len(node.expressions) == 1 and isinstance(node.expressions[0], (exp.Select, exp.SetOperation)):
        return _of_query(node.expressions[0])
    kinds = {kind_of(item) for item in node.expressions if not isinstance(item, exp.Null)}
    kind: Kind = "numeric" if kinds & {"numeric", "float"} else kinds.pop() if len(kinds) == 1 else "unknown"
    return call("mn_array", letter(kind), *(shown(item) for item in node.expressions), kind="array")


def _in_comparison(node: Node) -> bool:
    above = node.parent
    while isinstance(above, exp.Paren):
        above = above.parent
    return isinstance(above, (exp.Unnest, exp.Any, exp.All, exp.WithinGroup, exp.PercentileCont, exp.PercentileDisc))


def _of_query(query: Node) -> Node:
    """The one column of a query as a list, in the order of its rows, which LIMIT makes SQLite keep."""
    kind = kind_of(query.expressions[0]) if isinstance(query, exp.Select) else kind_of(query)
    item = marked(exp.column(output_names(query)[0], table="one"), kind)
    if query.args.get("order") is not None and query.args.get("limit") is None:
        query.set("limit", exp.Limit(expression=exp.Literal.number(2**63 - 1)))
    source = exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier("one")))
    value = call("mn_array_agg", shown(item), letter(kind), "-")
    one = exp.Subquery(this=exp.Select(expressions=[value]).from_(source))
    return marked(exp.Coalesce(this=one, expressions=[literal("[]")]), "array")


def subscript(node: Node) -> Node:
    """`list[2]`; of a match, its second group."""
    numbers = [whole(item) for item in node.expressions]
    if len(numbers) != 1 or numbers[0] is None:
        raise Untranslatable("A part of a list is taken by one written number.", node)
    inner = bare(node.this)
    if kind_of(inner) != "array":
        raise Untranslatable("SQLite takes parts of lists only.", node)
    type_ = node.this.type
    shifted = type_ is None or type_.this in (exp.DataType.Type.UNKNOWN, exp.DataType.Type.ARRAY)
    number = numbers[0] + (1 if shifted else 0)  # the parser counts from 0 where it sees a list
    return call("mn_array_item", inner, number, kind=kind_of(node))


def size(node: Node) -> Node:
    """ARRAY_LENGTH(list, 1), which is NULL for an empty list."""
    return exp.Nullif(this=call("mn_array_length", node.this), expression=literal(0))


def cut(node: Node) -> Node:
    """STRING_TO_ARRAY(text, separator)."""
    if node.args.get("null") is not None:
        raise Untranslatable("STRING_TO_ARRAY with a text for NULL has no equal in SQLite.", node)
    return call("mn_text_array", node.this, node.expression, kind="array")


def matched(node: Node) -> Node:
    """REGEXP_MATCH(text, pattern): the groups of the first match."""
    flags = node.expressions[2] if len(node.expressions) > 2 else literal("")
    return call("mn_regexp_match", *node.expressions[:2], flags, kind="array")


RULES: dict[type[exp.Expression], Rule] = {
    exp.Array: written,
    exp.Bracket: subscript,
    exp.ArraySize: size,
    exp.StringToArray: cut,
}
